// How far a task's certified rounds have come: the learning rate that its schedule gives the next one, and whether it has
// converged. Both follow from what is certified, round by round, so every node trains alike and stops at the same round.

import type { CertifiedRound } from "../convergence/certified-round.ts";
import { ConvergenceDetector } from "../convergence/convergence.ts";
import { AdaptiveLearningRate } from "../schedules/schedule.ts";
import type { TaskManifest } from "../task.ts";
import type { RoundSummary } from "./round-record.ts";

export class RoundProgress {
  readonly #rate: AdaptiveLearningRate;
  readonly #detector: ConvergenceDetector;
  #round = 0;
  #hasConverged = false;

  constructor({ schedule, convergence }: Pick<TaskManifest, "schedule" | "convergence">) {
    this.#rate = new AdaptiveLearningRate(schedule, 1);
    this.#detector = new ConvergenceDetector(convergence);
  }

  /** What the trainer's learning rate is multiplied with in the round that comes. */
  get learningRateFactor(): number {
    return this.#rate.rate();
  }

  /** Whether the task is done with the newest round. */
  get hasConverged(): boolean {
    return this.#hasConverged;
  }

  /**
   * Takes in certified rounds in their order; one that was taken in before changes nothing, and void and held ones do not count.
   * @param summary absent of a void round
   */
  observe(round: number, summary: RoundSummary | undefined): void {
    if (round <= this.#round) return;
    this.#round = round;
    if (summary === undefined || summary.held) return;
    const measured = measuredIn(summary, this.#rate.rate());
    this.#rate.observe(measured);
    this.#hasConverged = this.#detector.observe(measured);
  }
}

/** A summary's medians stand for the identities' reports: the lower median of one is itself. */
function measuredIn({ loss, accuracy, norm }: RoundSummary, rate: number): CertifiedRound {
  return {
    losses: loss === null ? [] : [loss],
    accuracies: accuracy === null ? [] : [accuracy],
    updateNorm: norm / rate,
  };
}
