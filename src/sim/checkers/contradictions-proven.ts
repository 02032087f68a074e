// Contradictions proven: whoever signs two things for one slot of a round is convicted, in the end by every honest participant, and
// nobody else ever is.

import type { LearningListener } from "../learning/learning-types.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** What it looks at of a training. */
type View = Pick<LearningWorld, "honest"> & {
  readonly lies: Pick<LearningWorld["lies"], "contradictors">;
};

/** Watches convictions. */
export class ContradictionsProven extends Checker implements LearningListener {
  readonly name = "contradictions-proven";
  readonly #swarm: Pick<Swarm, "nowMs">;
  readonly #world: View;
  /** By whom each was convicted. */
  readonly #convicted = new Map<NodeIndex, Set<NodeIndex>>();

  constructor(swarm: Pick<Swarm, "nowMs">, world: View) {
    super();
    this.#swarm = swarm;
    this.#world = world;
  }

  get count(): number {
    return this.#convicted.size;
  }

  convicted(node: NodeIndex, subject: NodeIndex): void {
    this.checks++;
    const by = this.#convicted.get(subject) ?? new Set<NodeIndex>();
    this.#convicted.set(subject, by.add(node));
    if (this.#world.lies.contradictors.has(subject)) return;
    this.report(this.#swarm.nowMs, node, subject, "convicted who did not contradict itself");
  }

  override finish(swarm: Pick<Swarm, "nowMs">): void {
    for (const [subject, by] of this.#convicted) {
      for (const node of this.#world.honest) {
        this.checks++;
        if (by.has(node)) continue;
        this.report(swarm.nowMs, node, subject, "never learnt that it contradicted itself");
      }
    }
    for (const subject of this.#world.lies.contradictors) {
      if (this.#convicted.has(subject)) continue;
      this.report(swarm.nowMs, subject, subject, "contradicted itself, and nobody saw it");
    }
  }
}
