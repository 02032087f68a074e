// A node that trains: its own momentum and its own order of points.

import { SeededRandom } from "../../src/learning/index.ts";
import { gradientOf, PARAMETERS } from "./network.ts";
import type { Points } from "./task.ts";

const BATCH = 64;

/** How nodes step. */
export interface Steps {
  readonly seed: number;
  /** Of the workers: velocity <- momentum * velocity + (1 - momentum) * gradient. */
  readonly momentum: number;
  readonly learningRate: number;
}

/** What a node trains on. */
export interface Shard {
  readonly points: Points;
  /** Numbers of its points. */
  readonly shard: Uint32Array;
  /** Labels become `classes - 1 - y`. */
  readonly flipped: boolean;
}

/** One node, over all rounds. */
export class Worker {
  readonly node: number;
  readonly #shard: Shard;
  readonly #steps: Steps;
  readonly #random: SeededRandom;
  readonly #velocity = new Float64Array(PARAMETERS);

  constructor(shard: Shard, steps: Steps, node: number) {
    this.#shard = shard;
    this.#steps = steps;
    this.node = node;
    this.#random = new SeededRandom("bench/robustness/batches", steps.seed, node);
  }

  /** The next update, against the model as it is. */
  update(weights: Float32Array): Float32Array {
    const { momentum, learningRate } = this.#steps;
    const { points, shard, flipped } = this.#shard;
    const batch = Uint32Array.from(
      { length: BATCH },
      () => shard[this.#random.below(shard.length)] as number,
    );
    const gradient = gradientOf(weights, points, batch, flipped);
    const velocity = this.#velocity;
    const update = new Float32Array(PARAMETERS);
    for (let i = 0; i < PARAMETERS; i++) {
      velocity[i] = momentum * (velocity[i] as number) + (1 - momentum) * (gradient[i] as number);
      update[i] = -learningRate * (velocity[i] as number);
    }
    return update;
  }
}
