// What the kernels of compression and of sketches take, in CPU time of one thread, beside their plain twins; and how exact the kernels are (table
// B2 of the learning reference; the digests of B2 are in test/vectors/wasm).

import { compileLearningKernels } from "../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../src/adapters/wasm/learning/vector-kernels.ts";
import { noiseLanes, plainKernels, SeededRandom } from "../src/learning/index.ts";
import { type BenchOptions, type BenchResult, measureCpuMs, summarize } from "./measure.ts";

type Report = (row: BenchResult) => void;

const STEP = 2 ** -7;
const wasm = createWasmVectorKernels(compileLearningKernels());
const random = new SeededRandom("bench/learning-coding", 1);
const noise = noiseLanes(random);
const normalRow = (length: number): Float32Array =>
  Float32Array.from({ length }, () => random.normal());

/** Whole vectors from array to bytes and back, copies into wasm memory included. */
function coding(report: Report, length: number, o: BenchOptions): void {
  const values = normalRow(length);
  for (const [suffix, kernels] of [
    ["", wasm],
    ["/plain", plainKernels],
  ] as const) {
    for (const bits of [8, 4] as const) {
      const bytes = plainKernels.quantised(values, STEP, bits, noise);
      const row = (name: string, call: () => unknown): void => {
        report(measureCpuMs(`learning/kernel/${name}-int${bits}/d${length}${suffix}`, call, o));
      };
      row("quantise", () => kernels.quantised(values, STEP, bits, noise));
      row("dequantise", () => kernels.dequantised(bytes, length, STEP, bits));
    }
  }
}

/** Sketches of all rows of a round, and what the inner products of sketches take then. */
function sketches(report: Report, n: number, length: number, o: BenchOptions): void {
  const pool = normalRow(length + n);
  const rows = Array.from({ length: n }, (_, i) => pool.subarray(i, i + length));
  const size = `n${n}-d${length}`;
  report(measureCpuMs(`learning/kernel/sketch/${size}`, () => wasm.sketched(rows, noise), o));
  const short = wasm.sketched(rows, noise);
  const gram = () => wasm.gram(short);
  report(measureCpuMs(`learning/kernel/gram-of-sketches/${size}`, gram, o));
}

/** Greatest error of what the kernels answer, against sums in float64, in parts of the rows' lengths. */
function exactness(report: Report): void {
  const rows = Array.from({ length: 20 }, () => normalRow(100_000));
  const n = rows.length;
  const products = wasm.gram(rows);
  const distances = wasm.squaredDistances(rows);
  const length = rows.map((row) => Math.sqrt(inner(row, row)));
  let gram = 0;
  let apart = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [a, b] = [rows[i] as Float32Array, rows[j] as Float32Array];
      const scale = (length[i] as number) * (length[j] as number);
      gram = Math.max(gram, Math.abs((products[i * n + j] as number) - inner(a, b)) / scale);
      const wanted = squaredApart(a, b);
      if (i === j) continue;
      apart = Math.max(apart, Math.abs((distances[i * n + j] as number) / wanted - 1));
    }
  }
  report(summarize("learning/exactness/gram", "rel", [gram]));
  report(summarize("learning/exactness/squared-distances", "rel", [apart]));
}

/**
 * The cancellation table: squared distances of models (not of updates) by inner products in float32, as others compute them, and by ours, which
 * see updates; how far off the median one is when updates are so small a part of the model.
 */
function cancellation(report: Report): void {
  const base = normalRow(20_000);
  const baseLength = Math.sqrt(inner(base, base));
  for (const ratio of [1e-2, 1e-3, 1e-4]) {
    const updates = Array.from({ length: 20 }, () => {
      const update = normalRow(base.length);
      const scale = (ratio * baseLength) / Math.sqrt(inner(update, update));
      return update.map((value) => value * scale);
    });
    const models = updates.map((update) => update.map((value, c) => value + (base[c] as number)));
    const errors = (rows: readonly Float32Array[], round: (x: number) => number): number => {
      const gram = wasm.gram(rows).map(round);
      const at = (i: number, j: number): number => gram[i * rows.length + j] as number;
      const off = rows.flatMap((a, i) =>
        rows.slice(i + 1).map((b, k) => {
          const found = round(round(at(i, i) + at(i + 1 + k, i + 1 + k)) - 2 * at(i, i + 1 + k));
          return Math.abs(found / squaredApart(a, b) - 1);
        }),
      );
      return off.sort((a, b) => a - b)[off.length >> 1] as number;
    };
    const name = `learning/exactness/distance-at-update-${ratio}-of-model`;
    report(summarize(`${name}/models-in-float32`, "rel", [errors(models, Math.fround)]));
    report(summarize(`${name}/updates`, "rel", [errors(updates, (value) => value)]));
  }
}

function inner(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] as number) * (b[c] as number);
  return sum;
}

function squaredApart(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += ((a[c] as number) - (b[c] as number)) ** 2;
  return sum;
}

/** All rows. */
export function benchCoding(report: Report, o: BenchOptions): void {
  for (const length of [10_000, 100_000, 1_000_000]) coding(report, length, o);
  sketches(report, 850, 10_000, o);
  sketches(report, 850, 100_000, o);
  exactness(report);
  cancellation(report);
}
