// When a task is done. Every node must stop in the same round and no liar may stop it, so all rules look at certified
// rounds only, and at the lower median of what identities report.

import type { TaskManifest } from "../task.ts";
import { type CertifiedRound, lowerMedianOf } from "./certified-round.ts";

/** A rule of convergence, as the manifest names it. */
export type Convergence = NonNullable<TaskManifest["convergence"]>;

/**
 * True when the last `patience` windows of `window` rounds brought no progress. A window's value is the mean of its rounds;
 * progress is, against the window before it: `loss` a relative fall of at least `delta`, `accuracy` a rise by at least
 * `delta`; for `update-norm` a window is without progress when its value is below `delta`.
 * @param history certified rounds, the newest last; only the last (patience + 1) * window count
 */
export function hasConverged(rule: Convergence, history: readonly CertifiedRound[]): boolean {
  const { kind, window, patience } = rule;
  const compared = kind === "update-norm" ? patience : patience + 1;
  const rounds = history.slice(-compared * window);
  if (rounds.length < compared * window) return false;
  const values = Array.from({ length: compared }, (_, i) =>
    meanOf(rounds.slice(i * window, (i + 1) * window).map((round) => valueOf(kind, round))),
  );
  if (kind === "update-norm") return values.every((value) => value < rule.delta);
  return values.every((value, i) => {
    const before = values[i - 1];
    if (before === undefined) return true;
    const gain = kind === "loss" ? (before - value) / before : value - before;
    // Neither growth to infinity nor 0 / 0 is progress.
    return !(gain >= rule.delta);
  });
}

function valueOf(kind: Convergence["kind"], round: CertifiedRound): number {
  switch (kind) {
    case "loss":
      return lowerMedianOf(round.losses);
    case "accuracy":
      return lowerMedianOf(round.accuracies);
    case "update-norm":
      return round.updateNorm;
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** {@link hasConverged} over the rounds of a task as they are certified; keeps no more of them than the rule needs. */
export class ConvergenceDetector {
  readonly #rule: Convergence | null;
  readonly #history: CertifiedRound[] = [];

  /** @param rule `null`: a task that runs all its rounds */
  constructor(rule: Convergence | null) {
    this.#rule = rule;
  }

  /** Takes in the next certified round; true when the task is done with it. */
  observe(round: CertifiedRound): boolean {
    if (this.#rule === null) return false;
    this.#history.push(round);
    const { window, patience } = this.#rule;
    if (this.#history.length > window * (patience + 1)) this.#history.shift();
    return hasConverged(this.#rule, this.#history);
  }
}
