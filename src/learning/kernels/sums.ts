// Sums over rows in plain TypeScript: twin of wasm/learning/sums.ts and matrix.ts.

/** `sum weights[i] * rows[i]`, in float64 in the order of the rows; rows of weight 0 are left out. */
export function weightedSum(rows: readonly Float32Array[], weights: Float64Array): Float32Array {
  const sums = new Float64Array(rows[0]?.length ?? 0);
  rows.forEach((row, i) => {
    const weight = weights[i] as number;
    if (weight === 0) return;
    for (let c = 0; c < sums.length; c++) {
      sums[c] = (sums[c] as number) + weight * (row[c] as number);
    }
  });
  return rounded(sums, 1);
}

/** Mean of the chosen rows, summed in the order of `indices`. */
export function meanOf(rows: readonly Float32Array[], indices: readonly number[]): Float32Array {
  const sums = new Float64Array(rows[0]?.length ?? 0);
  for (const index of indices) {
    const row = rows[index] as Float32Array;
    for (let c = 0; c < sums.length; c++) sums[c] = (sums[c] as number) + (row[c] as number);
  }
  return rounded(sums, indices.length);
}

/**
 * For a symmetric n x n matrix M of inner products of rows, those of the means of the rows in each list: of M the means of the listed
 * rows, and of these the means of the listed columns. Sums are in the order of the lists; the upper triangle is computed and mirrored.
 */
export function mixed(
  matrix: Float64Array,
  n: number,
  lists: readonly (readonly number[])[],
): Float64Array {
  const halfway = new Float64Array(n * n);
  const products = new Float64Array(n * n);
  const mean = new Float64Array(n);
  for (const [k, list] of lists.entries()) {
    meanOfRows(mean, matrix, list, 0);
    for (let c = 0; c < n; c++) halfway[c * n + k] = mean[c] as number;
  }
  for (const [k, list] of lists.entries()) {
    meanOfRows(mean, halfway, list, k);
    for (let c = k; c < n; c++) {
      products[k * n + c] = mean[c] as number;
      products[c * n + k] = mean[c] as number;
    }
  }
  return products;
}

/** The mean of the listed rows of a matrix, from column `first` on. */
function meanOfRows(
  mean: Float64Array,
  matrix: Float64Array,
  list: readonly number[],
  first: number,
): void {
  const n = mean.length;
  mean.fill(0);
  for (const i of list) {
    for (let c = first; c < n; c++) mean[c] = (mean[c] as number) + (matrix[i * n + c] as number);
  }
  for (let c = first; c < n; c++) mean[c] = (mean[c] as number) / list.length;
}

/** Float32 of the quotients; what is negative and rounds to nothing becomes +0. */
function rounded(sums: Float64Array, divisor: number): Float32Array {
  const values = new Float32Array(sums.length);
  for (let c = 0; c < sums.length; c++) {
    values[c] = Math.fround((sums[c] as number) / divisor) + 0;
  }
  return values;
}
