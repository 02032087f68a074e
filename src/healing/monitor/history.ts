// The last minutes of every observation in a ring of fixed size. What was not measured is a gap, not a zero.

import { type ObservationName, observationNames, type Reading } from "../observation.ts";

/** Five minutes at one reading a second. */
export const HISTORY_READINGS = 300;

export class History {
  readonly #values = new Map<ObservationName, Float64Array>(
    observationNames.map((name) => [name, new Float64Array(HISTORY_READINGS).fill(NaN)]),
  );
  #count = 0;

  add({ values }: Reading): void {
    const at = this.#count % HISTORY_READINGS;
    for (const [name, ring] of this.#values) ring[at] = values[name] ?? NaN;
    this.#count++;
  }

  /** The newest `count` measured values, the oldest first. */
  newest(name: ObservationName, count: number): number[] {
    const ring = this.#values.get(name);
    if (ring === undefined) return [];
    const length = Math.min(count, this.#count, HISTORY_READINGS);
    const values: number[] = [];
    for (let back = length; back >= 1; back--) {
      const value = ring[(this.#count - back) % HISTORY_READINGS];
      if (value !== undefined && !Number.isNaN(value)) values.push(value);
    }
    return values;
  }
}
