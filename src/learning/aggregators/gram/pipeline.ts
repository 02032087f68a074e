// Pipelines in Gram space: pre-aggregators, then a rule, then one weighted sum of the rows as they came.

import type { Result } from "../../../foundation/index.ts";
import type { LearningErrorCode } from "../../codes.ts";
import {
  type Aggregate,
  type Aggregator,
  type AggregatorName,
  checkRows,
  sealResult,
} from "../aggregator.ts";
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
import {
  firstStage,
  type PreAggregatorName,
  preAggregators,
  toOriginal,
} from "./pre-aggregators.ts";
import type { GramRule } from "./rules.ts";

/** An aggregator of that name: the pre-aggregators in their order, then the rule. */
export function gramPipeline(
  name: AggregatorName,
  before: readonly PreAggregatorName[],
  rule: GramRule,
): Aggregator {
  return {
    name,
    minimum: rule.minimum,
    aggregate(rows, f, { kernels }): Result<Aggregate, LearningErrorCode> {
      const checked = checkRows(rows, f, rule.minimum(f));
      if (!checked.ok) return checked;
      const gram = { n: rows.length, values: kernels.gram(rows) };
      const stage = before.reduce(
        (at, next) => preAggregators[next](at, f, kernels),
        firstStage(gram),
      );
      const weights = sharesOf(quantiseWeights(toOriginal(stage, rule.weigh(stage.gram, f))));
      const distances = gramDistances(gram);
      const neighbours = nearestNeighbours(distances, gram.n, f);
      const inDegree = inDegrees(neighbours);
      return sealResult({
        vector: kernels.weightedSum(rows, weights),
        shares: [...weights],
        votes: Array.from(weights, (weight) => weight * gram.n),
        clip: [...stage.clip],
        ...placesOf(gram, weights),
        inDegree,
        rejected: outliers(distances, neighbours, inDegree, f),
      });
    },
  };
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
