// Nearest neighbours by an exact scan: the vectors of all kept incidents stand in one array, row after row. Ten thousand rows
// of 32 numbers are read in half a millisecond, so there is nothing for an approximate index to win (docs/design-notes.md).

import { assert } from "../../foundation/index.ts";

/** Rows that there is room for at first; doubled when they are used up. */
const ROWS_AT_FIRST = 64;

/** A row and its squared Euclidean distance from what was asked for. */
export interface Neighbour {
  readonly id: string;
  readonly distance: number;
}

/** Vectors by id. Whoever fills it bounds it. */
export class VectorIndex {
  readonly #dimensions: number;
  readonly #ids: string[] = [];
  readonly #rowOf = new Map<string, number>();
  #values: Float32Array;

  constructor(dimensions: number) {
    this.#dimensions = dimensions;
    this.#values = new Float32Array(ROWS_AT_FIRST * dimensions);
  }

  get size(): number {
    return this.#ids.length;
  }

  /** Adds a vector, or puts it in the place of the one before. */
  set(id: string, vector: Float32Array): void {
    assert(vector.length === this.#dimensions, "a vector has the index's dimensions");
    let row = this.#rowOf.get(id);
    if (row === undefined) {
      row = this.#ids.push(id) - 1;
      this.#rowOf.set(id, row);
      this.#makeRoom();
    }
    this.#values.set(vector, row * this.#dimensions);
  }

  /** The last row moves into the gap. */
  delete(id: string): void {
    const row = this.#rowOf.get(id);
    const last = this.#ids.length - 1;
    const moved = this.#ids[last];
    if (row === undefined || moved === undefined) return;
    const dimensions = this.#dimensions;
    this.#values.copyWithin(row * dimensions, last * dimensions, (last + 1) * dimensions);
    this.#ids[row] = moved;
    this.#rowOf.set(moved, row);
    this.#ids.pop();
    this.#rowOf.delete(id);
  }

  /** The `count` nearest, the nearest first; of equally near ones the smaller id. */
  nearest(vector: Float32Array, count: number): Neighbour[] {
    assert(vector.length === this.#dimensions, "a vector has the index's dimensions");
    const best: Neighbour[] = [];
    for (const [row, id] of this.#ids.entries()) {
      const distance = this.#distance(vector, row);
      const worst = best.at(-1);
      const isFull = best.length >= count;
      if (isFull && worst !== undefined && !isNearer({ id, distance }, worst)) continue;
      if (isFull) best.pop();
      const at = best.findIndex((other) => isNearer({ id, distance }, other));
      best.splice(at === -1 ? best.length : at, 0, { id, distance });
    }
    return best.slice(0, count);
  }

  #distance(vector: Float32Array, row: number): number {
    const start = row * this.#dimensions;
    let sum = 0;
    for (let at = 0; at < this.#dimensions; at++) {
      const difference = (vector[at] ?? 0) - (this.#values[start + at] ?? 0);
      sum += difference * difference;
    }
    return sum;
  }

  #makeRoom(): void {
    if (this.#ids.length * this.#dimensions <= this.#values.length) return;
    const wider = new Float32Array(2 * this.#values.length);
    wider.set(this.#values);
    this.#values = wider;
  }
}

function isNearer(one: Neighbour, other: Neighbour): boolean {
  return one.distance < other.distance || (one.distance === other.distance && one.id < other.id);
}
