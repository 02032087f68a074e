// Token buckets by key, in a bounded map. A bucket holds its last reading, so an idle one costs nothing.

import type { MonoMs } from "../../ports/index.ts";

/**
 * Buckets used within so long of each other count as used at once: peers are heard each second, and moving a bucket in the map
 * costs more than filling it.
 */
const LAST_USE_GRAIN_MS = 10_000;

const SWEEP_MIN = 64;

interface Bucket {
  tokens: number;
  atMs: MonoMs;
  /** When it took its place in the map. */
  placedAtMs: MonoMs;
}

/** What a limiter allows. */
export interface RateLimit {
  /** Tokens of a full bucket, >= 1. */
  readonly burst: number;
  readonly perSecond: number;
  /** Buckets in memory; the longest unused one goes when one more is needed. */
  readonly bucketsMax: number;
}

/** Token buckets by key. Who has all tokens has no bucket, or one that goes when room is needed. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #buckets = new Map<string, Bucket>();
  /** After so many more new buckets those that are full again are looked for. */
  #untilSweep = SWEEP_MIN;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** How many buckets are in memory. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token; false when there is none. */
  take(key: string, nowMs: MonoMs): boolean {
    const bucket = this.#filled(key, nowMs) ?? this.#make(key, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Whether `take` would succeed; takes nothing. */
  has(key: string, nowMs: MonoMs): boolean {
    const bucket = this.#filled(key, nowMs);
    return bucket === undefined || bucket.tokens >= 1;
  }

  /** Puts one token back: what was charged turned out to be another's doing, or useful. */
  refund(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#limit.burst, bucket.tokens + 1);
  }

  /** The key's bucket with what it has gained by now. */
  #filled(key: string, nowMs: MonoMs): Bucket | undefined {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return undefined;
    bucket.tokens = this.#tokensOf(bucket, nowMs);
    bucket.atMs = nowMs;
    if (nowMs - bucket.placedAtMs >= LAST_USE_GRAIN_MS) {
      bucket.placedAtMs = nowMs;
      this.#buckets.delete(key);
      this.#buckets.set(key, bucket); // a map keeps insertion order: the last used is last
    }
    return bucket;
  }

  #make(key: string, nowMs: MonoMs): Bucket {
    const { burst, bucketsMax } = this.#limit;
    if (--this.#untilSweep < 0) this.#sweep(nowMs);
    if (this.#buckets.size >= bucketsMax) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    const bucket = { tokens: burst, atMs: nowMs, placedAtMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Drops what is full again. The next time is after as many new ones as are left, so that each of them pays for one at most. */
  #sweep(nowMs: MonoMs): void {
    for (const [key, bucket] of this.#buckets)
      if (this.#tokensOf(bucket, nowMs) >= this.#limit.burst) this.#buckets.delete(key);
    this.#untilSweep = Math.max(SWEEP_MIN, this.#buckets.size);
  }

  #tokensOf({ tokens, atMs }: Bucket, nowMs: MonoMs): number {
    const { burst, perSecond } = this.#limit;
    return Math.min(burst, tokens + (Math.max(0, nowMs - atMs) * perSecond) / 1000);
  }
}
