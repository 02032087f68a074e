// Softmax regression: one linear layer under a softmax. Convex, so it starts from zero weights.

import { modelSpec, tensorView } from "../tensors/model-spec.ts";
import { accumulate, forward } from "./dense.ts";
import { type Classifier, softmaxInPlace } from "./trainer.ts";

/** The model for `features` inputs and `classes` classes. */
export function softmaxModel(features: number, classes: number): Classifier {
  const spec = modelSpec([
    { name: "output.weight", shape: [classes, features] },
    { name: "output.bias", shape: [classes] },
  ]);
  const weightOf = (flat: Float32Array) => tensorView(spec, flat, "output.weight");
  const biasOf = (flat: Float32Array) => tensorView(spec, flat, "output.bias");
  return {
    spec,
    features,
    classes,
    init: () => new Float32Array(spec.parameters),
    score(weights, data, sample, logits) {
      forward(
        weightOf(weights),
        biasOf(weights),
        data.features,
        sample * features,
        features,
        logits,
      );
    },
    lossAndGradient(weights, data, indices, gradient) {
      const weight = weightOf(weights);
      const bias = biasOf(weights);
      const weightGradient = weightOf(gradient.fill(0));
      const biasGradient = biasOf(gradient);
      const errors = new Float32Array(classes);
      let loss = 0;
      for (const sample of indices) {
        const at = sample * features;
        const label = data.labels[sample] as number;
        forward(weight, bias, data.features, at, features, errors);
        loss -= Math.log(Math.max(softmaxInPlace(errors)[label] as number, 1e-30));
        errors[label] = (errors[label] as number) - 1;
        accumulate(errors, data.features, at, features, weightGradient, biasGradient);
      }
      for (let i = 0; i < gradient.length; i++)
        gradient[i] = (gradient[i] as number) / indices.length;
      return loss / indices.length;
    },
  };
}
