// Aggregation of 20 updates of 10,000 parameters by every rule, beside the plain ways to write the same rule (sort each
// column; sum the neighbours of each row in a row of arrays), the embedded training, and the kernels at sizes of large meshes.

import { compileLearningKernels } from "../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../src/adapters/wasm/learning/vector-kernels.ts";
import {
  aggregatorNamed,
  aggregatorNames,
  drain,
  freshMomentum,
  generateGlyphs,
  mlpModel,
  SeededRandom,
  trainSteps,
} from "../src/learning/index.ts";
import { benchCoding } from "./learning-coding.ts";
import { benchKernels } from "./learning-kernels.ts";
import { benchStream } from "./learning-stream.ts";
import { type BenchSuite, measureMs } from "./measure.ts";

const ROWS = 20;
const LENGTH = 10_000;
const LIARS = 6;

export const suite: BenchSuite = async (report, options) => {
  const random = new SeededRandom("bench/learning", 1);
  const rows = Array.from({ length: ROWS }, () =>
    Float32Array.from({ length: LENGTH }, () => random.normal()),
  );
  const kernels = createWasmVectorKernels(compileLearningKernels());
  for (const name of aggregatorNames) {
    const rule = aggregatorNamed(name);
    const call = () => rule.aggregate(rows, LIARS, { kernels });
    report(await measureMs(`learning/rule/${name}/n20-d10000`, call, options));
  }
  const naive = [
    ["median", () => columnSort(rows, Math.floor((ROWS - 1) / 2))],
    ["trimmed-mean", () => columnSort(rows, LIARS)],
    ["nearest-neighbour-mixing", () => columnSort(naiveMixing(rows, LIARS), LIARS)],
  ] as const;
  for (const [name, call] of naive) {
    report(await measureMs(`learning/rule/${name}/n20-d10000/naive`, call, options));
  }
  const { train } = generateGlyphs({ seed: 1, trainSamples: 600, testSamples: 10 });
  const model = mlpModel(144, 32, 10);
  const weights = model.init(1);
  const state = freshMomentum(model.spec);
  const trainer = { steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 };
  const round = () => drain(trainSteps(model, weights, train, trainer, state, 1));
  report(await measureMs("learning/train/mlp-144-32-10/60-batches", round, options));
  await benchStream(report, options);
  benchCoding(report, options);
  await benchKernels(report, options);
};

/** The textbook way: gather a column, sort it, average its middle. */
function columnSort(rows: readonly (readonly number[] | Float32Array)[], trim: number): number[] {
  return Array.from({ length: LENGTH }, (_, c) => {
    const column = rows.map((row) => row[c] ?? 0).sort((a, b) => a - b);
    const middle = column.slice(trim, ROWS - trim);
    return middle.reduce((a, b) => a + b, 0) / middle.length;
  });
}

function naiveMixing(rows: readonly Float32Array[], liars: number): number[][] {
  return rows.map((row) => {
    const distance = (other: Float32Array): number =>
      other.reduce((sum, value, c) => sum + (value - (row[c] ?? 0)) ** 2, 0);
    const nearest = rows
      .map((other) => ({ other, distance: distance(other) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, ROWS - liars);
    return Array.from(
      row,
      (_, c) => nearest.reduce((sum, n) => sum + (n.other[c] ?? 0), 0) / nearest.length,
    );
  });
}
