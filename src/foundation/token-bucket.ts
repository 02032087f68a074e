// Tokens that refill with time, up to the burst: how often something may happen, with room for many at once after a rest.

export class TokenBucket {
  #tokens: number;
  #atMs: number;
  readonly #burst: number;
  readonly #perSecond: number;

  /** Full at first. @param nowMs monotonic, as everywhere here */
  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  has(nowMs: number, tokens = 1): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    return this.#tokens >= tokens;
  }

  /** Only after {@link has} said so at the same moment. */
  take(tokens = 1): void {
    this.#tokens -= tokens;
  }
}
