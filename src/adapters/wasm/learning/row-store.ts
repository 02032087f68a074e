// Rows in wasm memory, tile-major: [tile][slot][512 values]. Chunks go there as they come, without a copy in between, and every kernel
// finds all rows of a tile side by side (reference 3.4: three times as fast as rows one after the other). The twin is PlainRowStore.

import { assert, ok, type Result, refuse } from "../../../foundation/index.ts";
import {
  checkRowStore,
  elementBytes,
  isOrdinary,
  type LearningErrorCode,
  type RowStore,
  type RowStoreOptions,
  sharesOf,
  TILE,
  type TrimmedMean,
} from "../../../learning/index.ts";
import { LearningInstance } from "./instance.ts";
import { mirrored, paddedRows, selectRoomBytes } from "./layout.ts";

/** From these bits on a float32 is infinite or no number. */
const NOT_FINITE = 0x7f800000;
/** One whole, as the integers that int8 rows are weighted with. */
const WEIGHT_ONE = 2 ** 24;

/** What is known of a slot that is in use. */
type Slot =
  | { readonly state: "filling"; written: number }
  /** `wide` rows need float64 lanes (`isOrdinary`). */
  | { readonly state: "sealed"; readonly wide: boolean };

export interface WasmRowStoreOptions {
  /**
   * When rows are multiplied: each with those before it when it is sealed, or all at once when `gram` is asked for, which takes two
   * thirds of the time in all, but takes it then.
   * @default "on-arrival"
   */
  readonly products?: "on-arrival" | "at-once";
}

export class WasmRowStore implements RowStore {
  readonly options: RowStoreOptions;
  readonly #instance: LearningInstance;
  readonly #onArrival: boolean;
  readonly #slots = new Map<number, Slot>();
  readonly #rowBytes: number;
  readonly #tileBytes: number;
  readonly #tiles: number;
  /** Slots in memory: the capacity in fours. */
  readonly #padded: number;
  readonly #base: number;
  /** Where rooms for one call begin. */
  readonly #mark: number;
  /** Inner products of sealed slots, without the step, if rows are multiplied on arrival. */
  readonly #products: Float64Array;

  private constructor(module: object, options: RowStoreOptions, onArrival: boolean) {
    this.options = options;
    this.#onArrival = onArrival;
    this.#instance = new LearningInstance(module);
    this.#padded = paddedRows(options.capacity);
    this.#rowBytes = TILE * elementBytes(options);
    this.#tileBytes = this.#padded * this.#rowBytes;
    this.#tiles = Math.ceil(options.length / TILE);
    this.#base = this.#instance.reserve(this.#tiles * this.#tileBytes);
    this.#mark = this.#instance.mark;
    this.#products = new Float64Array(onArrival ? this.#padded * this.#padded : 0);
  }

  /**
   * Makes a store. Its memory is the host's only as rows come.
   * @param module what `compileLearningKernels` gave
   * Codes: those of `checkRowStore`; `learning/memory-budget` also when the host gives no more
   */
  static create(
    module: object,
    options: RowStoreOptions,
    bytesMax: number,
    { products = "on-arrival" }: WasmRowStoreOptions = {},
  ): Result<WasmRowStore, LearningErrorCode> {
    const checked = checkRowStore(options, bytesMax);
    if (!checked.ok) return checked;
    try {
      return ok(new WasmRowStore(module, options, products === "on-arrival"));
    } catch (error) {
      if (error instanceof RangeError) return refuse("learning/memory-budget", error.message);
      throw error;
    }
  }

  write(slot: number, offset: number, chunk: Uint8Array): void {
    const { capacity, length } = this.options;
    const end = offset + chunk.length;
    assert(slot >= 0 && slot < capacity, "there is such a slot");
    assert(offset >= 0 && end <= length * elementBytes(this.options), "the chunk is of the row");
    const state = this.#slots.get(slot) ?? { state: "filling", written: 0 };
    assert(state.state === "filling", "the slot takes chunks");
    state.written += chunk.length;
    this.#slots.set(slot, state);
    for (let at = offset; at < end; ) {
      const tile = Math.floor(at / this.#rowBytes);
      const within = at - tile * this.#rowBytes;
      const size = Math.min(end - at, this.#rowBytes - within);
      const part = chunk.subarray(at - offset, at - offset + size);
      this.#instance.bytes(this.#rowAt(tile, slot) + within, size).set(part);
      at += size;
    }
  }

  seal(slot: number): Result<void, LearningErrorCode> {
    const state = this.#slots.get(slot);
    assert(state?.state !== "sealed", "the slot is not sealed");
    this.#slots.delete(slot);
    if (state?.written !== this.options.length * elementBytes(this.options)) {
      return refuse("learning/wrong-shape", "bytes are missing");
    }
    const greatest = this.options.element === "int8" ? 0 : this.#canonical(slot);
    if (greatest >= NOT_FINITE) return refuse("learning/not-finite");
    const wide = !isOrdinary(new Float32Array(Int32Array.of(greatest).buffer)[0] as number);
    this.#slots.set(slot, { state: "sealed", wide });
    if (this.#onArrival) this.#multiply(slot, wide);
    return ok(undefined);
  }

  release(slot: number): void {
    this.#slots.delete(slot);
  }

  gram(slots: readonly number[]): Float64Array {
    this.#requireSealed(slots);
    const products = this.#onArrival ? this.#products : this.#allProducts();
    const unit = this.options.step ** 2;
    const n = slots.length;
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      const line = (slots[i] as number) * this.#padded;
      for (let j = 0; j < n; j++) {
        matrix[i * n + j] = (products[line + (slots[j] as number)] as number) * unit;
      }
    }
    return matrix;
  }

  weightedSum(slots: readonly number[], weights: Float64Array): Float32Array {
    this.#requireSealed(slots);
    const used = slots.flatMap((slot, i) => (weights[i] === 0 ? [] : [{ slot, i }]));
    const n = used.length;
    const list = this.#list(used.map(({ slot }) => slot));
    const own = used.map(({ i }) => weights[i] as number);
    const weightList = this.#instance.reserve(8 * n);
    const sums = this.#instance.reserve(8 * TILE);
    const out = this.#instance.reserve(4 * TILE);
    const { exports } = this.#instance;
    if (this.options.element === "float32") {
      this.#instance.float64(weightList, n).set(own);
      return this.#collect(out, (tile) => {
        exports.weightedSum(tile, list, weightList, n, 1, sums, out);
      });
    }
    const whole = own.map((weight) => weight * WEIGHT_ONE);
    assert(
      whole.every((weight) => Number.isInteger(weight) && Math.abs(weight) <= WEIGHT_ONE),
      "weights of int8 rows are whole numbers of 2^-24, up to 1",
    );
    this.#instance.words(weightList, n).set(whole);
    const unit = this.options.step / WEIGHT_ONE;
    return this.#collect(out, (tile) => {
      exports.int8WeightedSum(tile, list, weightList, n, unit, out);
    });
  }

  trimmedMean(slots: readonly number[], trim: number): TrimmedMean {
    this.#requireSealed(slots);
    const n = slots.length;
    const list = this.#list(slots, 4 * TILE);
    const kept = this.#instance.reserve(4 * n);
    const out = this.#instance.reserve(4 * TILE);
    const room = this.#instance.reserve(selectRoomBytes(n));
    const wide = this.#instance.reserve(this.#wideTileBytes());
    this.#instance.words(kept, n).fill(0);
    const { exports } = this.#instance;
    const vector = this.#collect(out, (tile, width) => {
      const rows = this.#asFloat32(tile, wide);
      exports.trimmedMean(rows, list, n, trim, width, room, kept, out);
    });
    return { vector, kept: sharesOf(Float64Array.from(this.#instance.words(kept, n))) };
  }

  #rowAt(tile: number, slot: number): number {
    return this.#base + tile * this.#tileBytes + slot * this.#rowBytes;
  }

  /** In place; gives the bits of the greatest magnitude. Padding is never written, so it stays zero. */
  #canonical(slot: number): number {
    let greatest = 0;
    for (let tile = 0; tile < this.#tiles; tile++) {
      greatest = Math.max(greatest, this.#instance.exports.canonical(this.#rowAt(tile, slot)));
    }
    return greatest;
  }

  /** The new row against all slots up to the last in use; what that says of others is never asked for. */
  #multiply(slot: number, wide: boolean): void {
    const { exports } = this.#instance;
    const count = paddedRows(Math.max(...this.#slots.keys()) + 1);
    this.#instance.reset(this.#mark);
    const out = this.#instance.reserve(8 * count);
    const sums = this.#instance.float64(out, count).fill(0);
    const kernel =
      this.options.element === "int8" ? exports.int8ProductsAgainst : exports.productsAgainst;
    const against = wide ? exports.wideProductsAgainst : kernel;
    for (let tile = 0; tile < this.#tiles; tile++) {
      against(this.#rowAt(tile, slot), this.#rowAt(tile, 0), count, out);
    }
    if (!wide) this.#multiplyWide(slot, out);
    for (let other = 0; other < count; other++) {
      const product = sums[other] as number;
      this.#products[slot * this.#padded + other] = product;
      this.#products[other * this.#padded + slot] = product;
    }
  }

  /** The products of an ordinary row with those that are not, again with float64 lanes, into their places from `out` on. */
  #multiplyWide(slot: number, out: number): void {
    for (const [other, state] of this.#slots) {
      if (state.state !== "sealed" || !state.wide) continue;
      this.#instance.float64(out + 8 * other, 1).fill(0);
      for (let tile = 0; tile < this.#tiles; tile++) {
        const rows = [this.#rowAt(tile, slot), this.#rowAt(tile, other)] as const;
        this.#instance.exports.wideProductsAgainst(...rows, 1, out + 8 * other);
      }
    }
  }

  /** Inner products of all slots. */
  #allProducts(): Float64Array {
    const { exports } = this.#instance;
    const n = this.#padded;
    this.#instance.reset(this.#mark);
    const out = this.#instance.reserve(8 * n * n);
    this.#instance.float64(out, n * n).fill(0);
    const kernel = this.options.element === "int8" ? exports.int8Products : exports.products;
    for (let tile = 0; tile < this.#tiles; tile++) kernel(this.#rowAt(tile, 0), n, 0, 4, out);
    const matrix = mirrored(this.#instance.float64(out, n * n), n, (i, j) => i * n + j);
    for (const [slot, state] of this.#slots) {
      if (state.state !== "sealed" || !state.wide) continue;
      const sums = this.#instance.float64(out, n).fill(0);
      for (let tile = 0; tile < this.#tiles; tile++) {
        exports.wideProductsAgainst(this.#rowAt(tile, slot), this.#rowAt(tile, 0), n, out);
      }
      for (let other = 0; other < n; other++) {
        matrix[slot * n + other] = matrix[other * n + slot] = sums[other] as number;
      }
    }
    return matrix;
  }

  /** A list of rows in a tile whose rows have so many bytes, at the start of this call's room. */
  #list(slots: readonly number[], rowBytes = this.#rowBytes): number {
    this.#instance.reset(this.#mark);
    const list = this.#instance.reserve(4 * slots.length);
    this.#instance.words(list, slots.length).set(slots.map((slot) => slot * rowBytes));
    return list;
  }

  #wideTileBytes(): number {
    return this.options.element === "int8" ? 4 * this.#tileBytes : 0;
  }

  /** The tile as float32 rows: where it lies, or widened at `room`. */
  #asFloat32(tile: number, room: number): number {
    if (this.options.element === "float32") return tile;
    this.#instance.exports.widened(tile, this.#padded, this.options.step, room);
    return room;
  }

  /** The vector whose tiles `make` leaves at `out`. */
  #collect(out: number, make: (tile: number, width: number) => void): Float32Array {
    const vector = new Float32Array(this.options.length);
    for (let tile = 0; tile < this.#tiles; tile++) {
      const width = Math.min(TILE, vector.length - tile * TILE);
      make(this.#rowAt(tile, 0), width);
      vector.set(this.#instance.float32(out, width), tile * TILE);
    }
    return vector;
  }

  #requireSealed(slots: readonly number[]): void {
    for (const slot of slots) {
      assert(this.#slots.get(slot)?.state === "sealed", "the slot is sealed");
    }
  }
}
