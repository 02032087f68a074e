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
import { type KernelCall, makeCalls } from "./calls.ts";
import { LearningInstance } from "./instance.ts";
import type { KernelThreads } from "./kernel-threads.ts";
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

/** Calls, a list for each thread, and where their result will be. */
interface Plan {
  readonly lists: readonly (readonly KernelCall[])[];
  readonly out: number;
}

interface TrimmedPlan extends Plan {
  /** Counts of what was kept: one for each thread. */
  readonly kept: readonly number[];
  readonly n: number;
}

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
  readonly #module: object;
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
  /** Whether threads work in the memory. */
  #isBusy = false;
  /** Inner products of sealed slots, without the step, if rows are multiplied on arrival. */
  readonly #products: Float64Array;

  private constructor(module: object, options: RowStoreOptions, onArrival: boolean) {
    this.options = options;
    this.#onArrival = onArrival;
    this.#module = module;
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
    if (this.#onArrival) return this.#chosenProducts(this.#products, slots);
    const plan = this.#productsPlan(1);
    this.#makeHere(plan);
    return this.#chosenProducts(this.#allProducts(plan.out), slots);
  }

  /**
   * `gram` by threads, of a store that multiplies at once. The store takes chunks meanwhile, and nothing else.
   * @throws MeshError (as a rejection) `learning/threads-failed`
   */
  async gramInThreads(threads: KernelThreads, slots: readonly number[]): Promise<Float64Array> {
    this.#requireSealed(slots);
    assert(!this.#onArrival, "the store multiplies at once");
    const plan = this.#productsPlan(threads.count);
    await this.#makeInThreads(plan, threads);
    return this.#chosenProducts(this.#allProducts(plan.out), slots);
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
    const plan = this.#trimmedPlan(slots, trim, 1);
    this.#makeHere(plan);
    return this.#trimmed(plan);
  }

  /**
   * `trimmedMean` by threads. The store takes chunks meanwhile, and nothing else.
   * @throws MeshError (as a rejection) `learning/threads-failed`
   */
  async trimmedMeanInThreads(
    threads: KernelThreads,
    slots: readonly number[],
    trim: number,
  ): Promise<TrimmedMean> {
    const plan = this.#trimmedPlan(slots, trim, threads.count);
    await this.#makeInThreads(plan, threads);
    return this.#trimmed(plan);
  }

  #makeHere({ lists }: Plan): void {
    for (const calls of lists) makeCalls(this.#instance.exports, calls);
  }

  async #makeInThreads({ lists }: Plan, threads: KernelThreads): Promise<void> {
    this.#isBusy = true;
    try {
      const { memory } = this.#instance;
      await threads.run({ module: this.#module, memory }, lists);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Room for one call, from the start. */
  #freshRoom(): LearningInstance {
    assert(!this.#isBusy, "no threads are at work in the store");
    this.#instance.reset(this.#mark);
    return this.#instance;
  }

  /** Each thread takes every so many fours of rows, through all tiles: each sum is one thread's. */
  #productsPlan(threads: number): Plan {
    const n = this.#padded;
    const instance = this.#freshRoom();
    const out = instance.reserve(8 * n * n);
    instance.float64(out, n * n).fill(0);
    const kernel = this.options.element === "int8" ? "int8Products" : "products";
    const lists = Array.from({ length: threads }, (_, thread) =>
      Array.from(
        { length: this.#tiles },
        (__, tile): KernelCall => [kernel, this.#rowAt(tile, 0), n, 4 * thread, 4 * threads, out],
      ),
    );
    return { lists, out };
  }

  /** Each thread takes every so many tiles, and has room of its own. */
  #trimmedPlan(slots: readonly number[], trim: number, threads: number): TrimmedPlan {
    this.#requireSealed(slots);
    const n = slots.length;
    const isWide = this.options.element === "float32";
    const list = this.#list(slots, 4 * TILE);
    const out = this.#instance.reserve(4 * TILE * this.#tiles);
    const kept: number[] = [];
    const lists = Array.from({ length: threads }, (_, thread) => {
      const counts = this.#instance.reserve(4 * n);
      const room = this.#instance.reserve(selectRoomBytes(n));
      const wide = this.#instance.reserve(isWide ? 0 : 4 * this.#tileBytes);
      kept.push(counts);
      const calls: KernelCall[] = [];
      for (let tile = thread; tile < this.#tiles; tile += threads) {
        const at = this.#rowAt(tile, 0);
        const width = Math.min(TILE, this.options.length - tile * TILE);
        const to = out + 4 * TILE * tile;
        if (!isWide) calls.push(["widened", at, this.#padded, this.options.step, wide]);
        calls.push(["trimmedMean", isWide ? at : wide, list, n, trim, width, room, counts, to]);
      }
      return calls;
    });
    for (const counts of kept) this.#instance.words(counts, n).fill(0);
    return { lists, out, kept, n };
  }

  #trimmed({ out, kept, n }: TrimmedPlan): TrimmedMean {
    const counts = new Float64Array(n);
    for (const address of kept) {
      for (const [i, count] of this.#instance.words(address, n).entries()) {
        counts[i] = (counts[i] as number) + count;
      }
    }
    const vector = this.#instance.float32(out, this.options.length).slice();
    return { vector, kept: sharesOf(counts) };
  }

  /** `G_ij` of the slots, with the step. */
  #chosenProducts(products: Float64Array, slots: readonly number[]): Float64Array {
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
    const out = this.#freshRoom().reserve(8 * count);
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

  /** Inner products of all slots: those at `out`, and with float64 lanes those of rows that need it. */
  #allProducts(out: number): Float64Array {
    const { exports } = this.#instance;
    const n = this.#padded;
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
    const list = this.#freshRoom().reserve(4 * slots.length);
    this.#instance.words(list, slots.length).set(slots.map((slot) => slot * rowBytes));
    return list;
  }

  /** The vector whose tiles `make` leaves at `out`. */
  #collect(out: number, make: (tile: number) => void): Float32Array {
    const vector = new Float32Array(this.options.length);
    for (let tile = 0; tile < this.#tiles; tile++) {
      const width = Math.min(TILE, vector.length - tile * TILE);
      make(this.#rowAt(tile, 0));
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
