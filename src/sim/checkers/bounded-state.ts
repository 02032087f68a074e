// Bounded state: under any flood, what a node remembers stays within its limits, and strangers do not
// become members.

import { meshDefaults, type MeshOptions } from "../../mesh/index.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

const OBSERVERS_MAX = 16;

/** Looks at sizes. */
export class BoundedState extends Checker {
  readonly name = "bounded-state";
  readonly #options: MeshOptions;
  #next = 0;

  constructor(options: Partial<MeshOptions> = {}) {
    super();
    this.#options = { ...meshDefaults, ...options };
  }

  override check(swarm: SwarmView): void {
    const { membersMax } = this.#options;
    for (let turn = 0; turn < Math.min(OBSERVERS_MAX, swarm.size); turn++) {
      const observer = this.#next++ % swarm.size;
      const machine = swarm.node(observer)?.machine;
      if (machine === undefined) continue;
      this.checks++;
      const members = machine.members();
      const strangers = members.filter(({ nodeId }) => swarm.census.find(nodeId) === undefined);
      const say = (what: string): void => this.report(swarm.nowMs, observer, observer, what);
      if (members.length > membersMax) say(`has ${members.length} members, at most ${membersMax}`);
      if (strangers.length > 0) say(`has ${strangers.length} members that nobody vouches for`);
      const connections = swarm.peers(observer).length;
      if (connections > swarm.connectionsMax) say(`has ${connections} connections`);
    }
  }
}
