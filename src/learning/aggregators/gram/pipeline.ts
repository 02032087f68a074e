// Pipelines in Gram space: pre-aggregators, then a rule, then one weighted sum of the rows as they came.

import { type Result, ok, refuse } from "../../../foundation/index.ts";
import type { LearningErrorCode } from "../../codes.ts";
import { allFinite } from "../../tensors/model-spec.ts";
import { type Aggregate, type Aggregator, type AggregatorName, checkRows } from "../aggregator.ts";
import { inDegrees, nearestNeighbours, outliers } from "../neighbours.ts";
import { gramDistances } from "./gram.ts";
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
      const weights = toOriginal(stage, rule.weigh(stage.gram, f));
      const vector = kernels.weightedSum(rows, weights);
      if (!allFinite(vector)) return refuse("learning/not-finite", "the result");
      const distances = gramDistances(gram);
      const neighbours = nearestNeighbours(distances, gram.n, f);
      const inDegree = inDegrees(neighbours);
      const rejected = outliers(distances, neighbours, inDegree, f);
      return ok({ vector, shares: [...weights], inDegree, rejected });
    },
  };
}
