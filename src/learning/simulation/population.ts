// The participants of a simulated task: their samples, their momentum, and what the liars among them do.

import { MeshError } from "../../foundation/index.ts";
import { attackUpdate, flipLabels } from "../attacks/attacks.ts";
import type { LearningErrorCode } from "../codes.ts";
import { type Dataset, selectSamples, type SplitDataset } from "../data/dataset.ts";
import { splitByDirichlet } from "../data/dirichlet.ts";
import { allFinite } from "../tensors/model-spec.ts";
import type { TaskManifest } from "../task.ts";
import { taskModel } from "../trainer/learner.ts";
import {
  type Classifier,
  drain,
  type Evaluation,
  evaluateSteps,
  freshMomentum,
  type MomentumState,
  type TrainOptions,
  trainSteps,
} from "../trainer/trainer.ts";
import type { SimulationReport } from "./report.ts";

/** Up to so many participants train as the task says; more take one batch a round. */
const TRAINED_MAX = 64;
/** With one batch instead of many, steps are this many times as long (at most as many times as batches were left out). */
const ONE_BATCH_GAIN = 4;

export interface PopulationOptions {
  readonly task: TaskManifest;
  readonly data: SplitDataset;
  /** By index. */
  readonly isLiar: (participant: number) => boolean;
  readonly learners?: SimulationReport["learners"];
}

/** Trains for all, one at a time. */
export class Population {
  readonly model: Classifier;
  readonly learners: SimulationReport["learners"];
  readonly #task: TaskManifest;
  readonly #test: Dataset;
  readonly #shards: readonly Dataset[];
  readonly #momentum: readonly MomentumState[];
  readonly #trainer: TrainOptions;

  /** @throws MeshError `learning/feature-unavailable` for a task that cannot be simulated, `learning/bad-data` */
  constructor({ task, data, isLiar, learners }: PopulationOptions) {
    const { trainer, data: source } = task;
    if (trainer.kind !== "embedded" || !("dirichletAlpha" in source)) {
      throw new MeshError<LearningErrorCode>(
        "learning/feature-unavailable",
        `Cannot simulate a task with trainer '${trainer.kind}' and data '${source.kind}': only the embedded trainer on ` +
          "glyphs or a CSV file runs in the simulator. Change the task.",
      );
    }
    const count = task.participants.length;
    this.#task = task;
    this.model = taskModel(task);
    this.learners = learners ?? (count <= TRAINED_MAX ? "trained" : "one-batch");
    const gain = Math.min(ONE_BATCH_GAIN, trainer.steps);
    this.#trainer =
      this.learners === "trained"
        ? trainer
        : { ...trainer, steps: 1, learningRate: gain * trainer.learningRate };
    const { labels, classes } = data.train;
    const { dirichletAlpha: alpha, seed } = source;
    this.#shards = splitByDirichlet({ labels, classes, nodes: count, alpha, seed }).map(
      (indices, i) => {
        const shard = selectSamples(data.train, indices);
        const flips = isLiar(i) && task.attack === "label-flip";
        return flips ? { ...shard, labels: flipLabels(shard.labels, classes) } : shard;
      },
    );
    this.#momentum = task.participants.map(() => freshMomentum(this.model.spec));
    this.#test = data.test;
  }

  initialWeights(): Float32Array {
    return this.model.init(this.#task.seed);
  }

  /**
   * The honest update of a participant and its mean loss; training that left the finite numbers counts as no change.
   * @param rate factor on the trainer's learning rate
   */
  train(
    participant: number,
    round: number,
    weights: Float32Array,
    rate: number,
  ): { readonly row: Float32Array; readonly loss: number } {
    const { seed, participants } = this.#task;
    const steps = trainSteps(
      this.model,
      weights,
      this.#shards[participant] as Dataset,
      { ...this.#trainer, learningRate: rate * this.#trainer.learningRate },
      this.#momentum[participant] as MomentumState,
      ...[seed, round, participants[participant] ?? ""],
    );
    const { weights: trained, loss } = drain(steps);
    const row = trained.map((value, i) => value - (weights[i] as number));
    return { row: allFinite(row) ? row : row.fill(0), loss: loss ?? 0 };
  }

  /** What a liar sends instead. */
  attack(participant: number, round: number, row: Float32Array): Float32Array {
    const { attack, seed, participants } = this.#task;
    return attackUpdate(attack, row, seed, round, participants[participant] ?? "");
  }

  evaluate(weights: Float32Array): Evaluation {
    return drain(evaluateSteps(this.model, weights, this.#test));
  }
}
