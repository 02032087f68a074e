// From a rule's answer over rows to a statement about identities.

import { type Result, ok, refuse } from "../../foundation/index.ts";
import type { AggregateContext, AggregatorName } from "../aggregators/aggregator.ts";
import { AggregationLadder } from "../aggregators/ladder.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { Influence, RoundEntry, RoundOutput } from "./round-orchestrator.ts";

/** Applies a rule, or what the ladder puts in its place, to entries in their order. Refuses where the ladder holds. */
export function weighEntries(
  entries: readonly RoundEntry[],
  byzantine: number,
  aggregator: AggregatorName,
  context: AggregateContext,
): Result<RoundOutput, LearningErrorCode> {
  const ladder = new AggregationLadder({ aggregator, byzantine });
  const result = ladder.aggregate(
    entries.map(({ row }) => row),
    context,
  );
  if (!("aggregate" in result)) return refuse(result.rung.code, result.rung.why);
  const { vector, shares, clip, distances, cosines, inDegree, rejected } = result.aggregate;
  const outliers = new Set(rejected);
  const influences: Influence[] = entries.map(({ nodeId }, i) => ({
    nodeId,
    share: shares[i] as number,
    clip: clip[i] as number,
    distance: distances[i] as number,
    cosine: cosines[i] as number,
    inDegree: inDegree[i] as number,
    outlier: outliers.has(i),
  }));
  return ok({ vector, influences });
}
