// Batch-async: a round closes with the first K of N updates, and waits for nobody in particular.
//
// Liars answer first, so the f of the population may all be among the K: f stays f inside the quorum, and a quorum of
// K <= 2f is refused. Liars may also stay silent, so a fixed K above N - f might never come: at the deadline N - f is
// enough. With N = 1000 and f = 300 the target may be 850, the floor is 700, and 600 are never accepted.

import type { Result } from "../../foundation/index.ts";
import type { AggregateContext, AggregatorName } from "../aggregators/aggregator.ts";
import type { LearningErrorCode } from "../codes.ts";
import {
  type BatchAsyncOptions,
  batchAsyncPolicy,
  type RoundPolicy,
  type RoundView,
} from "../protocol/index.ts";
import { weighEntries } from "./influence.ts";
import type { RoundInput, RoundOrchestrator, RoundOutput } from "./round-orchestrator.ts";

/** K of N with a floor at the deadline. */
export class BatchAsyncOrchestrator implements RoundOrchestrator {
  readonly stalenessMax: number;
  readonly deadlineMs: number;
  readonly #policy: RoundPolicy;
  readonly #byzantine: number;

  /**
   * @param population `byzantine`: f of the population
   * @throws MeshError `learning/bad-task` when no quorum can be both reachable and safe
   */
  constructor(
    options: BatchAsyncOptions,
    population: { readonly participants: number; readonly byzantine: number },
  ) {
    this.#byzantine = population.byzantine;
    this.#policy = batchAsyncPolicy(options, population.participants, population.byzantine);
    this.stalenessMax = this.#policy.stalenessMax;
    this.deadlineMs = this.#policy.deadlineMs;
  }

  closes(view: RoundView): "wait" | "close" | "void" {
    return this.#policy.closes(view);
  }

  combine(
    { entries }: RoundInput,
    aggregator: AggregatorName,
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode> {
    // The ladder holds below 2f + 1.
    return weighEntries(entries, this.#byzantine, aggregator, context);
  }
}
