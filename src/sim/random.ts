// Seeded randomness: xoshiro128** (Blackman & Vigna, "Scrambled linear pseudorandom number generators",
// 2021) whose 128-bit state is spread from a 32-bit seed. Streams fork by label: a fork depends on the
// seed and the labels alone, never on how much was drawn before, so that adding a draw in one place
// leaves every other stream of the run as it was. For simulation only: nothing here is unpredictable.

import type { Random } from "../ports/index.ts";

type State = readonly [number, number, number, number];

const GOLDEN_RATIO = 0x9e3779b9;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A deterministic {@link Random} with the draws a simulator needs. */
export class SeededRandom implements Random {
  readonly #origin: State;
  #s0: number;
  #s1: number;
  #s2: number;
  #s3: number;

  private constructor(origin: State) {
    this.#origin = origin;
    [this.#s0, this.#s1, this.#s2, this.#s3] = origin;
  }

  /** The stream of a seed; only the low 32 bits of `seed` count. */
  static fromSeed(seed: number): SeededRandom {
    return new SeededRandom(spread([seed >>> 0, 0, 0, 0]));
  }

  /** The stream that starts at a given state; for the generator's published answers. */
  static fromState(state: State): SeededRandom {
    return new SeededRandom(state);
  }

  /** An independent stream named `label`. Equal labels give equal streams. */
  fork(label: string): SeededRandom {
    const [a, b, c, d] = this.#origin;
    return new SeededRandom(spread([a ^ hash32(label), b ^ hash32(`${label}.`), c, d]));
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const times5 = Math.imul(this.#s1, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9);
    const shifted = this.#s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= this.#s1;
    this.#s1 ^= this.#s2;
    this.#s0 ^= this.#s3;
    this.#s2 ^= shifted;
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21);
    return result >>> 0;
  }

  fraction(): number {
    const high = this.uint32() >>> 5;
    return (high * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.uint32();
      for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j);
    }
    return bytes;
  }

  /** True with probability `ratio` (0 = never, 1 = always). Always one draw. */
  chance(ratio: number): boolean {
    return this.uint32() < ratio * 2 ** 32;
  }

  /** A uniform integer in [0, bound), `bound` an integer in 1..2^32, without modulo bias. */
  below(bound: number): number {
    const fair = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const word = this.uint32();
      if (word < fair) return word % bound;
    }
  }

  /** `count` distinct items in random order; all of them when there are fewer. */
  sample<Item>(items: readonly Item[], count: number): Item[] {
    const pool = [...items];
    const picked: Item[] = [];
    while (picked.length < count && pool.length > 0) {
      const index = this.below(pool.length);
      const last = pool.pop();
      if (last === undefined) break;
      picked.push(index === pool.length ? last : (pool[index] ?? last));
      if (index < pool.length) pool[index] = last;
    }
    return picked;
  }
}

/** FNV-1a over UTF-16 code units: names for streams and for trace words, not for security. */
export function hash32(text: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

/** A 32-bit hash of three words: equal words, equal hash; for what depends on a seed and a pair, and on no order. */
export function hashWords(a: number, b: number, c: number): number {
  return (
    finalize((finalize((finalize((a + GOLDEN_RATIO) | 0) + b + GOLDEN_RATIO) | 0) + c) | 0) >>> 0
  );
}

/** Mixes four words so that every input bit reaches every output word; never all zero. */
function spread(words: State): State {
  let carry = GOLDEN_RATIO;
  const mixed: [number, number, number, number] = [...words];
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 4; i++) {
      carry = finalize((carry + (mixed[i] ?? 0) + GOLDEN_RATIO) | 0);
      mixed[i] = carry;
    }
  }
  return mixed.every((word) => word === 0) ? [1, 0, 0, 0] : mixed;
}

/** The 32-bit finalizer of MurmurHash3: a bijection with full avalanche. */
function finalize(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
