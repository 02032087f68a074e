// Which trainer a task gets on this node.

import { TrainingThread, type TrainerSetup } from "../../adapters/workers/training-thread.ts";
import { type RoundTrainer, taskInitialWeights, taskSpec } from "../../learning/index.ts";
import type { TrainerDesk } from "./trainer-desk.ts";

/** Starts the trainer that the task names; stop it when the task is over. */
export function openTrainer(desk: TrainerDesk, setup: TrainerSetup): RoundTrainer {
  const { task } = setup;
  if (task.trainer.kind === "embedded") return new TrainingThread(setup);
  return desk.open({
    task,
    spec: taskSpec(task),
    initialWeights: taskInitialWeights(task),
    // A task with data is measured by the node, whoever trains.
    ...(task.data.kind === "none" ? {} : { evaluator: new TrainingThread(setup) }),
  });
}
