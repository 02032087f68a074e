// Rounds go on: when everything has healed, every honest participant certifies what rounds are left within the bound.

import type { LearningWorld } from "../learning/learning-world.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** Judges the liveness phase of a training. */
export class RoundsGoOn extends Checker {
  readonly name = "rounds-go-on";

  /** Told how the wait for the last round ended. */
  ended(swarm: Swarm, world: LearningWorld, limitMs: number): void {
    const { rounds } = world.task.manifest;
    for (const node of world.honest) {
      this.checks++;
      const round = world.diskOf(node).last?.round ?? 0;
      if (round >= rounds) continue;
      const what = `is at round ${round} of ${rounds} ${limitMs} ms after everything healed`;
      this.report(swarm.nowMs, node, node, what);
    }
  }
}
