// Gossip without agreement (table B11): every node has a model of its own, pulls those of s random peers each round and aggregates by
// nearest-neighbour mixing with the trimmed mean. How many must it pull? The exact bound, and what training shows around it.

import { compileLearningKernels } from "../../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../../src/adapters/wasm/learning/vector-kernels.ts";
import {
  aggregatorNamed,
  omniscientAttack,
  SeededRandom,
  type VectorKernels,
} from "../../src/learning/index.ts";
import type { BenchResult } from "../measure.ts";
import { type GossipSetting, pullsNeeded, riskOf, toleratedOf } from "./gossip-bound.ts";
import { accuracyOf, initialWeights, PARAMETERS } from "./network.ts";
import { roundKernels } from "./round-kernels.ts";
import { row, type Slice } from "./slice.ts";
import { type Heterogeneity, makeTask } from "./task.ts";
import { Worker } from "./worker.ts";

const NODES = 100;
const ROUNDS = 200;
/** Around the bounds of 10, 20 and 30 %, and everybody. */
const PULLS = [8, 16, 30, 52, 75, NODES - 1] as const;
/** `dissensus` drives each node away from those it pulls (He et al. 2022). */
const ATTACKS = ["sign-flip", "alie", "dissensus"] as const;
type GossipAttack = (typeof ATTACKS)[number] | "none";

/** Sizes of the exact table: of as many nodes, so many per cent lie. */
const BOUNDS = [100, 1000, 10_000].flatMap((nodes) =>
  [10, 20, 30].map((percent) => ({ nodes, percent })),
);

const rule = aggregatorNamed("nearest-neighbour-mixing");
const wasm = createWasmVectorKernels(compileLearningKernels());

type Report = (result: BenchResult) => void;

/** The bound, and the sweep. */
export function gossipTable(report: Report, slice: Slice): void {
  for (const { nodes, percent } of BOUNDS) {
    const setting = { nodes, liars: (nodes * percent) / 100, rounds: ROUNDS };
    for (const share of [0.5, 0.4]) {
      const needed = pullsNeeded(setting, share);
      const name = `robustness/gossip-bound/n${nodes}/f${percent}/below-${share}`;
      if (needed !== undefined) report(row(name, [needed], "pulls"));
    }
  }
  for (const heterogeneity of slice.heterogeneity) {
    for (const percent of slice.byzantine) {
      for (const pulls of PULLS) sweep(report, { heterogeneity, percent, pulls }, slice.seeds);
    }
  }
}

interface Cell {
  readonly heterogeneity: Heterogeneity;
  readonly percent: number;
  readonly pulls: number;
}

function sweep(report: Report, { heterogeneity, percent, pulls }: Cell, seeds: number): void {
  const setting = { nodes: NODES, liars: (NODES * percent) / 100, rounds: ROUNDS };
  const name = `robustness/gossip/n${NODES}/${heterogeneity}/f${percent}/s${pulls}`;
  const majority = Math.ceil((pulls + 1) / 2);
  report(row(`${name}/told`, [toleratedOf(pulls, setting)], "liars"));
  report(row(`${name}/risk`, [100 * riskOf(majority - 1, pulls, setting)]));
  for (const attack of percent === 0 ? (["none"] as const) : ATTACKS) {
    const runs = Array.from({ length: seeds }, (_, i) =>
      gossip({ ...setting, heterogeneity, pulls, attack, seed: i + 1 }),
    );
    report(
      row(
        `${name}/${attack}/accuracy`,
        runs.map((run) => run.mean),
      ),
    );
    report(
      row(
        `${name}/${attack}/accuracy-least`,
        runs.map((run) => run.least),
      ),
    );
    report(
      row(
        `${name}/${attack}/outvoted`,
        runs.map((run) => run.outvoted),
      ),
    );
  }
}

interface Run extends GossipSetting {
  readonly heterogeneity: Heterogeneity;
  readonly pulls: number;
  readonly attack: GossipAttack;
  readonly seed: number;
}

/** Per cent: accuracy of the honest nodes' models, their mean and the least, and in how many pulls liars were half or more. */
function gossip(run: Run) {
  const { nodes, liars, rounds, pulls, attack, seed } = run;
  const task = makeTask(seed, run.heterogeneity, nodes - liars);
  const steps = { seed, momentum: 0.9, learningRate: 1 };
  const workers = task.shards.map(
    (shard, i) => new Worker({ points: task.train, shard, flipped: false }, steps, liars + i),
  );
  const random = new SeededRandom("bench/robustness/gossip", seed);
  const lie = attack === "none" || attack === "dissensus" ? undefined : omniscientAttack(attack);
  const told = toleratedOf(pulls, run);
  let models = workers.map(() => initialWeights(seed));
  let outvoted = 0;
  for (let round = 0; round < rounds; round++) {
    const centre = meanOf(models);
    // Models after the own step, as rows around the honest mean: distances and means are the same wherever the origin is.
    const rows = workers.map((worker, i) => {
      const model = models[i] as Float32Array;
      const update = worker.update(model);
      return model.map((value, c) => value - (centre[c] as number) + (update[c] as number));
    });
    const [sent] = lie?.rows(rows, liars, { aggregate: () => undefined, random }) ?? [];
    const known = roundKernels(rows);
    const kernels: VectorKernels = {
      ...wasm,
      squaredDistances: (received) => known.squaredDistances(received),
    };
    if (sent !== undefined && pulls === nodes - 1) {
      // Who pulls everybody gets what all others get: one result, rows in the order of their nodes.
      const received = [...new Array<Float32Array>(liars).fill(sent), ...rows];
      const agreed = aggregated(received, told, kernels).map(
        (value, c) => value + (centre[c] as number),
      );
      models = models.map(() => agreed);
      continue;
    }
    models = rows.map((own, i) => {
      const drawn = others(random, nodes, liars + i, pulls);
      const honest = drawn
        .filter((node) => node >= liars)
        .map((node) => rows[node - liars] as Float32Array);
      const lies = pulls - honest.length;
      if (2 * lies > pulls) outvoted++;
      const lying = sent ?? away(own, honest, lies);
      const received = [...new Array<Float32Array>(lies).fill(lying), own, ...honest];
      return aggregated(received, told, kernels).map((value, c) => value + (centre[c] as number));
    });
  }
  const accuracies = models.map((model) => 100 * accuracyOf(model, task.test));
  return {
    mean: accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length,
    least: Math.min(...accuracies),
    outvoted: (100 * outvoted) / (rounds * models.length),
  };
}

function aggregated(
  rows: readonly Float32Array[],
  f: number,
  kernels: VectorKernels,
): Float32Array {
  const result = rule.aggregate(rows, f, { kernels });
  if (!result.ok) throw new Error(result.code);
  return result.value.vector;
}

/** `count` peers of a node, at random. */
function others(random: SeededRandom, nodes: number, self: number, count: number): number[] {
  const peers = Array.from({ length: nodes - 1 }, (_, i) => (i < self ? i : i + 1));
  for (let i = 0; i < count; i++) {
    const at = i + random.below(peers.length - i);
    [peers[i], peers[at]] = [peers[at] as number, peers[i] as number];
  }
  return peers.slice(0, count);
}

/** Dissensus: as far on the other side of a node's own row as all honest ones that it pulled are on theirs, shared among the lies. */
function away(own: Float32Array, honest: readonly Float32Array[], lies: number): Float32Array {
  return own.map((value, c) => {
    let apart = 0;
    for (const row of honest) apart += (row[c] as number) - value;
    return value - apart / Math.max(1, lies);
  });
}

function meanOf(models: readonly Float32Array[]): Float32Array {
  const sum = new Float64Array(PARAMETERS);
  for (const model of models) {
    for (let c = 0; c < PARAMETERS; c++) sum[c] = (sum[c] as number) + (model[c] as number);
  }
  return Float32Array.from(sum, (value) => value / models.length);
}
