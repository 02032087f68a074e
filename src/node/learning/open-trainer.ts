// Which trainer a task gets on this node.

import {
  type SampleSource,
  TrainingThread,
  type TrainerSetup,
} from "../../adapters/workers/training-thread.ts";
import { type RoundTrainer, taskInitialWeights, taskSpec } from "../../learning/index.ts";
import type { TrainerDesk } from "./trainer-desk.ts";

/** What this node has for trainers. */
export interface TrainerPlace {
  readonly desk: TrainerDesk;
  /** Samples of its own telemetry. */
  readonly samples: SampleSource;
}

/** Starts the trainer that the task names; stop it when the task is over. */
export function openTrainer({ desk, samples }: TrainerPlace, setup: TrainerSetup): RoundTrainer {
  const { task } = setup;
  const embedded = (): RoundTrainer =>
    new TrainingThread(setup, task.data.kind === "telemetry" ? samples : undefined);
  if (task.trainer.kind === "embedded") return embedded();
  return desk.open({
    task,
    spec: taskSpec(task),
    initialWeights: taskInitialWeights(task),
    // A task with data is measured by the node, whoever trains.
    ...(task.data.kind === "none" ? {} : { evaluator: embedded() }),
  });
}
