// How well the rules stand liars who know everything: accuracy of the synthetic task under the worst of eight attacks. See
// docs/robustness.md for the task, the slices and what came out.
//   npm run bench -- robustness [--preset quick|targets|full] [--rules a,b] [--heterogeneity iid,dir0.5]
//     [--byzantine 0,30] [--attacks sign-flip,mimic] [--compression int8,none] [--seeds 5] [--json FILE]

import type {
  AggregatorName,
  CompressionSpec,
  OmniscientAttackName,
} from "../src/learning/index.ts";
import { type BenchResult, type BenchSuite, summarize } from "./measure.ts";
import { type Slice, sliceOf } from "./robustness/slice.ts";
import { type Heterogeneity, makeTask, NODES } from "./robustness/task.ts";
import { train } from "./robustness/training.ts";

/** What a rule is told to stand in the column without liars: the default of a task, 30 %. */
const ASSUMED_PERCENT = 30;
const LEARNING_RATE = 1;
const MOMENTUM = 0.9;
/** Share of the coordinates that the sparse updates carry. */
const SHARE = 0.1;

/** One cell of the table. */
interface Cell {
  readonly rule: AggregatorName;
  readonly heterogeneity: Heterogeneity;
  readonly percent: number;
  readonly compression: CompressionSpec["kind"];
}

type Outcome = Map<OmniscientAttackName | "none", number[]>;

export const suite: BenchSuite = (report, { slice: options }) => {
  const slice = sliceOf(options);
  for (const cell of cellsOf(slice)) {
    const outcome: Outcome = new Map();
    for (let seed = 1; seed <= slice.seeds; seed++) measureSeed(cell, slice, seed, outcome);
    const { rule, heterogeneity, percent, compression } = cell;
    const name = `robustness/${rule}/${compression}/${heterogeneity}/f${percent}`;
    for (const [attack, accuracies] of outcome) report(row(`${name}/${attack}`, accuracies));
    if (outcome.size > 1) report(row(`${name}/worst`, worstOfSeeds(outcome)));
  }
  return Promise.resolve();
};

function cellsOf(slice: Slice): Cell[] {
  return slice.rules.flatMap((rule) =>
    slice.heterogeneity.flatMap((heterogeneity) =>
      slice.byzantine.flatMap((percent) =>
        slice.compression.map((compression) => ({ rule, heterogeneity, percent, compression })),
      ),
    ),
  );
}

function measureSeed(cell: Cell, slice: Slice, seed: number, outcome: Outcome): void {
  const { rule, heterogeneity, percent } = cell;
  const byzantine = nodesOf(percent);
  const task = makeTask(seed, heterogeneity, NODES - byzantine);
  const compression: CompressionSpec =
    cell.compression === "top-k" ? { kind: "top-k", share: SHARE } : { kind: cell.compression };
  for (const attack of byzantine === 0 ? (["none"] as const) : slice.attacks) {
    const accuracy = train(task, {
      ...{ aggregator: rule, byzantine, attack, compression, seed, rounds: slice.rounds },
      ...{ momentum: MOMENTUM, learningRate: LEARNING_RATE },
      assumed: byzantine === 0 ? nodesOf(ASSUMED_PERCENT) : byzantine,
    });
    outcome.set(attack, [...(outcome.get(attack) ?? []), 100 * accuracy]);
  }
}

/** For each seed the accuracy under its own worst attack. */
function worstOfSeeds(outcome: Outcome): number[] {
  const [first = []] = outcome.values();
  return first.map((_, i) => Math.min(...[...outcome.values()].map((list) => list[i] ?? 0)));
}

/** The mean over seeds; the quantiles are those of the seeds. */
function row(name: string, accuracies: readonly number[]): BenchResult {
  const value = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
  return { ...summarize(name, "%", accuracies), value };
}

function nodesOf(percent: number): number {
  return Math.round((NODES * percent) / 100);
}
