// Batch-async: a round closes with the first K of N updates, and waits for nobody in particular.
//
// Liars answer first, so the f of the population may all be among the K: f stays f inside the quorum, and a quorum of
// K <= 2f is refused. Liars may also stay silent, so a fixed K above N - f might never come: at the deadline N - f is
// enough. With N = 1000 and f = 300 the target may be 850, the floor is 700, and 600 are never accepted.

import { MeshError, refuse, type Result } from "../../foundation/index.ts";
import type { AggregateContext, Aggregator } from "../aggregators/aggregator.ts";
import type { LearningErrorCode } from "../codes.ts";
import { weighEntries } from "./influence.ts";
import type {
  RoundInput,
  RoundOrchestrator,
  RoundOutput,
  RoundView,
} from "./round-orchestrator.ts";

export interface BatchAsyncOptions {
  /** N. */
  readonly participants: number;
  /** f of the population. */
  readonly byzantine: number;
  /** K: 2f + 1 to N. Higher: more samples a round, and a longer wait for the slow. */
  readonly target: number;
  /** After so long the floor N - f is enough. Shorter: slow honest nodes count less often. */
  readonly deadlineMs: number;
}

/** K of N with a floor at the deadline. */
export class BatchAsyncOrchestrator implements RoundOrchestrator {
  readonly stalenessMax = 0;
  readonly #options: BatchAsyncOptions;

  /** @throws MeshError `learning/bad-task` when no quorum can be both reachable and safe */
  constructor(options: BatchAsyncOptions) {
    const { participants, byzantine, target } = options;
    if (target <= 2 * byzantine || target > participants) {
      throw new MeshError(
        "learning/bad-task",
        `Cannot close rounds at ${target} of ${participants} updates with ${byzantine} liars: the target must be from ` +
          `${2 * byzantine + 1} to ${participants}. Set orchestrator.target within.`,
        { target, participants, byzantine },
      );
    }
    this.#options = options;
  }

  closes({ held, elapsedMs }: RoundView): "wait" | "close" | "void" {
    const { participants, byzantine, target, deadlineMs } = this.#options;
    if (held >= target) return "close";
    if (elapsedMs < deadlineMs) return "wait";
    const floor = Math.min(target, participants - byzantine);
    return held >= floor && held > 2 * byzantine ? "close" : "void";
  }

  combine(
    { entries }: RoundInput,
    rule: Aggregator,
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode> {
    const { byzantine } = this.#options;
    if (entries.length <= 2 * byzantine) {
      return refuse("learning/too-few-updates", `${entries.length} updates, f = ${byzantine}`);
    }
    const weighed = weighEntries(entries, byzantine, rule, context);
    return weighed.ok ? { ok: true, value: { ...weighed.value, memory: [] } } : weighed;
  }
}
