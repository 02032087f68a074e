// The learning kernels over rows in their store (table B1 of the learning reference): n rows of d values, one thread, as milliseconds of CPU
// time, because the targets are for one core and this machine may be shared. "plain" is the TypeScript twin in the same run.

import { compileLearningKernels } from "../src/adapters/wasm/learning/instance.ts";
import { KernelThreads } from "../src/adapters/wasm/learning/kernel-threads.ts";
import { WasmRowStore } from "../src/adapters/wasm/learning/row-store.ts";
import { createWasmVectorKernels } from "../src/adapters/wasm/learning/vector-kernels.ts";
import {
  aggregateStored,
  aggregatorNamed,
  CERTIFIED_RULE,
  elementBytes,
  plainKernels,
  PlainRowStore,
  type RowStore,
  type RowStoreOptions,
  SeededRandom,
  STREAM_RULE,
} from "../src/learning/index.ts";
import {
  type BenchOptions,
  type BenchResult,
  measureCpuMs,
  measureMs,
  summarize,
} from "./measure.ts";

type Report = (row: BenchResult) => void;

const SIZES = [20, 100, 850, 1000].flatMap((n) => [10_000, 100_000].map((d) => ({ n, d })));
/** Plain twins are measured up to so many rows times values: beyond, one call takes seconds. */
const PLAIN_MAX = 1_000_000;
/** The rows of all sizes are cut from so many random values: making 10^8 of them would take longer than the bench. */
const POOL = 1 << 20;
const BYTES_MAX = 2 ** 31;

const compiled = compileLearningKernels();
const random = new SeededRandom("bench/learning-kernels", 1);
const pool = {
  float32: new Uint8Array(Float32Array.from({ length: POOL }, () => random.normal()).buffer),
  int8: Uint8Array.from({ length: POOL }, () => random.below(255) - 127),
};

/** Bytes of a row; different slots have different ones. */
function rowBytes({ element, length }: RowStoreOptions, slot: number): Uint8Array {
  const size = elementBytes({ element });
  const start = (slot * 7919 * 16) % (size * (POOL - length));
  return pool[element].subarray(start - (start % size), start - (start % size) + length * size);
}

function fill(store: RowStore, count: number): number[] {
  const slots = Array.from({ length: count }, (_, slot) => slot);
  for (const slot of slots) {
    store.write(slot, 0, rowBytes(store.options, slot));
    store.seal(slot);
  }
  return slots;
}

function open(options: RowStoreOptions, products: "on-arrival" | "at-once"): WasmRowStore {
  const made = WasmRowStore.create(compiled, options, BYTES_MAX, { products });
  if (!made.ok) throw new Error(`${made.code}: ${made.detail ?? ""}`);
  return made.value;
}

/** What only touches the rows once. */
function sums(report: Report, store: RowStore, slots: number[], size: string, o: BenchOptions) {
  const n = slots.length;
  const weights = new Float64Array(n).fill(Math.round(2 ** 24 / n) / 2 ** 24);
  const row = (rule: string, call: () => unknown): void => {
    report(measureCpuMs(`learning/aggregate/${rule}/${size}`, call, o));
  };
  row("weighted-sum", () => store.weightedSum(slots, weights));
  row("median", () => store.trimmedMean(slots, Math.floor((n - 1) / 2)));
  row("trimmed-mean", () => store.trimmedMean(slots, Math.floor(0.3 * n)));
}

function gramRow(report: Report, options: RowStoreOptions, size: string, o: BenchOptions): void {
  const store = open(options, "at-once");
  const slots = fill(store, options.capacity);
  const kind = options.element === "int8" ? "gram-int8" : "gram";
  report(measureCpuMs(`learning/kernel/${kind}/${size}`, () => store.gram(slots), o));
}

/** One more row against all others, and the default rule, beside the other candidate, once all are there. */
function incremental(report: Report, options: RowStoreOptions, size: string, o: BenchOptions) {
  const n = options.capacity;
  const store = open(options, "on-arrival");
  const slots = fill(store, n);
  const bytes = rowBytes(options, n);
  const kind = options.element;
  const replace = () => {
    store.release(n - 1);
    store.write(n - 1, 0, bytes);
    store.seal(n - 1);
  };
  report(measureCpuMs(`learning/kernel/arrival-${kind}/${size}`, replace, o));
  const kernels = createWasmVectorKernels(compiled);
  for (const name of [CERTIFIED_RULE, "arc+nnm+geometric-median"] as const) {
    const rule = aggregatorNamed(name);
    const call = () => aggregateStored(rule, store, slots, Math.floor(0.3 * n), { kernels });
    const as = name === CERTIFIED_RULE ? "default" : name;
    report(measureCpuMs(`learning/aggregate/${as}-at-quorum-${kind}/${size}`, call, o));
  }
}

const STREAM = { element: "int8", length: 10_000, capacity: 1000, step: 2 ** -10 } as const;

/** A full table of 1,000 participants, whose rows are replaced one after the other by chunks of 16 KiB. */
function fullTable(): { readonly store: WasmRowStore; readonly replaceNext: () => void } {
  const store = open(STREAM, "on-arrival");
  fill(store, STREAM.capacity);
  let next = 0;
  const replaceNext = (): void => {
    const slot = next++ % STREAM.capacity;
    const bytes = rowBytes(STREAM, next % 5000);
    store.release(slot);
    for (let at = 0; at < bytes.length; at += 16_384) {
      store.write(slot, at, bytes.subarray(at, at + 16_384));
    }
    store.seal(slot);
  };
  return { store, replaceNext };
}

/** Updates in a second of CPU time of one thread. */
function streaming(report: Report, o: BenchOptions): void {
  const { replaceNext } = fullTable();
  const name = "learning/streaming/int8/n1000-d10000";
  const { p50, p95, p99, ...row } = measureCpuMs(name, replaceNext, o);
  const rate = (ms: number): number => 1000 / ms;
  report({
    ...row,
    unit: "ops/s",
    value: rate(p50),
    p50: rate(p50),
    p95: rate(p95),
    p99: rate(p99),
  });
}

/**
 * The same by the clock, with a step after every 1,000 updates: how many a second one thread sustains; and, when exactly 1,000
 * come a second, how late the table has them and how long a step takes.
 */
function streamingByTheClock(report: Report, o: BenchOptions): void {
  const { store, replaceNext } = fullTable();
  const rule = aggregatorNamed(STREAM_RULE);
  const kernels = createWasmVectorKernels(compiled);
  const slots = Array.from({ length: STREAM.capacity }, (_, slot) => slot);
  const step = (): unknown => aggregateStored(rule, store, slots, 300, { kernels });
  const second = (): void => {
    for (let i = 0; i < 1000; i++) replaceNext();
    step();
  };
  second();
  const rates: number[] = [];
  const count = Math.max(3, Math.round(5 * o.seconds));
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    second();
    rates.push(1_000_000 / (performance.now() - start));
  }
  const name = "learning/streaming/int8/n1000-d10000/wall";
  report(summarize(`${name}/with-steps`, "ops/s", rates));
  const late: number[] = [];
  const steps: number[] = [];
  const start = performance.now();
  for (let i = 0; i < 1000 * count; i++) {
    const dueMs = start + i;
    while (performance.now() < dueMs);
    replaceNext();
    late.push(performance.now() - dueMs);
    if (i % 1000 !== 999) continue;
    const before = performance.now();
    step();
    steps.push(performance.now() - before);
  }
  report(summarize(`${name}/at-1000-a-second/latency`, "ms", late));
  report(summarize(`${name}/at-1000-a-second/step`, "ms", steps));
}

/** Wall time with as many threads as there are cores: on a shared machine that says less. */
async function threaded(report: Report, options: RowStoreOptions, size: string, o: BenchOptions) {
  const store = open(options, "at-once");
  const slots = fill(store, options.capacity);
  const threads = new KernelThreads();
  const name = (kernel: string): string => `learning/threads-${threads.count}/${kernel}/${size}`;
  const middle = Math.floor((slots.length - 1) / 2);
  const median = () => store.trimmedMeanInThreads(threads, slots, middle);
  report(await measureMs(name("gram"), () => store.gramInThreads(threads, slots), o));
  report(await measureMs(name("median"), median, o));
  await threads.stop();
}

/** All rows of the table. */
export async function benchKernels(report: Report, o: BenchOptions): Promise<void> {
  for (const { n, d } of SIZES) {
    const size = `n${n}-d${d}`;
    const float32 = { element: "float32", length: d, capacity: n, step: 1 } as const;
    const int8 = { ...float32, element: "int8", step: 2 ** -10 } as const;
    {
      const store = open(float32, "at-once");
      sums(report, store, fill(store, n), size, o);
    }
    for (const options of [float32, int8]) gramRow(report, options, size, o);
    for (const options of [float32, int8]) incremental(report, options, size, o);
    if (n === 850) await threaded(report, float32, size, o);
    if (n * d <= PLAIN_MAX) plain(report, float32, `${size}/plain`, o);
  }
  streaming(report, o);
  streamingByTheClock(report, o);
}

function plain(report: Report, options: RowStoreOptions, size: string, o: BenchOptions): void {
  const store = new PlainRowStore(options);
  const slots = fill(store, options.capacity);
  sums(report, store, slots, size, o);
  report(measureCpuMs(`learning/kernel/gram/${size}`, () => store.gram(slots), o));
  const rule = aggregatorNamed(CERTIFIED_RULE);
  const f = Math.floor(0.3 * options.capacity);
  const context = { kernels: plainKernels };
  const call = () => aggregateStored(rule, store, slots, f, context);
  report(measureCpuMs(`learning/aggregate/default-with-gram/${size}`, call, o));
}
