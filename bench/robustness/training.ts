// One training run under one attack: twenty nodes with momentum of their own, of which the first few lie together.

import {
  AggregationLadder,
  type Aggregate,
  type AggregatorName,
  omniscientAttack,
  type OmniscientAttackName,
  SeededRandom,
} from "../../src/learning/index.ts";
import { accuracyOf, initialWeights, PARAMETERS } from "./network.ts";
import { roundKernels } from "./round-kernels.ts";
import { NODES, type SyntheticTask } from "./task.ts";
import { Wire, type WireSpec } from "./wire.ts";
import { type Steps, Worker } from "./worker.ts";

/** What to train, and against whom. */
export interface RunSpec extends Steps {
  readonly aggregator: AggregatorName;
  /** Liars: the nodes with the lowest ids, whom ties favour. */
  readonly byzantine: number;
  /** How many the rule is told to stand: also without any liars. */
  readonly assumed: number;
  readonly attack: OmniscientAttackName | "none";
  readonly compression: WireSpec;
  readonly rounds: number;
}

/** Sees each round's aggregate; its rows are those that passed the gate, the liars' first. */
export type RoundObserver = (round: number, liars: number, aggregate: Aggregate) => void;

/** Trains, and gives the accuracy on the test points after the last round. */
export function train(task: SyntheticTask, spec: RunSpec, observe?: RoundObserver): number {
  const { aggregator, byzantine, seed } = spec;
  const attack = spec.attack === "none" ? undefined : omniscientAttack(spec.attack);
  const flipped = attack?.flags.flipsLabels === true;
  const ladder = new AggregationLadder({ aggregator, byzantine: spec.assumed });
  const wire = new Wire(spec.compression);
  const random = new SeededRandom("bench/robustness/attack", seed);
  const weights = initialWeights(seed);
  // Liars who train do so on the points of honest nodes.
  const workers = Array.from({ length: NODES }, (_, node) => {
    const lies = node < byzantine;
    const shard = task.shards[lies ? node : node - byzantine] as Uint32Array;
    return new Worker({ points: task.train, shard, flipped: flipped && lies }, spec, node);
  });
  let arrived: Float32Array[] = [];
  for (let round = 0; round < spec.rounds; round++) {
    wire.begin(round, arrived);
    const trained = (worker: Worker): Float32Array =>
      wire.honest(worker.update(weights), worker.node);
    const honest = workers.slice(byzantine).map(trained);
    const kernels = roundKernels(honest);
    const gated = (rows: readonly Float32Array[]): Float32Array[] => [
      ...rows.flatMap((row) => wire.liar(row) ?? []),
      ...honest,
    ];
    const aggregate = (rows: readonly Float32Array[]) => ladder.aggregate(gated(rows), { kernels });
    const vectorOf = (rows: readonly Float32Array[]): Float32Array | undefined => {
      const result = aggregate(rows);
      return "aggregate" in result ? result.aggregate.vector : undefined;
    };
    const lies =
      attack === undefined || flipped
        ? workers.slice(0, byzantine).map((worker) => worker.update(weights))
        : attack.rows(honest, byzantine, { aggregate: vectorOf, random });
    arrived = gated(lies);
    const result = aggregate(lies);
    if (!("aggregate" in result)) continue;
    observe?.(round, arrived.length - honest.length, result.aggregate);
    const { vector } = result.aggregate;
    for (let i = 0; i < PARAMETERS; i++)
      weights[i] = (weights[i] as number) + (vector[i] as number);
  }
  return accuracyOf(weights, task.test);
}
