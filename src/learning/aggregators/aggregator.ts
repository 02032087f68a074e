// What an aggregation rule is. Rows are updates against the caller's own model, in canonical order (ascending node id);
// ties always go to the lower row. A rule whose precondition fails refuses; it never falls back to a weaker one.

import { type Result, ok, refuse } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import { allFinite, clearNegativeZeros } from "../tensors/model-spec.ts";
import type { Gram } from "./gram/gram.ts";
import type { VectorKernels } from "./kernels.ts";

/** The rules there are. */
export const aggregatorNames = [
  "mean",
  "median",
  "trimmed-mean",
  "nearest-neighbour-mixing",
  "geometric-median",
  "krum",
  "multi-krum",
  "centered-clipping",
  "caf",
  "spectral",
  "nnm+geometric-median",
  "arc+nnm+geometric-median",
  "arc+nnm+multi-krum",
  "arc+caf",
  "arc+spectral",
] as const;

/** One of {@link aggregatorNames}. */
export type AggregatorName = (typeof aggregatorNames)[number];

/** Rules that look at each coordinate by itself, so that rows must have a value in each. */
export const coordinateWiseRules: ReadonlySet<AggregatorName> = new Set([
  "median",
  "trimmed-mean",
  "nearest-neighbour-mixing",
]);

/** What a rule decided, and why. Lists have one entry a row. */
export interface Aggregate {
  readonly vector: Float32Array;
  /**
   * Share of each row in the result, summing to at most 1 (clipping leaves the rest with the base model) but for rounding. The
   * rules of the Gram space sum with exactly these weights, whole numbers of 2^-24; of a coordinate-wise rule they say
   * how often a row was kept.
   */
  readonly shares: readonly number[];
  /** Effective votes: the share times the number of rows, so 1 is an equal say. */
  readonly votes: readonly number[];
  /** By what factor adaptive robust clipping shortened each row: 1 where it did not, or where the rule has none. */
  readonly clip: readonly number[];
  /** Euclidean distance of each row to the result. */
  readonly distances: readonly number[];
  /** Cosine between each row and the result, -1 to 1; 0 where one of them is zero. */
  readonly cosines: readonly number[];
  /** By how many *other* rows each row is counted among their n - f nearest (its own vote left out). */
  readonly inDegree: readonly number[];
  /**
   * Rows far off that fewer than f others count as a neighbour: f colluding liars can give each other f - 1 such votes
   * and no more, so these have no support beyond what liars alone could fake. The rule has its own way of bounding
   * them; this is a statistic, not a proof: report, never evict.
   */
  readonly rejected: readonly number[];
}

/** What a rule may use beside the rows. */
export interface AggregateContext {
  readonly kernels: VectorKernels;
}

/** An aggregation rule: a pure function with a name and a precondition. */
export interface Aggregator {
  readonly name: AggregatorName;
  /** Fewest rows the rule stands on when f of them may lie. */
  minimum(f: number): number;
  /**
   * @param rows n vectors of one length, ascending node id; left unchanged
   * @param f how many of them may lie, an integer >= 0
   * Codes: `learning/too-few-updates` (n below the minimum), `learning/wrong-shape` (unequal lengths),
   * `learning/not-finite` (a row, or the result in float32).
   */
  aggregate(
    rows: readonly Float32Array[],
    f: number,
    context: AggregateContext,
  ): Result<Aggregate, LearningErrorCode>;
  /**
   * Of the rules of the Gram space: everything but the sum, out of the rows' inner products.
   * Codes: `learning/too-few-updates`.
   */
  weigh?(gram: Gram, f: number, context: AggregateContext): Result<Explanation, LearningErrorCode>;
}

/** What a rule says of the rows; the result is their sum, each times its share. */
export type Explanation = Omit<Aggregate, "vector">;

/**
 * The result as every node must have it: -0 becomes +0, for the two have different bytes. In place. A sum of finite rows may still
 * leave float32. Codes: `learning/not-finite`.
 */
export function sealResult(aggregate: Aggregate): Result<Aggregate, LearningErrorCode> {
  const { vector } = aggregate;
  if (!allFinite(vector)) return refuse("learning/not-finite", "the result");
  clearNegativeZeros(vector);
  return ok(aggregate);
}

/** Checks how many rows there are. */
export function checkCount(
  n: number,
  f: number,
  minimum: number,
): Result<number, LearningErrorCode> {
  if (Number.isSafeInteger(f) && f >= 0 && n > 0 && n >= minimum) return ok(n);
  return refuse("learning/too-few-updates", `${n} rows, f = ${f}, at least ${minimum} needed`);
}

/** Checks what every rule demands of its rows. */
export function checkRows(
  rows: readonly Float32Array[],
  f: number,
  minimum: number,
): Result<{ readonly length: number }, LearningErrorCode> {
  const counted = checkCount(rows.length, f, minimum);
  if (!counted.ok) return counted;
  const first = rows[0] as Float32Array;
  for (const row of rows) {
    if (row.length !== first.length) return refuse("learning/wrong-shape");
    if (!allFinite(row)) return refuse("learning/not-finite");
  }
  return ok({ length: first.length });
}
