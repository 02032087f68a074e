// Pipelines in Gram space: pre-aggregators, then a rule, then one weighted sum of the rows as they came.

import { ok, type Result, refuse } from "../../../foundation/index.ts";
import type { LearningErrorCode } from "../../codes.ts";
import {
  type Aggregate,
  type AggregateContext,
  type Aggregator,
  type AggregatorName,
  checkCount,
  checkRows,
  type Explanation,
  sealResult,
} from "../aggregator.ts";
import type { RowStore } from "../../kernels/row-store.ts";
import { inDegrees, nearestNeighbours, outliers } from "../neighbours.ts";
import { quantiseWeights, sharesOf } from "../weights.ts";
import {
  cosine,
  distancesTo,
  dot,
  entry,
  type Gram,
  gramDistances,
  times,
  type Weights,
} from "./gram.ts";
import { firstStage, type PreAggregatorName, preAggregators } from "./pre-aggregators.ts";
import type { GramRule } from "./rules.ts";

/** An aggregator of that name: the pre-aggregators in their order, then the rule. */
export function gramPipeline(
  name: AggregatorName,
  before: readonly PreAggregatorName[],
  rule: GramRule,
): Aggregator {
  const weigh = (
    gram: Gram,
    f: number,
    { kernels }: AggregateContext,
  ): Result<Explanation, LearningErrorCode> => {
    const checked = checkCount(gram.n, f, rule.minimum(f));
    if (!checked.ok) return checked;
    const stage = before.reduce(
      (at, next) => preAggregators[next](at, f, kernels),
      firstStage(gram),
    );
    const weights = sharesOf(quantiseWeights(stage.toOriginal(rule.weigh(stage.gram, f))));
    const distances = gramDistances(gram);
    const neighbours = nearestNeighbours(distances, gram.n, f);
    const inDegree = inDegrees(neighbours);
    return ok({
      shares: [...weights],
      votes: Array.from(weights, (weight) => weight * gram.n),
      clip: [...stage.clip],
      ...placesOf(gram, weights),
      inDegree,
      rejected: outliers(distances, neighbours, inDegree, f),
    });
  };
  return {
    name,
    minimum: rule.minimum,
    weigh,
    aggregate(rows, f, context): Result<Aggregate, LearningErrorCode> {
      const checked = checkRows(rows, f, rule.minimum(f));
      if (!checked.ok) return checked;
      const { kernels } = context;
      const weighed = weigh({ n: rows.length, values: kernels.gram(rows) }, f, context);
      if (!weighed.ok) return weighed;
      const weights = Float64Array.from(weighed.value.shares);
      return sealResult({ ...weighed.value, vector: kernels.weightedSum(rows, weights) });
    },
  };
}

/**
 * A rule of the Gram space over rows in a store, whose inner products are there already: what `aggregate` gives for the same rows.
 * @param slots the rows, ascending node id
 * Codes: as of `aggregate`; `learning/feature-unavailable` for a rule that is not of the Gram space
 */
export function aggregateStored(
  rule: Aggregator,
  store: RowStore,
  slots: readonly number[],
  f: number,
  context: AggregateContext,
): Result<Aggregate, LearningErrorCode> {
  if (rule.weigh === undefined) {
    return refuse("learning/feature-unavailable", `${rule.name} is not of the Gram space`);
  }
  const weighed = rule.weigh({ n: slots.length, values: store.gram(slots) }, f, context);
  if (!weighed.ok) return weighed;
  const weights = Float64Array.from(weighed.value.shares);
  return sealResult({ ...weighed.value, vector: store.weightedSum(slots, weights) });
}

/** Where each row lies as seen from the weighted sum: all of it is in the Gram matrix. */
function placesOf(gram: Gram, weights: Weights): Pick<Aggregate, "distances" | "cosines"> {
  const inner = times(gram, weights);
  const length = Math.sqrt(Math.max(0, dot(weights, inner)));
  return {
    distances: Array.from(distancesTo(gram, weights), Math.sqrt),
    cosines: Array.from(inner, (product, i) =>
      cosine(product, Math.sqrt(entry(gram, i, i)) * length),
    ),
  };
}
