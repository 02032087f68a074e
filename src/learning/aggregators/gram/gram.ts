// The Gram space: everything that the rules need of n rows is in the n x n matrix of their inner products. Rules decide on
// that matrix and answer with n weights; only then the rows are touched once more, for one weighted sum. The weights
// are also the explanation that an operator is shown. All arithmetic is float64 in row order, with +, -, *, / and the
// square root alone, which IEEE 754 rounds correctly: equal rows give equal bits on every host.

import { ofRank } from "../selection.ts";

/** Inner products of n rows: row-major, symmetric, n x n. */
export interface Gram {
  readonly n: number;
  readonly values: Float64Array;
}

/** Weights of the rows, one each, or nothing where a rule's precondition fails. */
export type Weights = Float64Array;

/** `G_ij`. */
export function entry({ n, values }: Gram, i: number, j: number): number {
  return values[i * n + j] as number;
}

/** Squared distances `max(0, G_ii + G_jj - 2 G_ij)` of the upper triangle, mirrored: row-major, zero diagonal. */
export function gramDistances({ n, values }: Gram): Float64Array {
  const lengths = Float64Array.from({ length: n }, (_, i) => values[i * n + i] as number);
  const distances = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const own = lengths[i] as number;
    for (let j = i + 1; j < n; j++) {
      const apart = Math.max(0, own + (lengths[j] as number) - 2 * (values[i * n + j] as number));
      distances[i * n + j] = apart;
      distances[j * n + i] = apart;
    }
  }
  return distances;
}

/** `G w`, each sum in the order of the columns. Four rows go together: none waits for its last addition. */
export function times({ n, values }: Gram, weights: Weights): Float64Array {
  const product = new Float64Array(n);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = 0, at = i * n; j < n; j++, at++) {
      const weight = weights[j] as number;
      s0 += (values[at] as number) * weight;
      s1 += (values[at + n] as number) * weight;
      s2 += (values[at + 2 * n] as number) * weight;
      s3 += (values[at + 3 * n] as number) * weight;
    }
    product[i] = s0;
    product[i + 1] = s1;
    product[i + 2] = s2;
    product[i + 3] = s3;
  }
  for (; i < n; i++) product[i] = dot(values.subarray(i * n, (i + 1) * n), weights);
  return product;
}

/** `a . b`. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** Squared distance of each row to the point `sum w_j x_j`: `G_ii - 2 (G w)_i + w G w`, never negative. */
export function distancesTo(gram: Gram, weights: Weights): Float64Array {
  const product = times(gram, weights);
  const own = dot(weights, product);
  return product.map((inner, i) => Math.max(0, entry(gram, i, i) - 2 * inner + own));
}

/** The middle one of the values, of an even count the lower. */
export function lowerMedian(values: Float64Array): number {
  return values.length === 0 ? 0 : ofRank(values.slice(), Math.floor((values.length - 1) / 2));
}

/** Every row the same weight, summing to 1. */
export function equalWeights(n: number): Weights {
  return new Float64Array(n).fill(1 / n);
}

/** Row numbers by ascending value; equal values by row. */
export function ascending(values: Float64Array): number[] {
  const rows = Array.from(values, (_, i) => i);
  return rows.sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
}

/** An inner product over the product of lengths, kept to -1..1; 0 where a length is 0. */
export function cosine(product: number, lengths: number): number {
  return lengths > 0 ? Math.min(1, Math.max(-1, product / lengths)) : 0;
}
