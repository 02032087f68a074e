// How well the rules stand liars who know everything: accuracy of the synthetic task under the worst of eight attacks. See
// docs/robustness.md for the task, the slices and what came out.
//   npm run bench -- robustness [--preset quick|targets|full] [--rules a,b] [--heterogeneity iid,dir0.5]
//     [--byzantine 0,30] [--attacks sign-flip,mimic] [--compression int8,none] [--seeds 5] [--table detector|gossip|minority] [--json FILE]
//     [--keep docs/robustness.json]: adds the rows to those kept and makes the tables and the heat-map of the documentation from all
//     of them; with --table documents nothing is measured

import type { AggregatorName, OmniscientAttackName } from "../src/learning/index.ts";
import type { BenchResult, BenchSuite } from "./measure.ts";
import { detection, DETECTION_ROUNDS } from "./robustness/detection.ts";
import { writeDocuments } from "./robustness/documents.ts";
import { gossipTable } from "./robustness/gossip.ts";
import { keep, readKept } from "./robustness/kept.ts";
import { minorityTable } from "./robustness/minority.ts";
import { row, type Slice, sliceOf } from "./robustness/slice.ts";
import { type Heterogeneity, makeTask, NODES } from "./robustness/task.ts";
import { train } from "./robustness/training.ts";
import type { WireSpec } from "./robustness/wire.ts";

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
  readonly compression: WireSpec["kind"];
}

type Report = (result: BenchResult) => void;

/** Shares of liars and of honest nodes named, per cent, by round. */
type Named = Map<string, number[]>;

export const suite: BenchSuite = (report, { slice: options }) => {
  const slice = sliceOf(options);
  if (slice.table === "gossip") gossipTable(report, slice);
  else if (slice.table === "minority") minorityTable(report, slice);
  else accuracyTable(report, slice);
  return Promise.resolve();
};

function accuracyTable(report: Report, slice: Slice): void {
  for (const cell of slice.table === "documents" ? [] : cellsOf(slice)) {
    const { rule, heterogeneity, percent, compression } = cell;
    const name = `robustness/${rule}/${compression}/${heterogeneity}/f${percent}`;
    const attacks = percent === 0 ? (["none"] as const) : slice.attacks;
    const bySeed = attacks.map((attack) => {
      const { accuracies, named } = measure(cell, attack, slice);
      const result = row(`${name}/${attack}`, accuracies);
      if (slice.table === "accuracy") report(result);
      if (slice.keep !== undefined) keep(slice.keep, result);
      for (const [at, shares] of named) report(row(`${name}/${attack}/${at}`, shares));
      return accuracies;
    });
    if (slice.table === "accuracy" && percent > 0) report(row(`${name}/worst`, leastOf(bySeed)));
  }
  if (slice.keep !== undefined) writeDocuments(slice.keep, readKept(slice.keep));
}

function cellsOf(slice: Slice): Cell[] {
  return slice.rules.flatMap((rule) =>
    slice.heterogeneity.flatMap((heterogeneity) =>
      slice.byzantine.flatMap((percent) =>
        slice.compression.map((compression) => ({ rule, heterogeneity, percent, compression })),
      ),
    ),
  );
}

/** One cell under one attack, each seed once. */
function measure(
  cell: Cell,
  attack: OmniscientAttackName | "none",
  { seeds, table, rounds }: Slice,
): { readonly accuracies: readonly number[]; readonly named: Named } {
  const { rule, heterogeneity, percent } = cell;
  const byzantine = nodesOf(percent);
  const { compression: kind } = cell;
  const compression: WireSpec =
    kind === "top-k" || kind === "own-top-k" ? { kind, share: SHARE } : { kind };
  const watched = table === "detector";
  const named: Named = new Map();
  const note = (at: string, share: number) => named.set(at, [...(named.get(at) ?? []), share]);
  const accuracies = Array.from({ length: seeds }, (_, i) => {
    const seed = i + 1;
    const spec = {
      ...{ aggregator: rule, byzantine, attack, compression, seed },
      ...{ momentum: MOMENTUM, learningRate: LEARNING_RATE },
      rounds: watched ? (DETECTION_ROUNDS.at(-1) ?? 0) : rounds,
      assumed: byzantine === 0 ? nodesOf(ASSUMED_PERCENT) : byzantine,
    };
    const task = makeTask(seed, heterogeneity, NODES - byzantine);
    return 100 * train(task, spec, watched ? detection(byzantine, note) : undefined);
  });
  return { accuracies, named };
}

/** For each seed the accuracy under its own worst attack. */
function leastOf(bySeed: readonly (readonly number[])[]): number[] {
  return (bySeed[0] ?? []).map((_, i) => Math.min(...bySeed.map((list) => list[i] ?? 0)));
}

function nodesOf(percent: number): number {
  return Math.round((NODES * percent) / 100);
}
