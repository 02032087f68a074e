// How the learning rate changes over a task. Every node must train and weigh with the same number, so the rates are products
// in float64 in a fixed order, and what they depend on is certified: the round, losses by their lower median, an age.

import { type CertifiedRound, lowerMedianOf } from "../convergence/certified-round.ts";
import type { TaskManifest } from "../task.ts";
import { inverseExponential, inversePower, repeatedProduct } from "./exact-powers.ts";

/** A schedule, as the manifest names it. */
export type Schedule = TaskManifest["schedule"];

/** Where a task stands. */
export interface ScheduleState {
  /** Rounds certified so far: 0 in the first round. */
  readonly round: number;
  /** How many rounds behind the update's base model is; only the staleness schedule looks at it. Default 0. */
  readonly staleness?: number;
  /** How often the loss has stood still; see {@link AdaptiveLearningRate}. Default 0. */
  readonly plateaus?: number;
}

/** The factor on the trainer's learning rate, above 0 to 1 (0 when it has underflowed). */
export function learningRateAt(schedule: Schedule, state: ScheduleState): number {
  const { round, staleness = 0, plateaus = 0 } = state;
  switch (schedule.kind) {
    case "constant":
      return 1;
    case "step":
      return repeatedProduct(schedule.gamma, Math.floor(round / schedule.every));
    case "exponential":
      return repeatedProduct(inverseExponential(schedule.decay), round);
    case "plateau":
      return repeatedProduct(schedule.factor, plateaus);
    case "staleness":
      return inversePower(1 + staleness, schedule.a);
  }
}

/** A task's learning rate: the schedule over certified rounds, one after the other. */
export class AdaptiveLearningRate {
  readonly #schedule: Schedule;
  readonly #learningRate: number;
  #rounds = 0;
  #plateaus = 0;
  #least = Number.POSITIVE_INFINITY;
  #sinceLeast = 0;

  /** @param learningRate of the trainer, > 0 */
  constructor(schedule: Schedule, learningRate: number) {
    this.#schedule = schedule;
    this.#learningRate = learningRate;
  }

  /** Takes in the next certified round; rounds that were void are left out. */
  observe(round: Pick<CertifiedRound, "losses">): void {
    this.#rounds++;
    if (this.#schedule.kind !== "plateau") return;
    const loss = lowerMedianOf(round.losses);
    if (loss < this.#least) {
      this.#least = loss;
      this.#sinceLeast = 0;
    } else if (++this.#sinceLeast >= this.#schedule.patience) {
      this.#plateaus++;
      this.#sinceLeast = 0;
    }
  }

  /** The rate of the round that comes, for an update of that age. */
  rate(staleness = 0): number {
    const state = { round: this.#rounds, plateaus: this.#plateaus, staleness };
    return this.#learningRate * learningRateAt(this.#schedule, state);
  }
}
