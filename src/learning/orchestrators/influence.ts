// From a rule's answer over rows to a statement about identities.

import { type Result, ok } from "../../foundation/index.ts";
import type { AggregateContext, Aggregator } from "../aggregators/aggregator.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { Influence, RoundEntry } from "./round-orchestrator.ts";

/** Applies a rule to entries in their order. Refuses as the rule does. */
export function weighEntries(
  entries: readonly RoundEntry[],
  byzantine: number,
  rule: Aggregator,
  context: AggregateContext,
): Result<{ vector: Float32Array; influences: Influence[] }, LearningErrorCode> {
  const aggregated = rule.aggregate(
    entries.map(({ row }) => row),
    byzantine,
    context,
  );
  if (!aggregated.ok) return aggregated;
  const { vector, shares, rejected } = aggregated.value;
  const outliers = new Set(rejected);
  const influences = entries.map(({ nodeId }, i) => ({
    nodeId,
    share: shares[i] ?? 0,
    outlier: outliers.has(i),
  }));
  return ok({ vector, influences });
}
