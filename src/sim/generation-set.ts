// The seen-cache of gossip: which messages a node has had, forgotten by generations instead of one by one.

/** A set of numbers that forgets by generations: an entry lives between one and two half-lives. */
export class GenerationSet {
  readonly #halfLifeMs: number;
  readonly #max: number;
  #young = new Set<number>();
  #old = new Set<number>();
  #turnedAtMs = 0;

  /** At most `2 * max` entries; when the young generation is full it turns early and the oldest go. */
  constructor(halfLifeMs: number, max: number) {
    this.#halfLifeMs = halfLifeMs;
    this.#max = max;
  }

  has(value: number): boolean {
    return this.#young.has(value) || this.#old.has(value);
  }

  /** True when the value was not there; it is afterwards. */
  add(value: number, nowMs: number): boolean {
    const ageMs = nowMs - this.#turnedAtMs;
    if (ageMs >= 2 * this.#halfLifeMs) this.#young.clear();
    if (ageMs >= this.#halfLifeMs) this.#turn(nowMs);
    if (this.has(value)) return false;
    if (this.#young.size >= this.#max) this.#turn(nowMs);
    this.#young.add(value);
    return true;
  }

  #turn(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Set();
    this.#turnedAtMs = nowMs;
  }
}
