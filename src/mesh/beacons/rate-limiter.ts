// Token buckets by key, in a bounded map. A bucket holds its last reading, so an idle one costs nothing.

import type { MonoMs } from "../../ports/index.ts";

/**
 * Buckets used within so long of each other count as used at once: peers are heard each second, and moving a bucket in the map
 * costs more than filling it.
 */
const LAST_USE_GRAIN_MS = 10_000;

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

/** Token buckets by key. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** How many buckets are in memory. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token; false when there is none. */
  take(key: string, nowMs: MonoMs): boolean {
    const bucket = this.#bucket(key, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Whether `take` would succeed; takes nothing. */
  has(key: string, nowMs: MonoMs): boolean {
    return this.#bucket(key, nowMs).tokens >= 1;
  }

  /** Puts one token back: what was charged turned out to be another's doing, or useful. */
  refund(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#limit.burst, bucket.tokens + 1);
  }

  #bucket(key: string, nowMs: MonoMs): Bucket {
    const { burst, perSecond, bucketsMax } = this.#limit;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= bucketsMax) {
        const oldest = this.#buckets.keys().next();
        if (oldest.done !== true) this.#buckets.delete(oldest.value);
      }
      bucket = { tokens: burst, atMs: nowMs, placedAtMs: nowMs };
      this.#buckets.set(key, bucket);
      return bucket;
    }
    const gained = (Math.max(0, nowMs - bucket.atMs) * perSecond) / 1000;
    bucket.tokens = Math.min(burst, bucket.tokens + gained);
    bucket.atMs = nowMs;
    if (nowMs - bucket.placedAtMs >= LAST_USE_GRAIN_MS) {
      bucket.placedAtMs = nowMs;
      this.#buckets.delete(key);
      this.#buckets.set(key, bucket); // a map keeps insertion order: the last used is last
    }
    return bucket;
  }
}
