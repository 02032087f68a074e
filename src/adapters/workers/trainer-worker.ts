// The thread that trains: it holds this node's samples of one task and answers one request at a time, so that
// neither making the data nor a round of training delays a heartbeat on the main thread.

import { parentPort, workerData } from "node:worker_threads";
import { assert, errorCode, errorMessage } from "../../foundation/index.ts";
import { drain, Learner, taskData } from "../../learning/index.ts";
import type { TrainerAnswer, TrainerRequest, TrainerSetup } from "./training-thread.ts";

const port = parentPort;
assert(port !== null, "this module runs as a worker thread");

function answer(message: TrainerAnswer): void {
  port?.postMessage(message);
}

try {
  const { task, self, adversary, csvText } = workerData as TrainerSetup;
  const learner = new Learner({ task, self, adversary, data: taskData(task, csvText) });
  answer({ kind: "ready", initialWeights: learner.initialWeights() });
  port.on("message", (request: TrainerRequest) => {
    if (request.kind === "evaluate") {
      return answer({
        kind: "evaluated",
        id: request.id,
        ...drain(learner.evaluate(request.weights)),
      });
    }
    const { id, round, weights, learningRateFactor, budgetMs } = request;
    const endMs = performance.now() + budgetMs;
    const steps = learner.train(round, weights, learningRateFactor);
    answer({ kind: "trained", id, ...drain(steps, () => performance.now() >= endMs) });
  });
} catch (error) {
  answer({ kind: "failed", code: errorCode(error), message: errorMessage(error) });
}
