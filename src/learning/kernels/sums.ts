// Sums over rows in plain TypeScript: twin of wasm/learning/sums.ts.

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

/** Float32 of the quotients; what is negative and rounds to nothing becomes +0. */
function rounded(sums: Float64Array, divisor: number): Float32Array {
  const values = new Float32Array(sums.length);
  for (let c = 0; c < sums.length; c++) {
    values[c] = Math.fround((sums[c] as number) / divisor) + 0;
  }
  return values;
}
