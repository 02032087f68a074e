// A network that learns to reproduce its input through a narrow layer: what it reproduces badly is unlike what it was
// trained on. Leaky units, so that none of the few dies. The loss of a sample is half the squared length of its error.

import type { Dataset } from "../data/dataset.ts";
import { SeededRandom } from "../seeded.ts";
import { modelSpec, tensorView } from "../tensors/model-spec.ts";
import { accumulate, forward } from "./dense.ts";
import type { Model } from "./trainer.ts";

/** What a unit at rest lets through. */
const LEAK = 0.1;

export interface Autoencoder extends Model {
  /** Writes what the model makes of a sample less the sample, and gives the sample's loss. */
  errorOf(
    weights: Float32Array,
    data: Pick<Dataset, "features">,
    sample: number,
    error: Float32Array,
  ): number;
}

/** The model for `features` inputs and `hidden` units. */
export function autoencoderModel(features: number, hidden: number): Autoencoder {
  const spec = modelSpec([
    { name: "decoder.bias", shape: [features] },
    { name: "decoder.weight", shape: [features, hidden] },
    { name: "encoder.bias", shape: [hidden] },
    { name: "encoder.weight", shape: [hidden, features] },
  ]);
  const layersOf = (flat: Float32Array) => ({
    encoderWeight: tensorView(spec, flat, "encoder.weight"),
    encoderBias: tensorView(spec, flat, "encoder.bias"),
    decoderWeight: tensorView(spec, flat, "decoder.weight"),
    decoderBias: tensorView(spec, flat, "decoder.bias"),
  });
  const units = new Float32Array(hidden);
  const reconstruct = (
    layers: ReturnType<typeof layersOf>,
    inputs: Float32Array,
    at: number,
    error: Float32Array,
  ): number => {
    forward(layers.encoderWeight, layers.encoderBias, inputs, at, features, units);
    for (let k = 0; k < hidden; k++)
      units[k] = Math.max(LEAK * (units[k] as number), units[k] as number);
    forward(layers.decoderWeight, layers.decoderBias, units, 0, hidden, error);
    let squares = 0;
    for (let i = 0; i < features; i++) {
      const off = (error[i] as number) - (inputs[at + i] as number);
      error[i] = off;
      squares += off * off;
    }
    return squares / 2;
  };
  return {
    spec,
    features,
    init(seed) {
      const weights = new Float32Array(spec.parameters);
      const random = new SeededRandom("init", seed);
      const layers = layersOf(weights);
      for (const [layer, inputs] of [
        [layers.encoderWeight, features],
        [layers.decoderWeight, hidden],
      ] as const) {
        for (let i = 0; i < layer.length; i++) layer[i] = random.normal() / Math.sqrt(inputs);
      }
      return weights;
    },
    errorOf(weights, { features: inputs }, sample, error) {
      return reconstruct(layersOf(weights), inputs, sample * features, error);
    },
    lossAndGradient(weights, { features: inputs }, indices, gradient) {
      const layers = layersOf(weights);
      const slopes = layersOf(gradient.fill(0));
      const error = new Float32Array(features);
      const unitErrors = new Float32Array(hidden);
      let loss = 0;
      for (const sample of indices) {
        loss += reconstruct(layers, inputs, sample * features, error);
        for (let k = 0; k < hidden; k++) {
          let sum = 0;
          for (let i = 0; i < features; i++)
            sum += (error[i] as number) * (layers.decoderWeight[i * hidden + k] as number);
          unitErrors[k] = (units[k] as number) > 0 ? sum : LEAK * sum;
        }
        accumulate(error, units, 0, hidden, slopes.decoderWeight, slopes.decoderBias);
        const at = sample * features;
        accumulate(unitErrors, inputs, at, features, slopes.encoderWeight, slopes.encoderBias);
      }
      for (let i = 0; i < gradient.length; i++)
        gradient[i] = (gradient[i] as number) / indices.length;
      return loss / indices.length;
    },
  };
}
