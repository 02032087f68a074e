// One training run under one attack: twenty nodes with momentum of their own, of which the first few lie together.

import {
  AggregationLadder,
  type Aggregate,
  type AggregatorName,
  allFinite,
  type CompressionSpec,
  omniscientAttack,
  type OmniscientAttackName,
  SeededRandom,
} from "../../src/learning/index.ts";
import { accuracyOf, gradientOf, initialWeights, PARAMETERS } from "./network.ts";
import { roundKernels } from "./round-kernels.ts";
import { NODES, type SyntheticTask } from "./task.ts";
import { Wire } from "./wire.ts";

const BATCH = 64;

/** What to train, and against whom. */
export interface RunSpec {
  readonly aggregator: AggregatorName;
  /** Liars: the nodes with the lowest ids, whom ties favour. */
  readonly byzantine: number;
  /** How many the rule is told to stand: also without any liars. */
  readonly assumed: number;
  readonly attack: OmniscientAttackName | "none";
  readonly compression: CompressionSpec;
  readonly seed: number;
  readonly rounds: number;
  /** Of the workers: velocity <- momentum * velocity + (1 - momentum) * gradient. */
  readonly momentum: number;
  readonly learningRate: number;
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
    return new Worker(task, shard, flipped && lies, spec, node);
  });
  let arrived: Float32Array[] = [];
  for (let round = 0; round < spec.rounds; round++) {
    wire.begin(round, arrived);
    const trained = (worker: Worker): Float32Array =>
      wire.honest(worker.update(weights), worker.node);
    const honest = workers.slice(byzantine).map(trained);
    const kernels = roundKernels(honest);
    const gated = (rows: readonly Float32Array[]): Float32Array[] => [
      ...rows.filter(allFinite).map((row) => wire.liar(row)),
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

/** A node's own momentum and its order of points. */
class Worker {
  readonly node: number;
  readonly #task: SyntheticTask;
  readonly #shard: Uint32Array;
  readonly #flipped: boolean;
  readonly #spec: RunSpec;
  readonly #random: SeededRandom;
  readonly #velocity = new Float64Array(PARAMETERS);

  constructor(
    task: SyntheticTask,
    shard: Uint32Array,
    flipped: boolean,
    spec: RunSpec,
    node: number,
  ) {
    this.#task = task;
    this.#shard = shard;
    this.#flipped = flipped;
    this.#spec = spec;
    this.node = node;
    this.#random = new SeededRandom("bench/robustness/batches", spec.seed, node);
  }

  /** The next update, against the model as it is. */
  update(weights: Float32Array): Float32Array {
    const { momentum, learningRate } = this.#spec;
    const shard = this.#shard;
    const batch = Uint32Array.from(
      { length: BATCH },
      () => shard[this.#random.below(shard.length)] as number,
    );
    const gradient = gradientOf(weights, this.#task.train, batch, this.#flipped);
    const velocity = this.#velocity;
    const update = new Float32Array(PARAMETERS);
    for (let i = 0; i < PARAMETERS; i++) {
      velocity[i] = momentum * (velocity[i] as number) + (1 - momentum) * (gradient[i] as number);
      update[i] = -learningRate * (velocity[i] as number);
    }
    return update;
  }
}
