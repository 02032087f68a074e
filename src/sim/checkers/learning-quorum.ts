// Learning quorum: no round is certified on so few updates that the liars, who may be among the first to answer, could be half of
// them: K > 2f, and at least the n - f that the floor promises. A stream waits for nobody: a table of K <= 2f keeps the model.

import { type Certificate, decodeSummary } from "../../learning/index.ts";
import type { LearningListener } from "../learning/learning-types.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** Counts the updates of certified rounds. */
export class LearningQuorum extends Checker implements LearningListener {
  readonly name = "learning-quorum";
  readonly #swarm: Pick<Swarm, "nowMs">;
  readonly #floor: number;
  readonly #mayHold: boolean;

  constructor(swarm: Pick<Swarm, "nowMs">, { task: { manifest } }: Pick<LearningWorld, "task">) {
    super();
    const { participants, byzantine, orchestrator } = manifest;
    this.#swarm = swarm;
    this.#mayHold = orchestrator.kind === "streaming";
    const answers = this.#mayHold ? 0 : participants.length - byzantine;
    this.#floor = Math.max(answers, 2 * byzantine + 1);
  }

  roundCertified(node: NodeIndex, { decision, round, result }: Certificate): void {
    if (decision.kind === "void") return;
    this.checks++;
    const { length } = decision.entries;
    if (length >= this.#floor) return;
    const summary = decodeSummary(result.summary);
    if (this.#mayHold && summary.ok && summary.value.held) return;
    const what = `took round ${round} with ${length} updates, at least ${this.#floor} are needed`;
    this.report(this.#swarm.nowMs, node, node, what);
  }
}
