// What tells an unusual value from a usual one. Each detector looks at one observation, once a second, and remembers little.

import { shortNumber } from "../short-number.ts";

/** Why a value stands out. */
export interface Finding {
  readonly value: number;
  readonly threshold: number;
  /** In words, for `meshctl incidents explain`. */
  readonly finding: string;
}

export interface Detector {
  /** Whether the newest value stands out. Called for every measured value, in order; `past` gives those before it. */
  look(value: number, past: (count: number) => number[]): Finding | undefined;
}

/** A limit with hysteresis: it stands from `limit` on until the value is back at `clear`, and tells the worst value so far. */
export class Limit implements Detector {
  readonly #options: LimitOptions;
  /** The worst value since it stands; undefined while it does not. */
  #worst: number | undefined;
  #quiet = 0;

  constructor(options: LimitOptions) {
    this.#options = options;
  }

  look(value: number): Finding | undefined {
    const { above, limit, clear, holdLooks = 0 } = this.#options;
    const passes = (bound: number): boolean => (above ? value > bound : value < bound);
    if (passes(limit)) {
      this.#worst = (above ? Math.max : Math.min)(value, this.#worst ?? value);
      this.#quiet = 0;
    } else if (!passes(clear) && this.#quiet++ >= holdLooks) this.#worst = undefined;
    if (this.#worst === undefined) return undefined;
    return {
      value: this.#worst,
      threshold: limit,
      finding: `${above ? "above" : "below"} ${shortNumber(limit)}`,
    };
  }
}

export interface LimitOptions {
  readonly above: boolean;
  readonly limit: number;
  /** Where it is well again; on the good side of `limit`, or the limit itself. */
  readonly clear: number;
  /** For values that are events: it stands for so many looks after the last. @default 0 */
  readonly holdLooks?: number;
}

/**
 * A value far above its usual self: its moving mean (EWMA) against the median of the last minutes, measured in median
 * absolute deviations (MAD), which a fault that has only begun hardly moves.
 */
export class Outlier implements Detector {
  readonly #options: OutlierOptions;
  #smooth: number | undefined;

  constructor(options: OutlierOptions) {
    this.#options = options;
  }

  look(value: number, past: (count: number) => number[]): Finding | undefined {
    const { deviations, floor } = this.#options;
    this.#smooth = (this.#smooth ?? value) + NEWEST_PART * (value - (this.#smooth ?? value));
    const usual = past(OUTLIER_LOOKS);
    if (usual.length < OUTLIER_LOOKS / 2) return undefined;
    const middle = median(usual);
    const spread = median(usual.map((one) => Math.abs(one - middle)));
    // 1.4826 MAD are a standard deviation, where values are normally distributed.
    const deviation = Math.max(1.4826 * spread, floor);
    const distance = (this.#smooth - middle) / deviation;
    if (distance <= deviations) return undefined;
    const threshold = middle + deviations * deviation;
    return { value, threshold, finding: `${shortNumber(distance)} deviations above the median` };
  }
}

/** Part of the newest value in the moving mean: one odd value is none. */
const NEWEST_PART = 0.3;
const OUTLIER_LOOKS = 240;

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? 0;
}

export interface OutlierOptions {
  /** So many deviations from the median are one too many. */
  readonly deviations: number;
  /** A deviation counts at least as this: values that never move have none. */
  readonly floor: number;
}

/**
 * A level that fell and stays down: CUSUM (Page 1954) below a slow mean. It stands until the level is back within
 * `slack` of the old mean, or the new level has become the usual one.
 */
export class Drop implements Detector {
  readonly #options: DropOptions;
  #usual: number | undefined;
  #sum = 0;
  #standing = 0;

  constructor(options: DropOptions) {
    this.#options = options;
  }

  look(value: number): Finding | undefined {
    const { slack, sum, forgetLooks = 600 } = this.#options;
    this.#usual ??= value;
    if (this.#standing > 0) return this.#whileStanding(value, forgetLooks);
    const short = this.#usual * (1 - slack) - value;
    this.#sum = Math.max(0, this.#sum + short);
    if (this.#sum === 0) this.#usual += (value > this.#usual ? RISE : SLOW) * (value - this.#usual);
    if (this.#sum <= sum * this.#usual || this.#usual === 0) return undefined;
    this.#standing = 1;
    return this.#finding(value);
  }

  #whileStanding(value: number, forgetLooks: number): Finding | undefined {
    const usual = this.#usual ?? value;
    const isBack = value >= usual * (1 - this.#options.slack);
    if (!isBack && ++this.#standing <= forgetLooks) return this.#finding(value);
    if (!isBack) this.#usual = value;
    this.#standing = 0;
    this.#sum = 0;
    return undefined;
  }

  #finding(value: number): Finding {
    const usual = this.#usual ?? value;
    const threshold = usual * (1 - this.#options.slack);
    return { value, threshold, finding: `fell from ${shortNumber(usual)}` };
  }
}

/** Part of the newest level in the usual one; what grew becomes usual sooner than what fell. */
const SLOW = 0.02;
const RISE = 0.2;

export interface DropOptions {
  /** Part of the usual level that it may fall by. */
  readonly slack: number;
  /** What lies below that may add up to so many usual levels. */
  readonly sum: number;
  /** Looks after which the new level is the usual one. @default 600 */
  readonly forgetLooks?: number;
}

/**
 * Something runs out: the extremes of half-minutes, which a sawtooth like a heap's does not bend, lie on a line (least
 * squares) that reaches the end within `withinLooks`.
 */
export class Exhaustion implements Detector {
  readonly #options: ExhaustionOptions;
  readonly #extremes: number[] = [];
  #extreme: number | undefined;
  #looks = 0;

  constructor(options: ExhaustionOptions) {
    this.#options = options;
  }

  look(value: number): Finding | undefined {
    const { end } = this.#options;
    const rises = end > 0;
    const extreme = this.#extreme ?? value;
    this.#extreme = rises ? Math.min(extreme, value) : Math.max(extreme, value);
    if (++this.#looks % BUCKET_LOOKS === 0) {
      this.#extremes.push(this.#extreme);
      if (this.#extremes.length > BUCKETS) this.#extremes.shift();
      this.#extreme = undefined;
    }
    return this.#extremes.length < BUCKETS ? undefined : this.#verdict(value);
  }

  #verdict(value: number): Finding | undefined {
    const { end, withinLooks, leastChange } = this.#options;
    const { slope, fit, last } = line(this.#extremes);
    const change = Math.abs(slope) * (BUCKETS - 1);
    const towards = end > 0 ? slope > 0 : slope < 0;
    if (!towards || fit < FIT_LEAST || change < leastChange) return undefined;
    const looksLeft = ((end - last) / slope) * BUCKET_LOOKS;
    if (looksLeft > withinLooks) return undefined;
    const minutes = Math.max(1, Math.round(looksLeft / 60));
    return { value, threshold: end, finding: `at this rate ${shortNumber(end)} in ${minutes} min` };
  }
}

const BUCKET_LOOKS = 30;
const BUCKETS = 10;
/** Share of the variance that the line explains. */
const FIT_LEAST = 0.9;

export interface ExhaustionOptions {
  /** Where it ends: 0 for what falls, more for what rises. */
  readonly end: number;
  readonly withinLooks: number;
  /** Over the five minutes looked at; less is noise. */
  readonly leastChange: number;
}

/** The least squares line over equal steps: slope, R², and its last point. */
function line(values: readonly number[]): { slope: number; fit: number; last: number } {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (const [at, value] of values.entries()) {
    xy += (at - middle) * (value - mean);
    xx += (at - middle) ** 2;
    yy += (value - mean) ** 2;
  }
  const slope = xy / xx;
  return { slope, fit: yy === 0 ? 0 : (slope * xy) / yy, last: mean + slope * middle };
}
