// The direction in which weighted rows vary most, found in Gram space: the top eigenvector of the n x n matrix
// K_ij = sqrt(c_i c_j) / C (x_i - m) . (x_j - m), whose eigenvalues are those of the rows' covariance.

import { dot, entry, type Gram, times } from "./gram.ts";

/** Steps of the power iteration. */
const POWER_STEPS = 30;

export interface PrincipalDirection {
  /** The variance along it: the greatest eigenvalue of the weighted covariance. */
  readonly variance: number;
  /** Squared projection of each row, from the weighted mean, on the direction; 0 for rows without weight. */
  readonly parts: Float64Array;
}

/** @param counts weight of each row, not negative, not all zero */
export function topDirection(gram: Gram, counts: Float64Array): PrincipalDirection {
  const { n } = gram;
  const whole = counts.reduce((sum, count) => sum + count, 0);
  const centred = centredGram(gram, counts, whole);
  let direction = longestRow(centred);
  let variance = 0;
  for (let step = 0; step < POWER_STEPS; step++) {
    const next = times(centred, direction);
    variance = Math.sqrt(dot(next, next));
    if (variance === 0) return { variance, parts: new Float64Array(n) };
    direction = next.map((value) => value / variance);
  }
  const parts = direction.map((value, i) => {
    const count = counts[i] as number;
    return count === 0 ? 0 : (variance * value * value * whole) / count;
  });
  return { variance, parts };
}

function centredGram(gram: Gram, counts: Float64Array, whole: number): Gram {
  const { n } = gram;
  const inner = times(gram, counts).map((sum) => sum / whole);
  const mean = dot(inner, counts) / whole;
  const values = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const weight = Math.sqrt((counts[i] as number) * (counts[j] as number)) / whole;
      const product = entry(gram, i, j) - (inner[i] as number) - (inner[j] as number) + mean;
      values[i * n + j] = weight * product;
    }
  }
  return { n, values };
}

/**
 * Where the iteration starts: the matrix's row with the greatest diagonal, of equal ones the lower, at unit length. A start
 * that does not depend on the data could stand at right angles to the answer: all ones always does.
 */
function longestRow(centred: Gram): Float64Array {
  const { n, values } = centred;
  let longest = 0;
  for (let i = 1; i < n; i++) {
    if (entry(centred, i, i) > entry(centred, longest, longest)) longest = i;
  }
  const row = values.slice(longest * n, (longest + 1) * n);
  const length = Math.sqrt(dot(row, row));
  return length === 0 ? row : row.map((value) => value / length);
}
