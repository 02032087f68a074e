// Evidence holds: whoever was seen to say two things is in quarantine at every honest node in the end, and nobody
// else ever is: false evidence hurts only its author.

import type { NodeIndex } from "../node-types.ts";
import { Checker, type MemberChange } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Watches quarantines. */
export class EvidenceHolds extends Checker {
  readonly name = "evidence-holds";
  readonly #equivocators: () => ReadonlySet<NodeIndex>;

  /** `equivocators`: who has really said two things so far. */
  constructor(equivocators: () => ReadonlySet<NodeIndex>) {
    super();
    this.#equivocators = equivocators;
  }

  memberChanged({ observer, subject, to, atMs }: MemberChange): void {
    if (to !== "quarantined" || subject === undefined) return;
    this.checks++;
    if (this.#equivocators().has(subject)) return;
    this.report(atMs, observer, subject, "put a node into quarantine that did not equivocate");
  }

  override finish(swarm: SwarmView): void {
    for (const observer of swarm.healthy()) {
      const states = new Map(swarm.states(observer));
      for (const subject of this.#equivocators()) {
        this.checks++;
        const state = states.get(subject) ?? "unknown";
        if (state === "quarantined") continue;
        this.report(swarm.nowMs, observer, subject, `sees an equivocator as ${state}`);
      }
    }
  }
}
