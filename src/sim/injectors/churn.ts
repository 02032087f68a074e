// Churn, the fifth traffic pattern: in each period a share of the nodes leaves in order and comes back half a
// period later.

import type { NodeIndex } from "../node-types.ts";
import type { SeededRandom } from "../random.ts";
import type { Traffic } from "../scenarios/schema.ts";
import type { Swarm } from "../swarm.ts";

/** Lets nodes leave and return. */
export class Churn {
  readonly #swarm: Swarm;
  readonly #traffic: Traffic;
  readonly #exempt: ReadonlySet<NodeIndex>;
  readonly #random: SeededRandom;
  #away: NodeIndex[] = [];
  #running = true;

  /** `exempt`: nodes that stay. */
  constructor(
    swarm: Swarm,
    traffic: Traffic,
    exempt: ReadonlySet<NodeIndex>,
    random: SeededRandom,
  ) {
    this.#swarm = swarm;
    this.#traffic = traffic;
    this.#exempt = exempt;
    this.#random = random;
  }

  /** Plans the turns; nothing for another pattern. */
  start(): void {
    if (this.#traffic.pattern === "churn") this.#planTurn(this.#traffic.period);
  }

  /** Everyone who is away comes back, and nobody leaves any more. */
  stop(): void {
    this.#running = false;
    this.#return();
  }

  #planTurn(atMs: number): void {
    const { world } = this.#swarm;
    world.plan(atMs, "churn", () => {
      if (!this.#running) return;
      const candidates = this.#swarm.healthy().filter((node) => !this.#exempt.has(node));
      const wanted = Math.max(1, Math.round(this.#traffic.share * this.#swarm.size));
      this.#away = this.#random.sample(candidates, Math.min(wanted, candidates.length - 2));
      for (const node of this.#away) this.#swarm.stop(node);
      world.plan(atMs + this.#traffic.period / 2, "churn returns", () => this.#return());
      this.#planTurn(atMs + this.#traffic.period);
    });
  }

  #return(): void {
    for (const node of this.#away) this.#swarm.restart(node);
    this.#away = [];
  }
}
