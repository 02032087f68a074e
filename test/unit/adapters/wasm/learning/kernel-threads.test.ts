// Threads in a store's memory: the same bits whatever their number, and what happens when one ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compileLearningKernels } from "../../../../../src/adapters/wasm/learning/instance.ts";
import {
  KernelThreads,
  type KernelWorker,
} from "../../../../../src/adapters/wasm/learning/kernel-threads.ts";
import { WasmRowStore } from "../../../../../src/adapters/wasm/learning/row-store.ts";
import { SeededRandom } from "../../../../../src/learning/index.ts";

const ROWS = 23;
const slots = Array.from({ length: ROWS }, (_, slot) => slot);

/** Six tiles of rows, some of which need float64 lanes. */
function filled(element: "float32" | "int8"): WasmRowStore {
  const random = new SeededRandom("test/kernel-threads", element);
  const step = element === "int8" ? 2 ** -9 : 1;
  const options = { element, length: 2900, capacity: ROWS, step };
  const made = WasmRowStore.create(compileLearningKernels(), options, 2 ** 24, {
    products: "at-once",
  });
  assert.ok(made.ok);
  for (const slot of slots) {
    const value = (): number => random.normal() * (slot % 7 === 0 ? 2 ** 60 : 1);
    const row =
      element === "int8"
        ? Uint8Array.from({ length: 2900 }, () => random.below(255) - 127)
        : new Uint8Array(Float32Array.from({ length: 2900 }, value).buffer);
    made.value.write(slot, 0, row);
    assert.ok(made.value.seal(slot).ok);
  }
  return made.value;
}

for (const element of ["float32", "int8"] as const) {
  test(`one, two and three threads give for ${element} rows the bits that none give`, async () => {
    const store = filled(element);
    for (const count of [1, 2, 3]) {
      const threads = new KernelThreads({ count });
      try {
        assert.deepEqual(await store.gramInThreads(threads, slots), store.gram(slots));
        for (const trim of [0, 7, 11]) {
          const found = await store.trimmedMeanInThreads(threads, slots, trim);
          assert.deepEqual(found, store.trimmedMean(slots, trim), `${count} threads, ${trim}`);
        }
      } finally {
        await threads.stop();
      }
    }
  });
}

test("a thread that ends fails its request alone: the next one begins new threads", async () => {
  const store = filled("float32");
  let started = 0;
  let end: () => void = () => assert.fail("no thread listens");
  const silent = (): KernelWorker => ({
    on(event: string, listener: (error?: unknown) => void) {
      if (event === "exit") end = listener;
    },
    postMessage: () => started++,
    terminate: () => Promise.resolve(),
  });
  const threads = new KernelThreads({ count: 2, start: silent });
  for (const starts of [2, 4]) {
    const pending = store.trimmedMeanInThreads(threads, slots, 3);
    assert.equal(started, starts);
    assert.throws(() => store.trimmedMean(slots, 3), "the memory is in use");
    end();
    await assert.rejects(pending, { code: "learning/threads-failed" });
  }
  assert.equal(store.trimmedMean(slots, 3).vector.length, 2900);
  await threads.stop();
});

test("stop ends the request under way", async () => {
  const store = filled("float32");
  const threads = new KernelThreads({ count: 1 });
  const pending = store.gramInThreads(threads, slots);
  await Promise.all([threads.stop(), assert.rejects(pending, { code: "learning/threads-failed" })]);
});
