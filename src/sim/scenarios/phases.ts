// Parts that several scenarios are made of.

import type { Swarm } from "../swarm.ts";
import type { Finding } from "./scenario.ts";

/** Waits for convergence; a failure is added when it does not come within the limit. */
export function converge(
  swarm: Swarm,
  after: string,
  limitMs: number,
  failures: string[],
): Finding {
  const value = swarm.runUntilConverged(limitMs);
  if (value === undefined) {
    const why = swarm.firstDisagreement() ?? "";
    failures.push(`Not converged ${limitMs} ms after the ${after}: ${why}.`);
  }
  return { name: `converged after the ${after}`, value, unit: "ms" };
}

/** Runs on; afterwards everyone must still see everyone alive, or at most under suspicion. */
export function stayCalm(swarm: Swarm, ms: number, failures: string[]): void {
  swarm.run(ms);
  // Under loss someone may be under suspicion at any moment; that is no death, and no failure.
  const unrest = swarm.firstDisagreement("suspect");
  if (unrest !== undefined) failures.push(`Not calm after ${ms} ms: ${unrest}.`);
}

/** Waits until something holds, a virtual second at a time; how long it took. */
export function waitFor(swarm: Swarm, holds: () => boolean, limitMs: number): number | undefined {
  const startMs = swarm.nowMs;
  while (!holds()) {
    if (swarm.nowMs - startMs >= limitMs) return undefined;
    swarm.run(1_000);
  }
  return swarm.nowMs - startMs;
}
