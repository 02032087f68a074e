// What unauthenticated peers may make us do. One frame of a stranger costs three X25519, one encapsulation and
// one composite signature, so every handshake is paid for with tokens before message B, per address and in
// total, and only so many may be open at once.

import { refuse, type Result, TokenBucket } from "../foundation/index.ts";
import type { MonoMs } from "../ports/index.ts";

/** Raising a number admits more strangers at once; lowering it protects the CPU of slow hosts. */
export interface LimiterOptions {
  /** Handshakes that have not ended yet. @default 64 */
  readonly concurrentMax: number;
  /** Tokens of one address: the burst it may use after a pause. @default 32 */
  readonly addressBurst: number;
  /** Refill of one address, tokens a second. @default 2 */
  readonly addressPerSecond: number;
  /** Tokens in total. @default 64 */
  readonly globalBurst: number;
  /** Refill in total, tokens a second. @default 20 */
  readonly globalPerSecond: number;
  /** Addresses remembered; beyond, the one idle for longest is forgotten. @default 4096 */
  readonly addressesMax: number;
}

export const LIMITER_DEFAULTS: LimiterOptions = {
  concurrentMax: 64,
  addressBurst: 32,
  addressPerSecond: 2,
  globalBurst: 64,
  globalPerSecond: 20,
  addressesMax: 4096,
};

type LimiterCode =
  | "handshake/limited-concurrent"
  | "handshake/limited-global"
  | "handshake/limited-address";

/** A node that sheds load takes one handshake in so many. */
const SHEDDING_SHARE = 4;

/** One open handshake. */
export interface HandshakeSlot {
  /** Pays for message B. */
  spend(nowMs: MonoMs): Result<undefined, LimiterCode>;
  /** Ends the handshake, however it went; idempotent. */
  release(): void;
}

/** Limits the handshakes of strangers. Refusals are values; a refused handshake has cost nothing. */
export class HandshakeLimiter {
  readonly #options: LimiterOptions;
  /** In the order of last use, oldest first. */
  readonly #addresses = new Map<string, TokenBucket>();
  readonly #global: TokenBucket;
  #open = 0;
  #forgotten = 0;
  /** While this node sheds load, it takes a quarter of the handshakes. */
  shedding = false;

  constructor(nowMs: MonoMs, options: Partial<LimiterOptions> = {}) {
    this.#options = { ...LIMITER_DEFAULTS, ...options };
    this.#global = new TokenBucket(this.#options.globalBurst, this.#options.globalPerSecond, nowMs);
  }

  /** Handshakes open now. */
  get open(): number {
    return this.#open;
  }

  /** Addresses forgotten for want of room, since the start. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Opens a handshake with `address`, a key of {@link limiterKey}. */
  enter(address: string): Result<HandshakeSlot, LimiterCode> {
    if (this.#open >= this.#options.concurrentMax / this.#share())
      return refuse("handshake/limited-concurrent");
    this.#open++;
    let released = false;
    return {
      ok: true,
      value: {
        spend: (nowMs) => this.#spend(address, nowMs),
        release: () => {
          if (!released) this.#open--;
          released = true;
        },
      },
    };
  }

  /** The address first: a flood from one address must not empty the bucket of all. */
  #spend(address: string, nowMs: MonoMs): Result<undefined, LimiterCode> {
    const bucket = this.#bucketOf(address, nowMs);
    if (!bucket.has(nowMs)) return refuse("handshake/limited-address");
    if (!this.#global.has(nowMs, this.#share())) return refuse("handshake/limited-global");
    bucket.take();
    this.#global.take(this.#share());
    return { ok: true, value: undefined };
  }

  /** What one handshake costs of the tokens of all. */
  #share(): number {
    return this.shedding ? SHEDDING_SHARE : 1;
  }

  #bucketOf(address: string, nowMs: MonoMs): TokenBucket {
    const { addressBurst, addressPerSecond, addressesMax } = this.#options;
    const bucket =
      this.#addresses.get(address) ?? new TokenBucket(addressBurst, addressPerSecond, nowMs);
    this.#addresses.delete(address);
    this.#addresses.set(address, bucket);
    const oldest = this.#addresses.size > addressesMax ? this.#addresses.keys().next() : undefined;
    if (oldest?.done === false) {
      this.#addresses.delete(oldest.value);
      this.#forgotten++;
    }
    return bucket;
  }
}

/**
 * The key under which an IP address is limited: IPv4 as it is (also in its IPv6-mapped form), IPv6 by its /64,
 * because one host commonly has a whole one. Anything else is its own key.
 */
export function limiterKey(address: string): string {
  const text = address.toLowerCase().split("%")[0] ?? "";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  if (mapped !== undefined) return mapped;
  if (!text.includes(":")) return text;
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(gap).fill("0"), ...right];
  const prefix = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${prefix.join(":")}::/64`;
}
