// Where the updates of a round lie while they come in and until they are aggregated: one slot a participant, filled by chunks as they arrive
// from the network, and multiplied with the rows before it when it is whole, so that at the quorum only arithmetic on n x n numbers and
// one weighted sum are left (reference 3.4). A new update of a participant goes to a free slot, and replaces the old one when it is whole.

import { assert, ok, type Result, refuse } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import { allFinite, clearNegativeZeros } from "../tensors/model-spec.ts";
import { ROWS_MAX, TILE } from "./layout.ts";
import { gram } from "./pairs.ts";
import { type TrimmedMean, trimmedMean } from "./select.ts";
import { weightedSum } from "./sums.ts";

export interface RowStoreOptions {
  /** What a row's bytes are: float32, little-endian, or signed bytes that count `step`. */
  readonly element: "float32" | "int8";
  /** Values of a row. */
  readonly length: number;
  /** Slots: at most {@link ROWS_MAX}. */
  readonly capacity: number;
  /** What one unit of an int8 row is worth: a power of two. 1 for float32. */
  readonly step: number;
}

/** Rows of one round. Slots count from 0; lists of slots name sealed ones, in the canonical order of the rows. */
export interface RowStore {
  readonly options: RowStoreOptions;
  /** Takes a chunk of a row that is not sealed, to `offset` bytes from its start; each byte of a row comes once, in any order. */
  write(slot: number, offset: number, chunk: Uint8Array): void;
  /**
   * Ends a row, which is then multiplied with the others.
   * Codes: `learning/wrong-shape` (bytes are missing), `learning/not-finite`; the slot is free again then.
   */
  seal(slot: number): Result<void, LearningErrorCode>;
  /** Frees a slot, sealed or not. */
  release(slot: number): void;
  /** Inner products, row-major n x n. */
  gram(slots: readonly number[]): Float64Array;
  /** `VectorKernels.weightedSum`; for int8 rows weights are whole numbers of 2^-24 up to 1. */
  weightedSum(slots: readonly number[], weights: Float64Array): Float32Array;
  /** `VectorKernels.trimmedMean`. */
  trimmedMean(slots: readonly number[], trim: number): TrimmedMean;
}

/** Bytes of one value. */
export function elementBytes({ element }: Pick<RowStoreOptions, "element">): number {
  return element === "float32" ? 4 : 1;
}

/** Bytes that a store of these options takes: its rows, in whole tiles, and their inner products. */
export function rowStoreBytes(options: RowStoreOptions): number {
  const { length, capacity } = options;
  const padded = Math.ceil(length / TILE) * TILE;
  return capacity * padded * elementBytes(options) + 8 * capacity * capacity;
}

/**
 * Whether a store may be made.
 * @param bytesMax the budget of memory
 * Codes: `learning/memory-budget`, `learning/too-large` (more slots than the kernels can sum)
 */
export function checkRowStore(
  options: RowStoreOptions,
  bytesMax: number,
): Result<RowStoreOptions, LearningErrorCode> {
  if (options.capacity > ROWS_MAX) return refuse("learning/too-large", `over ${ROWS_MAX} rows`);
  const bytes = rowStoreBytes(options);
  return bytes <= bytesMax
    ? ok(options)
    : refuse("learning/memory-budget", `${bytes} bytes needed, ${bytesMax} allowed`);
}

/** A row that is coming in. */
interface Filling {
  readonly bytes: Uint8Array<ArrayBuffer>;
  written: number;
}

/** A store in plain TypeScript: twin of that in wasm memory, and what stands in for it. */
export class PlainRowStore implements RowStore {
  readonly options: RowStoreOptions;
  readonly #filling = new Map<number, Filling>();
  readonly #rows = new Map<number, Float32Array>();

  /** @param options as `checkRowStore` let them pass */
  constructor(options: RowStoreOptions) {
    this.options = options;
  }

  write(slot: number, offset: number, chunk: Uint8Array): void {
    assert(!this.#rows.has(slot) && slot < this.options.capacity, "the slot takes chunks");
    let filling = this.#filling.get(slot);
    if (filling === undefined) {
      const bytes = new Uint8Array(this.options.length * elementBytes(this.options));
      filling = { bytes, written: 0 };
      this.#filling.set(slot, filling);
    }
    filling.bytes.set(chunk, offset);
    filling.written += chunk.length;
  }

  seal(slot: number): Result<void, LearningErrorCode> {
    const filling = this.#filling.get(slot);
    this.#filling.delete(slot);
    if (filling?.written !== this.options.length * elementBytes(this.options)) {
      return refuse("learning/wrong-shape", "bytes are missing");
    }
    const row = this.#rowOf(filling.bytes);
    if (!allFinite(row)) return refuse("learning/not-finite");
    clearNegativeZeros(row);
    this.#rows.set(slot, row);
    return ok(undefined);
  }

  release(slot: number): void {
    this.#filling.delete(slot);
    this.#rows.delete(slot);
  }

  gram(slots: readonly number[]): Float64Array {
    return gram(this.#chosen(slots));
  }

  weightedSum(slots: readonly number[], weights: Float64Array): Float32Array {
    return weightedSum(this.#chosen(slots), weights);
  }

  trimmedMean(slots: readonly number[], trim: number): TrimmedMean {
    return trimmedMean(this.#chosen(slots), trim);
  }

  #rowOf({ buffer }: Uint8Array<ArrayBuffer>): Float32Array {
    const { element, step } = this.options;
    return element === "float32"
      ? new Float32Array(buffer)
      : Float32Array.from(new Int8Array(buffer), (value) => value * step);
  }

  #chosen(slots: readonly number[]): Float32Array[] {
    return slots.map((slot) => {
      const row = this.#rows.get(slot);
      assert(row !== undefined, "the slot is sealed");
      return row;
    });
  }
}
