// A network with one hidden layer of rectified units under a softmax. Initial weights by He et al. 2015: normal with
// variance 2 / inputs, biases zero.

import { SeededRandom } from "../seeded.ts";
import { modelSpec, tensorView } from "../tensors/model-spec.ts";
import { accumulate, forward } from "./dense.ts";
import { type Classifier, softmaxInPlace } from "./trainer.ts";

/** The model for `features` inputs, `hidden` units and `classes` classes. */
export function mlpModel(features: number, hidden: number, classes: number): Classifier {
  const spec = modelSpec([
    { name: "hidden.weight", shape: [hidden, features] },
    { name: "hidden.bias", shape: [hidden] },
    { name: "output.weight", shape: [classes, hidden] },
    { name: "output.bias", shape: [classes] },
  ]);
  const layersOf = (flat: Float32Array) => ({
    hiddenWeight: tensorView(spec, flat, "hidden.weight"),
    hiddenBias: tensorView(spec, flat, "hidden.bias"),
    outputWeight: tensorView(spec, flat, "output.weight"),
    outputBias: tensorView(spec, flat, "output.bias"),
  });
  const units = new Float32Array(hidden);
  const activate = (
    layers: ReturnType<typeof layersOf>,
    inputs: Float32Array,
    at: number,
  ): void => {
    forward(layers.hiddenWeight, layers.hiddenBias, inputs, at, features, units);
    for (let k = 0; k < hidden; k++) units[k] = Math.max(0, units[k] as number);
  };
  return {
    spec,
    features,
    classes,
    init(seed) {
      const weights = new Float32Array(spec.parameters);
      const random = new SeededRandom("init", seed);
      const layers = layersOf(weights);
      fillNormal(layers.hiddenWeight, Math.sqrt(2 / features), random);
      fillNormal(layers.outputWeight, Math.sqrt(2 / hidden), random);
      return weights;
    },
    score(weights, data, sample, logits) {
      const layers = layersOf(weights);
      activate(layers, data.features, sample * features);
      forward(layers.outputWeight, layers.outputBias, units, 0, hidden, logits);
    },
    lossAndGradient(weights, data, indices, gradient) {
      const layers = layersOf(weights);
      const slopes = layersOf(gradient.fill(0));
      const errors = new Float32Array(classes);
      const unitErrors = new Float32Array(hidden);
      let loss = 0;
      for (const sample of indices) {
        const at = sample * features;
        const label = data.labels[sample] as number;
        activate(layers, data.features, at);
        forward(layers.outputWeight, layers.outputBias, units, 0, hidden, errors);
        loss -= Math.log(Math.max(softmaxInPlace(errors)[label] as number, 1e-30));
        errors[label] = (errors[label] as number) - 1;
        propagate(layers.outputWeight, errors, units, unitErrors);
        accumulate(errors, units, 0, hidden, slopes.outputWeight, slopes.outputBias);
        accumulate(unitErrors, data.features, at, features, slopes.hiddenWeight, slopes.hiddenBias);
      }
      for (let i = 0; i < gradient.length; i++)
        gradient[i] = (gradient[i] as number) / indices.length;
      return loss / indices.length;
    },
  };
}

/** Errors of the hidden units: outputs' errors back through the weights, nothing through units at rest. */
function propagate(
  outputWeight: Float32Array,
  errors: Float32Array,
  units: Float32Array,
  unitErrors: Float32Array,
): void {
  const hidden = units.length;
  for (let k = 0; k < hidden; k++) {
    let sum = 0;
    if ((units[k] as number) > 0) {
      for (let o = 0; o < errors.length; o++) {
        sum += (errors[o] as number) * (outputWeight[o * hidden + k] as number);
      }
    }
    unitErrors[k] = sum;
  }
}

function fillNormal(values: Float32Array, sigma: number, random: SeededRandom): void {
  for (let i = 0; i < values.length; i++) values[i] = sigma * random.normal();
}
