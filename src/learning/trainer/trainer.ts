// What trains a model on one node's samples: stochastic gradient descent with heavy-ball momentum over a model that
// only has to give its loss and gradient. Momentum belongs to the worker and lasts over rounds: without it, attacks that
// add a little each round defeat every memoryless rule (Karimireddy et al. 2021).

import type { Dataset } from "../data/dataset.ts";
import { SeededRandom } from "../seeded.ts";
import { allFinite, type ModelSpec } from "../tensors/model-spec.ts";

/** A differentiable model over flat weights. */
export interface Model {
  readonly spec: ModelSpec;
  readonly features: number;
  /** Fresh weights; equal seeds give equal weights. */
  init(seed: number): Float32Array;
  /**
   * Mean loss over the chosen samples; `gradient` is overwritten with its derivative.
   * `indices[begin..end)` are sample numbers of `data`.
   */
  lossAndGradient(
    weights: Float32Array,
    data: Dataset,
    indices: Uint32Array,
    gradient: Float32Array,
  ): number;
}

/** A model that names samples; its loss is the cross-entropy (nats). */
export interface Classifier extends Model {
  readonly classes: number;
  /** Class scores of one sample into `logits`. */
  score(weights: Float32Array, data: Dataset, sample: number, logits: Float32Array): void;
}

/** How a round is trained. */
export interface TrainOptions {
  /** Batches a round, >= 1. More: fewer rounds to converge, models drift further apart in between. */
  readonly steps: number;
  /** Samples a batch, >= 1. */
  readonly batch: number;
  /** Step size, > 0. */
  readonly learningRate: number;
  /** Heavy-ball factor, 0 to below 1. */
  readonly momentum: number;
}

/** Result of a round's training. */
export interface TrainedRound {
  readonly weights: Float32Array;
  /** Mean loss over the round's batches; `null`: a local trainer did not say. */
  readonly loss: number | null;
}

/** Result of a measurement on test samples. */
export interface Evaluation {
  readonly loss: number;
  /** Share of samples whose highest score (lowest class on ties) is their label. */
  readonly accuracy: number;
}

/** Worker state that lasts over rounds. */
export interface MomentumState {
  /** One value a parameter; starts at zero and is changed in place. */
  readonly velocity: Float32Array;
}

/** A worker's fresh momentum for a model. */
export function freshMomentum(spec: ModelSpec): MomentumState {
  return { velocity: new Float32Array(spec.parameters) };
}

/**
 * Trains one round and yields the loss after every batch. A caller whose time is over answers `true`: the round ends with
 * the batches done so far, of which there is at least one. `weights` stay unchanged. A round whose weights or velocity left the finite numbers resets the velocity to zero.
 * @param labels seed of the batch order: task seed, round, node
 */
export function* trainSteps(
  model: Model,
  weights: Float32Array,
  data: Dataset,
  options: TrainOptions,
  state: MomentumState,
  ...labels: readonly (number | string)[]
): Generator<number, TrainedRound, boolean> {
  const random = new SeededRandom("batches", ...labels);
  const order = Uint32Array.from({ length: data.count }, (_, i) => i);
  const batch = Math.min(options.batch, data.count);
  const trained = weights.slice();
  const gradient = new Float32Array(weights.length);
  const { velocity } = state;
  let lossSum = 0;
  let next = data.count;
  let steps = 0;
  let isOver = false;
  while (steps < options.steps && !isOver) {
    if (next + batch > data.count) {
      random.shuffle(order);
      next = 0;
    }
    const loss = model.lossAndGradient(trained, data, order.subarray(next, next + batch), gradient);
    next += batch;
    for (let i = 0; i < trained.length; i++) {
      const speed = options.momentum * (velocity[i] as number) + (gradient[i] as number);
      velocity[i] = speed;
      trained[i] = (trained[i] as number) - options.learningRate * speed;
    }
    lossSum += loss;
    steps++;
    isOver = yield loss;
  }
  if (!allFinite(velocity) || !allFinite(trained)) velocity.fill(0);
  return { weights: trained, loss: lossSum / steps };
}

/** Measures a classifier; yields after every 128 samples, so that a caller may let its event loop run in between. */
export function* evaluateSteps(
  model: Classifier,
  weights: Float32Array,
  data: Dataset,
): Generator<number, Evaluation, boolean> {
  const logits = new Float32Array(model.classes);
  let loss = 0;
  let right = 0;
  for (let i = 0; i < data.count; i++) {
    model.score(weights, data, i, logits);
    const label = data.labels[i] as number;
    if (argMax(logits) === label) right++;
    loss -= Math.log(Math.max(softmaxInPlace(logits)[label] as number, 1e-30));
    if (i % 128 === 127) yield i + 1;
  }
  return { loss: loss / Math.max(1, data.count), accuracy: right / Math.max(1, data.count) };
}

/** Runs a stepwise computation to its end, or until its time is over. */
export function drain<Value>(
  steps: Generator<number, Value, boolean>,
  isOver: () => boolean = () => false,
): Value {
  for (;;) {
    const step = steps.next(isOver());
    if (step.done === true) return step.value;
  }
}

/** Turns scores into probabilities in place; the greatest score is taken off first, so that nothing overflows. */
export function softmaxInPlace(logits: Float32Array): Float32Array {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) most = Math.max(most, logits[i] as number);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const value = Math.exp((logits[i] as number) - most);
    logits[i] = value;
    sum += value;
  }
  for (let i = 0; i < logits.length; i++) logits[i] = (logits[i] as number) / sum;
  return logits;
}

function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if ((values[i] as number) > (values[best] as number)) best = i;
  }
  return best;
}
