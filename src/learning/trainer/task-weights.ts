// The shape of a task's model and the weights it starts from, for models that this room can train and those it cannot.

import { SeededRandom } from "../seeded.ts";
import type { TaskManifest } from "../task.ts";
import { type ModelSpec, modelSpec } from "../tensors/model-spec.ts";
import { autoencoderModel } from "./autoencoder.ts";
import { taskModel } from "./learner.ts";
import type { Model } from "./trainer.ts";

/** The tensors of a task's model. */
export function taskSpec({ model }: Pick<TaskManifest, "model">): ModelSpec {
  return model.kind === "tensors" ? modelSpec(model.tensors) : trainable(model).spec;
}

/** A model that this room can train. */
function trainable(model: Exclude<TaskManifest["model"], { kind: "tensors" }>): Model {
  return model.kind === "autoencoder"
    ? autoencoderModel(model.features, model.hidden)
    : taskModel({ model });
}

/**
 * The weights of a task before its first round, equal on every node. Of tensors that mean something to a local trainer
 * only: those of two and more dimensions uniform within sqrt(6 / inputs) (He et al. 2015; inputs are all dimensions but
 * the first), the others, biases as a rule, zero.
 */
export function taskInitialWeights(task: Pick<TaskManifest, "model" | "seed">): Float32Array {
  if (task.model.kind !== "tensors") return trainable(task.model).init(task.seed);
  const spec = taskSpec(task);
  const weights = new Float32Array(spec.parameters);
  for (const { name, shape, begin, end } of spec.tensors) {
    const [outputs = 1] = shape;
    if (shape.length < 2) continue;
    const bound = Math.sqrt((6 * outputs) / (end - begin));
    const random = new SeededRandom("init", task.seed, name);
    for (let i = begin; i < end; i++) weights[i] = random.between(-bound, bound);
  }
  return weights;
}
