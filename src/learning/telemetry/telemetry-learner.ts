// One participant's trainer of a task on telemetry: every node has its own samples, new ones each round, and shows them to
// nobody. A round is a function of its samples and the task's seed.

import { assert, MeshError } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { Dataset } from "../data/dataset.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import { type Autoencoder, autoencoderModel } from "../trainer/autoencoder.ts";
import type { Measured } from "../trainer/round-trainer.ts";
import {
  freshMomentum,
  type MomentumState,
  type TrainedRound,
  trainSteps,
} from "../trainer/trainer.ts";
import { TELEMETRY_FEATURES, type TelemetrySamples } from "./channels.ts";

/** With fewer, the node takes no part in a round: it has just started. */
const SAMPLES_MIN = 3;

/** The autoencoder of a task on telemetry. @throws MeshError `learning/bad-task` for another model */
export function telemetryModel({
  taskId,
  model,
}: Pick<TaskManifest, "taskId" | "model">): Autoencoder {
  if (model.kind === "autoencoder" && model.features === TELEMETRY_FEATURES)
    return autoencoderModel(model.features, model.hidden);
  throw new MeshError<LearningErrorCode>(
    "learning/bad-task",
    `Cannot train task '${taskId}' on telemetry: that takes an autoencoder with ${TELEMETRY_FEATURES} features. Leave model.features out.`,
  );
}

export class TelemetryLearner {
  readonly #task: TaskManifest;
  readonly #self: ParticipantId;
  readonly #model: Autoencoder;
  readonly #momentum: MomentumState;

  /** @throws MeshError `learning/bad-task` */
  constructor({ task, self }: { readonly task: TaskManifest; readonly self: ParticipantId }) {
    this.#task = task;
    this.#self = self;
    this.#model = telemetryModel(task);
    this.#momentum = freshMomentum(this.#model.spec);
  }

  initialWeights(): Float32Array {
    return this.#model.init(this.#task.seed);
  }

  /** One round, batch by batch: see {@link trainSteps}; `undefined` without enough samples. */
  train(
    round: number,
    weights: Float32Array,
    factor: number,
    { train }: TelemetrySamples,
  ): Generator<number, TrainedRound, boolean> | undefined {
    const { seed, trainer } = this.#task;
    assert(trainer.kind === "embedded", "a task with local trainers is only measured here");
    const data = datasetOf(train);
    if (data.count < SAMPLES_MIN) return undefined;
    return trainSteps(
      this.#model,
      weights,
      data,
      { ...trainer, learningRate: factor * trainer.learningRate },
      this.#momentum,
      ...[seed, round, this.#self],
    );
  }

  /** The mean loss on the samples that no round was trained on; an autoencoder has no accuracy. */
  evaluate(weights: Float32Array, { test }: TelemetrySamples): Measured {
    const data = datasetOf(test);
    const error = new Float32Array(TELEMETRY_FEATURES);
    let loss = 0;
    for (let i = 0; i < data.count; i++) loss += this.#model.errorOf(weights, data, i, error);
    return { loss: data.count === 0 ? null : loss / data.count, accuracy: null };
  }
}

function datasetOf(features: Float32Array): Dataset {
  const count = features.length / TELEMETRY_FEATURES;
  return {
    ...{ count, dimensions: TELEMETRY_FEATURES, classes: 1, features },
    labels: new Uint16Array(count),
  };
}
