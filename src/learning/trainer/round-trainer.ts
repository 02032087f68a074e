// Who trains a node's rounds, as the one who runs a task sees it: the embedded trainer in its thread, or another program
// that is attached by the local trainer API. A trainer may be slow, hang, die or give nonsense; the round never waits for it
// beyond its deadline, and goes on without the own update.

import type { Result } from "../../foundation/index.ts";
import type { Evaluation, TrainedRound } from "./trainer.ts";

/** Why a round got no own update. */
export const trainerFailureCodes = [
  /** No answer by the deadline: the trainer hangs, is slow, or is not there. */
  "learning/trainer-late",
  /** It answered with numbers that are not finite, or not at all and never will. */
  "learning/trainer-failed",
] as const;

/** One of {@link trainerFailureCodes}. */
export type TrainerFailureCode = (typeof trainerFailureCodes)[number];

/** One round's work. */
export interface TrainingOrder {
  /** 1-based; rises from order to order, and may skip. */
  readonly round: number;
  /** Where the round starts: flat weights of the task's model, all finite. The trainer does not change them. */
  readonly weights: Float32Array;
  /** What the schedule makes of the step size: 1 is the trainer's own. */
  readonly learningRateFactor: number;
  /** The answer must be there so long from now. */
  readonly deadlineMs: number;
}

/** A node's trainer of one task. One order at a time: a new one ends the wait for the old one. */
export interface RoundTrainer {
  /**
   * Flat weights that the task starts from: equal on every node.
   * @throws MeshError when the trainer cannot take part in the task, and never will: wrong data, no memory
   */
  initialWeights(): Promise<Float32Array>;
  /**
   * Trains from the order's weights. Settles by the deadline, always; the weights it gives are finite and of the task's
   * model. Never rejects.
   */
  train(order: TrainingOrder): Promise<Result<TrainedRound, TrainerFailureCode>>;
  /**
   * Measures a model on data that no round was trained on. A local trainer has shown the node no data: it answers at
   * once with what it told with its newest update, `undefined` before the first. Never rejects.
   */
  evaluate(weights: Float32Array): Promise<Evaluation | undefined>;
  /** Ends waits with `learning/trainer-failed` and frees everything. Idempotent. */
  stop(): Promise<void>;
}
