// Restart recovers: a node that came back after a crash, at whatever point it struck, is a member like any other
// when everything has healed: seen alive by all, and seeing all alive.

import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Remembers who crashed and looks at them in the end. */
export class RestartRecovers extends Checker {
  readonly name = "restart-recovers";
  readonly #crashed = new Set<NodeIndex>();

  crashed(node: NodeIndex): void {
    this.#crashed.add(node);
  }

  override finish(swarm: SwarmView): void {
    const healthy = swarm.healthy();
    for (const node of this.#crashed) {
      if (!swarm.world.isUp(node)) {
        this.report(swarm.nowMs, node, node, "did not come back");
        continue;
      }
      for (const other of healthy.filter((one) => one !== node)) {
        if (!swarm.shouldKnow(other, node)) continue;
        this.#sees(swarm, other, node);
        this.#sees(swarm, node, other);
      }
    }
  }

  #sees(swarm: SwarmView, observer: NodeIndex, subject: NodeIndex): void {
    this.checks++;
    const state = swarm.stateOf(observer, subject) ?? "unknown";
    if (state === "alive" || state === "suspect") return;
    this.report(swarm.nowMs, observer, subject, `sees it ${state} after a restart`);
  }
}
