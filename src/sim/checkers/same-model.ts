// Same model: every honest participant computes from a decided set what the others compute, and ends with the same certificate and
// the same model, to the bit.

import type { Certificate } from "../../learning/index.ts";
import type { LearningListener } from "../learning/learning-types.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** Compares what participants end with. */
export class SameModel extends Checker implements LearningListener {
  readonly name = "same-model";
  readonly #swarm: Swarm;
  readonly #world: LearningWorld;

  constructor(swarm: Swarm, world: LearningWorld) {
    super();
    this.#swarm = swarm;
    this.#world = world;
  }

  roundCertified(node: NodeIndex, { round }: Certificate, own: "same" | "other" | "none"): void {
    this.checks++;
    if (own !== "other") return;
    this.report(this.#swarm.nowMs, node, node, `computed another result of round ${round}`);
  }

  split(node: NodeIndex, round: number): void {
    this.report(this.#swarm.nowMs, node, node, `sees no result of round ${round} with a quorum`);
  }

  override finish(swarm: Swarm): void {
    const { honest } = this.#world;
    const [first] = honest;
    if (first === undefined) return;
    const expected = this.#world.diskOf(first).last;
    for (const node of honest) {
      this.checks++;
      const { last, contents } = this.#world.diskOf(node);
      if (last?.certificate !== expected?.certificate) {
        const what = `ends with round ${last?.round ?? 0}, node ${first} with ${expected?.round ?? 0}`;
        this.report(swarm.nowMs, node, first, what);
      } else if (last !== undefined && !contents.has(last.model)) {
        this.report(swarm.nowMs, node, first, "does not have the model that it ends with");
      }
    }
  }
}
