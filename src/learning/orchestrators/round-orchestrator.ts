// What an orchestrator decides in a certified round: when the round may close, which updates may enter, and what is
// computed from those that entered. It decides nothing about who agrees: that is the protocol's, and the same for all.

import type { Result } from "../../foundation/index.ts";
import type { AggregateContext, AggregatorName } from "../aggregators/aggregator.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { RoundPolicy } from "../protocol/index.ts";
import type { ParticipantId } from "../task.ts";

/** An update that the round's agreed set holds. */
export interface RoundEntry {
  readonly nodeId: ParticipantId;
  /** Certified round whose model it was trained from; 0 is the task's initial model. */
  readonly baseRound: number;
  /** The trained model minus that model. */
  readonly row: Float32Array;
}

/** What every node computes a round from: equal on all, so is the result. */
export interface RoundInput {
  /** The round, 1-based. */
  readonly round: number;
  /** Digest of the certificate before, 64 hex digits: nobody knew it when it could have helped to place liars. */
  readonly beacon: string;
  /** The step of the round's quantised updates. */
  readonly stepSize: number;
  /** The agreed set in ascending node id, one entry an identity. With staleness it has entries of earlier rounds, too. */
  readonly entries: readonly RoundEntry[];
}

/** One identity's part in a round. */
export interface Influence {
  readonly nodeId: ParticipantId;
  /** Share of its update in the step; all sum to at most 1 but for rounding. */
  readonly share: number;
  /** By what factor clipping shortened it; 1 where it did not. */
  readonly clip: number;
  /** From the result that its row went into: the round's, or its zone's. */
  readonly distance: number;
  readonly cosine: number;
  /** How many others counted it among their nearest. */
  readonly inDegree: number;
  /** Far off and without neighbours beyond what liars could fake: weighed down, and worth a look. */
  readonly outlier: boolean;
}

/** The step that the model takes, and why. */
export interface RoundOutput {
  /** What is added to the model. */
  readonly vector: Float32Array;
  /** Ascending node id. */
  readonly influences: readonly Influence[];
}

/** A strategy over the round protocol. */
export interface RoundOrchestrator extends RoundPolicy {
  /**
   * A pure function of its input. A refusal holds the model. Codes: `learning/too-few-updates` and those of the rule.
   */
  combine(
    input: RoundInput,
    aggregator: AggregatorName,
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode>;
}

/** How far behind an entry's base is: 0 when it was trained from the newest certified model. */
export function ageOf(entry: Pick<RoundEntry, "baseRound">, round: number): number {
  return round - 1 - entry.baseRound;
}
