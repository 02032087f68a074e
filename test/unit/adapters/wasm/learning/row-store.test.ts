// The store in wasm memory against its plain twin: chunks of any size and order, slots used again, both kinds of rows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileLearningKernels } from "../../../../../src/adapters/wasm/learning/instance.ts";
import {
  WasmRowStore,
  type WasmRowStoreOptions,
} from "../../../../../src/adapters/wasm/learning/row-store.ts";
import {
  aggregateStored,
  aggregatorNamed,
  aggregatorNames,
  checkRowStore,
  plainKernels,
  PlainRowStore,
  ROWS_MAX,
  type RowStore,
  type RowStoreOptions,
  SeededRandom,
} from "../../../../../src/learning/index.ts";

const seed = 20_261_121;
const random = new SeededRandom("test/row-store", seed);
const module = compileLearningKernels();
const MEGABYTE = 2 ** 20;

const float32 = (length: number, capacity: number): RowStoreOptions => ({
  element: "float32",
  length,
  capacity,
  step: 1,
});
const int8 = (length: number, capacity: number): RowStoreOptions => ({
  element: "int8",
  length,
  capacity,
  step: 2 ** -7,
});

function open(options: RowStoreOptions, when: WasmRowStoreOptions = {}): WasmRowStore {
  const made = WasmRowStore.create(module, options, 64 * MEGABYTE, when);
  assert.ok(made.ok);
  return made.value;
}

function bytesOf(options: RowStoreOptions, value: () => number): Uint8Array {
  const { element, length } = options;
  if (element === "int8") return Uint8Array.from({ length }, () => random.below(255) - 127);
  return new Uint8Array(Float32Array.from({ length }, value).buffer);
}

/** Writes a row in chunks of random sizes, the last first. */
function fill(stores: readonly RowStore[], slot: number, bytes: Uint8Array): void {
  for (let end = bytes.length; end > 0; ) {
    const size = Math.min(end, 1 + random.below(3000));
    for (const store of stores) store.write(slot, end - size, bytes.subarray(end - size, end));
    end -= size;
  }
  const [one, ...others] = stores.map((store) => store.seal(slot));
  for (const other of others) assert.deepEqual(other, one);
}

/** Whole numbers of 2^-24, some of them none. */
const weightsOf = (n: number): Float64Array =>
  Float64Array.from({ length: n }, () => (random.below(3) * random.below(2 ** 22)) / 2 ** 24);

function compare(fast: RowStore, plain: RowStore, slots: readonly number[]): void {
  const n = slots.length;
  assert.deepEqual(fast.gram(slots), plain.gram(slots));
  const weights = weightsOf(n);
  assert.deepEqual(fast.weightedSum(slots, weights), plain.weightedSum(slots, weights));
  for (const trim of [0, Math.floor((n - 1) / 3), Math.floor((n - 1) / 2)]) {
    assert.deepEqual(fast.trimmedMean(slots, trim), plain.trimmedMean(slots, trim));
  }
}

const values: Record<string, () => number> = {
  ordinary: () => random.normal(),
  "of all magnitudes": () => random.normal() * 2 ** (random.below(240) - 130),
  "of zeros": () => (random.below(2) === 0 ? 0 : -0),
};
for (const products of ["on-arrival", "at-once"] as const) {
  for (const make of [float32, int8]) {
    test(`rows of ${make.name}, multiplied ${products}, give the bits of the plain store (seed ${seed})`, () => {
      for (const [length, capacity] of [
        [1, 1],
        [511, 3],
        [1030, 10],
        [512, 21],
      ] as const) {
        const options = make(length, capacity);
        const stores = [open(options, { products }), new PlainRowStore(options)] as const;
        const kinds = Object.values(values);
        const order = random.shuffle(Array.from({ length: capacity }, (_, i) => i));
        for (const slot of order) fill(stores, slot, bytesOf(options, kinds[slot % 3]!));
        compare(...stores, [...order]);
        // A new row in the place of an old one, and one that is not asked for.
        const again = order[0]!;
        for (const store of stores) store.release(again);
        fill(stores, again, bytesOf(options, kinds[0]!));
        compare(...stores, order.slice(0, Math.max(1, capacity - 2)));
      }
    });
  }
}

test("a row with an infinity, or without some of its bytes, is refused, and its slot is free", () => {
  const options = float32(600, 2);
  for (const store of [open(options), new PlainRowStore(options)]) {
    const row = new Float32Array(600).fill(1);
    row[599] = Number.POSITIVE_INFINITY;
    store.write(1, 0, new Uint8Array(row.buffer));
    const refused = store.seal(1);
    assert.equal(refused.ok ? "" : refused.code, "learning/not-finite");
    row[599] = Number.NaN;
    store.write(1, 0, new Uint8Array(row.buffer));
    const alsoRefused = store.seal(1);
    assert.equal(alsoRefused.ok ? "" : alsoRefused.code, "learning/not-finite");
    store.write(1, 0, new Uint8Array(2399));
    const missing = store.seal(1);
    assert.equal(missing.ok ? "" : missing.code, "learning/wrong-shape");
    store.write(1, 0, new Uint8Array(2400));
    assert.ok(store.seal(1).ok);
  }
});

test("a chunk that leaves its row is refused before a byte of it is written", () => {
  const store = open(float32(600, 2));
  assert.throws(() => store.write(0, 2399, new Uint8Array(2)));
  assert.throws(() => store.write(2, 0, new Uint8Array(1)));
  store.write(0, 2399, new Uint8Array(1));
});

test("a store that needs more than its budget is refused, and one that needs just that is made", () => {
  // 10 rows of two tiles of 512 values, and 100 inner products.
  const options = float32(513, 10);
  const bytes = 10 * 1024 * 4 + 100 * 8;
  const refused = WasmRowStore.create(module, options, bytes - 1);
  assert.equal(refused.ok ? "" : refused.code, "learning/memory-budget");
  assert.ok(WasmRowStore.create(module, options, bytes).ok);
  const beyond = WasmRowStore.create(module, float32(1_100_000, 1000), 2 ** 40);
  assert.equal(beyond.ok ? "" : beyond.code, "learning/memory-budget", "4 GiB are all there is");
  assert.ok(checkRowStore(int8(1, ROWS_MAX), 2 ** 40).ok);
  const tooMany = checkRowStore(int8(1, ROWS_MAX + 1), 2 ** 40);
  assert.equal(tooMany.ok ? "" : tooMany.code, "learning/too-large");
});

test("every rule of the Gram space gives for stored rows what it gives for the same rows as arrays", () => {
  for (const options of [float32(700, 9), int8(700, 9)]) {
    const store = open(options);
    const rows = Array.from({ length: 9 }, (_, slot) => {
      const bytes = bytesOf(options, () => random.normal());
      fill([store], slot, bytes);
      return options.element === "int8"
        ? Float32Array.from(new Int8Array(bytes.buffer), (value) => value * options.step)
        : new Float32Array(bytes.buffer);
    });
    const slots = [...rows.keys()];
    const context = { kernels: plainKernels };
    for (const rule of aggregatorNames.map(aggregatorNamed)) {
      const stored = aggregateStored(rule, store, slots, 2, context);
      if (rule.weigh === undefined) {
        assert.equal(stored.ok ? "" : stored.code, "learning/feature-unavailable");
        continue;
      }
      assert.deepEqual(stored, rule.aggregate(rows, 2, context), rule.name);
      const few = aggregateStored(rule, store, slots.slice(0, rule.minimum(2) - 1), 2, context);
      assert.equal(few.ok ? "" : few.code, "learning/too-few-updates", rule.name);
    }
  }
});

test("sums of as many int8 rows as there may be are exact at their greatest", () => {
  const options = int8(9, ROWS_MAX);
  const store = open({ ...options, capacity: 1000 }, { products: "at-once" });
  const slots = Array.from({ length: 1000 }, (_, slot) => slot);
  for (const slot of slots) fill([store], slot, new Uint8Array(9).fill(slot % 2 === 0 ? 127 : 129));
  const weights = Float64Array.from(slots, (slot) => (slot % 2 === 0 ? 1 : 2 ** -24));
  const exact = (500 * 127 - (500 * 127) / 2 ** 24) * options.step;
  assert.deepEqual([...store.weightedSum(slots, weights)], new Array(9).fill(Math.fround(exact)));
});
