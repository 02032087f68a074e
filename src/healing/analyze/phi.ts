// How surprising a silence is: φ accrual (Hayashibara, Défago, Yared, Katayama: The φ accrual failure detector, SRDS 2004).
// φ = -log10 P(the next sign of life comes later than now), when the gaps between signs are normally distributed with the mean
// and deviation of the past. φ 8: were they so, a sign as late as that would come once in a hundred million.

/** Gaps before anything is judged. */
const GAPS_LEAST = 8;
/** The newest gap's part in mean and variance: about the last sixty count. */
const NEWEST_PART = 1 / 32;
/** A deviation is at least this part of the mean: what comes like a clockwork would else be surprising by a hair. */
const DEVIATION_LEAST = 0.5;
/** A gap counts as at most so many means, so that a fault does not become the usual at once. */
const GAP_MEANS_MAX = 3;

/** Signs of life of one source. Three numbers, however many there were. */
export class PhiAccrual {
  #count = 0;
  #meanMs = 0;
  #variance = 0;

  /** Usual gap between two signs of life. */
  get usualMs(): number {
    return this.#meanMs;
  }

  /** A sign of life came so long after the one before. */
  arrived(gapMs: number): void {
    const isKnown = this.#count >= GAPS_LEAST;
    const gap = isKnown ? Math.min(gapMs, GAP_MEANS_MAX * this.#meanMs) : gapMs;
    const part = Math.max(NEWEST_PART, 1 / ++this.#count);
    const difference = gap - this.#meanMs;
    this.#meanMs += part * difference;
    this.#variance = (1 - part) * (this.#variance + part * difference * difference);
  }

  /** φ after a silence of so long; `undefined` while too little is known. */
  after(silentMs: number): number | undefined {
    if (this.#count < GAPS_LEAST || this.#meanMs === 0) return undefined;
    const deviation = Math.max(Math.sqrt(this.#variance), DEVIATION_LEAST * this.#meanMs);
    return tailPhi((silentMs - this.#meanMs) / deviation);
  }
}

/**
 * -log10 of the standard normal's upper tail, by the logistic approximation of Bowling, Khasawneh, Kaewkuekool and Cho (2009): its
 * distribution function is 1 / (1 + exp(-1.5976 x - 0.07056 x³)), within 0.00014.
 */
function tailPhi(x: number): number {
  const logit = x * (1.5976 + 0.07056 * x * x);
  // log10(1 + exp(logit)), without a number too great to hold.
  const rest = Math.log1p(Math.exp(-Math.abs(logit))) * Math.LOG10E;
  return Math.max(0, logit) * Math.LOG10E + rest;
}
