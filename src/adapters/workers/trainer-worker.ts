// The thread that trains: it holds this node's samples of one task and answers one request at a time, so that
// neither making the data nor a round of training delays a heartbeat on the main thread.

import { parentPort, workerData } from "node:worker_threads";
import { assert, errorCode, errorMessage } from "../../foundation/index.ts";
import {
  drain,
  Learner,
  type Measured,
  taskData,
  TelemetryLearner,
  type TelemetrySamples,
  type TrainedRound,
} from "../../learning/index.ts";
import type { TrainerAnswer, TrainerRequest, TrainerSetup } from "./training-thread.ts";

const port = parentPort;
assert(port !== null, "this module runs as a worker thread");

function answer(message: TrainerAnswer): void {
  port?.postMessage(message);
}

/** A learner, whichever data it has; samples come with the request where they change. */
interface Work {
  initialWeights(): Float32Array;
  evaluate(weights: Float32Array, samples: TelemetrySamples | undefined): Measured;
  train(
    round: number,
    weights: Float32Array,
    factor: number,
    samples: TelemetrySamples | undefined,
  ): Generator<number, TrainedRound, boolean> | undefined;
}

const NO_SAMPLES = { train: new Float32Array(0), test: new Float32Array(0) };

function workOf({ task, self, adversary, csvText }: TrainerSetup): Work {
  if (task.data.kind === "telemetry") {
    const learner = new TelemetryLearner({ task, self });
    return {
      initialWeights: () => learner.initialWeights(),
      evaluate: (weights, samples = NO_SAMPLES) => learner.evaluate(weights, samples),
      train: (round, weights, factor, samples = NO_SAMPLES) =>
        learner.train(round, weights, factor, samples),
    };
  }
  const learner = new Learner({ task, self, adversary, data: taskData(task, csvText) });
  return {
    initialWeights: () => learner.initialWeights(),
    evaluate: (weights) => drain(learner.evaluate(weights)),
    train: (round, weights, factor) => learner.train(round, weights, factor),
  };
}

try {
  const work = workOf(workerData as TrainerSetup);
  answer({ kind: "ready", initialWeights: work.initialWeights() });
  port.on("message", (request: TrainerRequest) => {
    const { id, weights, samples } = request;
    if (request.kind === "evaluate")
      return answer({ kind: "evaluated", id, ...work.evaluate(weights, samples) });
    const { round, learningRateFactor, budgetMs } = request;
    const endMs = performance.now() + budgetMs;
    const steps = work.train(round, weights, learningRateFactor, samples);
    if (steps === undefined) return answer({ kind: "untrained", id });
    answer({ kind: "trained", id, ...drain(steps, () => performance.now() >= endMs) });
  });
} catch (error) {
  answer({ kind: "failed", code: errorCode(error), message: errorMessage(error) });
}
