// A 32-32-10 network of rectified units over flat weights, a batch at a time: what the embedded trainer computes, without
// its generality, because a table of the bench is a million batches.

import { SeededRandom } from "../../src/learning/index.ts";
import { CLASSES, FEATURES, type Points } from "./task.ts";

const HIDDEN = 32;
const OUTPUT_WEIGHT = HIDDEN * FEATURES + HIDDEN;
/** Parameters: hidden weight and bias, output weight and bias. */
export const PARAMETERS = OUTPUT_WEIGHT + CLASSES * HIDDEN + CLASSES;
const HIDDEN_BIAS = HIDDEN * FEATURES;
const OUTPUT_BIAS = OUTPUT_WEIGHT + CLASSES * HIDDEN;

/** Normal weights of variance 2 / inputs, biases zero. */
export function initialWeights(seed: number): Float32Array {
  const random = new SeededRandom("bench/robustness/init", seed);
  const weights = new Float32Array(PARAMETERS);
  for (let i = 0; i < HIDDEN_BIAS; i++) weights[i] = Math.sqrt(2 / FEATURES) * random.normal();
  for (let i = OUTPUT_WEIGHT; i < OUTPUT_BIAS; i++) {
    weights[i] = Math.sqrt(2 / HIDDEN) * random.normal();
  }
  return weights;
}

const units = new Float64Array(HIDDEN);
const errors = new Float64Array(CLASSES);

/** Adds up the mean gradient of the cross-entropy over the points `batch`; labels become `classes - 1 - y` where `flipped`. */
export function gradientOf(
  weights: Float32Array,
  points: Points,
  batch: Uint32Array,
  flipped: boolean,
): Float64Array {
  const gradient = new Float64Array(PARAMETERS);
  for (let b = 0; b < batch.length; b++) {
    const point = batch[b] as number;
    const at = point * FEATURES;
    forward(weights, points.features, at);
    const label = points.labels[point] as number;
    softmaxError(flipped ? CLASSES - 1 - label : label);
    backward(weights, points.features, at, gradient);
  }
  for (let i = 0; i < PARAMETERS; i++) gradient[i] = (gradient[i] as number) / batch.length;
  return gradient;
}

function forward(weights: Float32Array, features: Float32Array, at: number): void {
  for (let k = 0; k < HIDDEN; k++) {
    const row = k * FEATURES;
    let even = weights[HIDDEN_BIAS + k] as number;
    let odd = 0;
    for (let i = 0; i < FEATURES; i += 2) {
      even += (weights[row + i] as number) * (features[at + i] as number);
      odd += (weights[row + i + 1] as number) * (features[at + i + 1] as number);
    }
    units[k] = Math.max(0, even + odd);
  }
  for (let o = 0; o < CLASSES; o++) {
    const row = OUTPUT_WEIGHT + o * HIDDEN;
    let even = weights[OUTPUT_BIAS + o] as number;
    let odd = 0;
    for (let k = 0; k < HIDDEN; k += 2) {
      even += (weights[row + k] as number) * (units[k] as number);
      odd += (weights[row + k + 1] as number) * (units[k + 1] as number);
    }
    errors[o] = even + odd;
  }
}

/** Scores become probabilities minus the label. */
function softmaxError(label: number): void {
  let most = errors[0] as number;
  for (let o = 1; o < CLASSES; o++) most = Math.max(most, errors[o] as number);
  let sum = 0;
  for (let o = 0; o < CLASSES; o++) sum += errors[o] = Math.exp((errors[o] as number) - most);
  for (let o = 0; o < CLASSES; o++) errors[o] = (errors[o] as number) / sum;
  errors[label] = (errors[label] as number) - 1;
}

function backward(
  weights: Float32Array,
  features: Float32Array,
  at: number,
  gradient: Float64Array,
): void {
  for (let o = 0; o < CLASSES; o++) {
    const error = errors[o] as number;
    const row = OUTPUT_WEIGHT + o * HIDDEN;
    gradient[OUTPUT_BIAS + o] = (gradient[OUTPUT_BIAS + o] as number) + error;
    for (let k = 0; k < HIDDEN; k++) {
      gradient[row + k] = (gradient[row + k] as number) + error * (units[k] as number);
    }
  }
  for (let k = 0; k < HIDDEN; k++) {
    if (units[k] === 0) continue;
    let error = 0;
    for (let o = 0; o < CLASSES; o++) {
      error += (errors[o] as number) * (weights[OUTPUT_WEIGHT + o * HIDDEN + k] as number);
    }
    gradient[HIDDEN_BIAS + k] = (gradient[HIDDEN_BIAS + k] as number) + error;
    const row = k * FEATURES;
    for (let i = 0; i < FEATURES; i++) {
      gradient[row + i] = (gradient[row + i] as number) + error * (features[at + i] as number);
    }
  }
}

/** Share of points whose greatest score is their label; a model that is not finite names none. */
export function accuracyOf(weights: Float32Array, points: Points): number {
  let right = 0;
  for (let point = 0; point < points.labels.length; point++) {
    forward(weights, points.features, point * FEATURES);
    const label = points.labels[point] as number;
    const score = errors[label] as number;
    if (errors.every((other, o) => o === label || other < score)) right++;
  }
  return right / points.labels.length;
}
