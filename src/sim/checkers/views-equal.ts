// Views equal: when everything has healed, every healthy node sees every other one alive within the bound.

import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Judges the liveness phase. */
export class ViewsEqual extends Checker {
  readonly name = "views-equal";

  /** Told how the wait for convergence ended. */
  converged(swarm: SwarmView, afterMs: number | undefined, limitMs: number): void {
    const healthy = swarm.healthy().length;
    this.checks += healthy * (healthy - 1);
    const pair = swarm.disagreement();
    if (afterMs !== undefined || pair === undefined) return;
    const what = `sees it ${pair.state} ${limitMs} ms after everything healed`;
    this.report(swarm.nowMs, pair.observer, pair.subject, what);
  }
}
