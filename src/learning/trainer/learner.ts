// One participant's embedded trainer: the model and the data of a task, this node's share of the samples, its momentum.
// Every node derives the same split from the manifest, so no sample is handed around.

import { assert, MeshError } from "../../foundation/index.ts";
import { flipLabels } from "../attacks/attacks.ts";
import { parseCsv, splitTrainTest } from "../data/csv.ts";
import { type Dataset, selectSamples, type SplitDataset } from "../data/dataset.ts";
import { splitByDirichlet } from "../data/dirichlet.ts";
import { generateGlyphs } from "../data/glyphs.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import { mlpModel } from "./mlp.ts";
import { softmaxModel } from "./softmax.ts";
import {
  type Classifier,
  type Evaluation,
  evaluateSteps,
  freshMomentum,
  type MomentumState,
  type TrainedRound,
  type TrainOptions,
  trainSteps,
} from "./trainer.ts";

/** The classifier of a task. @throws MeshError `learning/feature-unavailable` for another kind of model */
export function taskModel({ model }: Pick<TaskManifest, "model">): Classifier {
  switch (model.kind) {
    case "softmax":
      return softmaxModel(model.features, model.classes);
    case "mlp":
      return mlpModel(model.features, model.hidden, model.classes);
    default:
      throw unavailable(`a model of kind '${model.kind}'`);
  }
}

function unavailable(what: string): MeshError {
  return new MeshError(
    "learning/feature-unavailable",
    `Cannot train with ${what}: this node does not know how. Update the node, or choose another.`,
  );
}

/**
 * All samples of a task. For CSV the caller reads the file and has compared its SHA-256 with the manifest.
 * @throws MeshError `learning/bad-csv`, `learning/bad-data` when the file does not fit the task, `learning/too-large`
 */
export function taskData(task: TaskManifest, csvText?: string): SplitDataset {
  if (task.data.kind === "glyphs") return generateGlyphs(task.data);
  if (task.data.kind !== "csv") throw unavailable(`data of kind '${task.data.kind}'`);
  const { data } = parseCsv(csvText ?? "", task.data.labelColumn);
  const { features, classes } = taskModel(task);
  if (data.dimensions !== features || data.classes !== classes) {
    throw new MeshError(
      "learning/bad-data",
      `Cannot train task '${task.taskId}' on this CSV file: it has ${data.dimensions} features and ${data.classes} classes, ` +
        `the task says ${features} and ${classes}. Use the file that the task names.`,
      { features: data.dimensions, classes: data.classes },
    );
  }
  return splitTrainTest(data, task.data.testSamples, task.data.seed);
}

/** Trains and measures for one participant. Holds only its own share of the training samples. */
export class Learner {
  readonly model: Classifier;
  readonly #task: TaskManifest;
  readonly #trainer: TrainOptions | undefined;
  readonly #self: ParticipantId;
  readonly #shard: Dataset;
  readonly #test: Dataset;
  readonly #momentum: MomentumState;

  /**
   * @throws MeshError `learning/bad-data` when `self` takes no part in the task, or samples are too few
   */
  constructor(options: {
    readonly task: TaskManifest;
    readonly self: ParticipantId;
    /** Laboratory only: with the task's attack `label-flip` this node learns flipped labels. */
    readonly adversary: boolean;
    readonly data: SplitDataset;
  }) {
    const { task, self, adversary, data } = options;
    const { trainer } = task;
    this.#trainer = trainer.kind === "embedded" ? trainer : undefined;
    this.#task = task;
    this.#self = self;
    this.model = taskModel(task);
    this.#test = data.test;
    this.#momentum = freshMomentum(this.model.spec);
    const { data: split } = task;
    if (!("dirichletAlpha" in split)) throw unavailable(`data of kind '${split.kind}'`);
    const shards = splitByDirichlet({
      labels: data.train.labels,
      classes: data.train.classes,
      nodes: task.participants.length,
      alpha: split.dirichletAlpha,
      seed: split.seed,
    });
    const indices = shards[task.participants.indexOf(self)];
    if (indices === undefined) {
      throw new MeshError(
        "learning/bad-data",
        `Cannot train task '${task.taskId}': this node takes no part in it.`,
      );
    }
    const shard = selectSamples(data.train, indices);
    const flips = adversary && task.attack === "label-flip";
    this.#shard = flips ? { ...shard, labels: flipLabels(shard.labels, shard.classes) } : shard;
  }

  /** Training samples of this node. */
  get samples(): number {
    return this.#shard.count;
  }

  /** Initial weights of the task: equal on every node. */
  initialWeights(): Float32Array {
    return this.model.init(this.#task.seed);
  }

  /** One round, batch by batch: see {@link trainSteps}. `factor` scales the task's learning rate. */
  train(
    round: number,
    weights: Float32Array,
    factor = 1,
  ): Generator<number, TrainedRound, boolean> {
    const { seed } = this.#task;
    assert(this.#trainer !== undefined, "a task with local trainers is only measured here");
    return trainSteps(
      this.model,
      weights,
      this.#shard,
      { ...this.#trainer, learningRate: factor * this.#trainer.learningRate },
      this.#momentum,
      seed,
      round,
      this.#self,
    );
  }

  /** Loss and accuracy on the task's test samples; yields now and then. */
  evaluate(weights: Float32Array): Generator<number, Evaluation, boolean> {
    return evaluateSteps(this.model, weights, this.#test);
  }
}
