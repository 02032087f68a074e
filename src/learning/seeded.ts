// Reproducible randomness: one stream per (seed, label, ...), so that what one part draws never shifts another.
//
// Generator: sfc32 (Chris Doty-Humphrey's small fast counter generator, PractRand), 128 bits of state. For data,
// initial weights and lab attacks only, never for keys. Math.log and Math.sqrt are used: V8 carries its own
// fdlibm, so the numbers are equal on every host that runs this daemon.

/** A stream of reproducible random numbers. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  #spare: number | undefined;

  /** @param labels what the stream is for; any two different lists give independent streams */
  constructor(...labels: readonly (number | string)[]) {
    const text = JSON.stringify(labels);
    this.#a = mix(text, 0x9e3779b9);
    this.#b = mix(text, 0x243f6a88);
    this.#c = mix(text, 0xb7e15162);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** An integer of [0, 2^32). */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number of [0, 1) with 32 random bits. */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A number of [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.fraction();
  }

  /** An integer of [0, bound); bias below 2^-20 for the bounds in use (under 4096 it is under 2^-20). */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  /** A standard normal number (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.fraction() - 1;
      const v = 2 * this.fraction() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * factor;
      return u * factor;
    }
  }

  /** A Gamma(shape, 1) number, shape > 0 (Marsaglia and Tsang 2000; below 1 by the power of a uniform). */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * this.#open() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(this.#open()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Shuffles in place (Fisher and Yates) and returns its argument. */
  shuffle<List extends Uint32Array | number[]>(list: List): List {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = list[i] as number;
      list[i] = list[j] as number;
      list[j] = held;
    }
    return list;
  }

  #open(): number {
    return (this.uint32() + 0.5) / 2 ** 32;
  }
}

/** 32 bits of a text under a salt: multiply-xorshift over its characters. */
function mix(text: string, salt: number): number {
  let hash = salt | 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 15);
}
