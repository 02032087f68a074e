// What a colluding attacker computes of the honest rows. In float64; not part of any certified result.

/** Coordinate-wise mean. */
export function meanRow(rows: readonly Float32Array[]): Float64Array {
  const sums = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) addTo(sums, row, 1 / rows.length);
  return sums;
}

/** Coordinate-wise standard deviation around `mean`. */
export function deviationRow(rows: readonly Float32Array[], mean: Float64Array): Float64Array {
  const sums = new Float64Array(mean.length);
  for (const row of rows) {
    for (let c = 0; c < sums.length; c++) {
      const apart = (row[c] as number) - (mean[c] as number);
      sums[c] = (sums[c] as number) + apart * apart;
    }
  }
  return sums.map((sum) => Math.sqrt(sum / rows.length));
}

/** sums += factor * row. */
export function addTo(sums: Float64Array, row: Float32Array | Float64Array, factor: number): void {
  for (let c = 0; c < sums.length; c++) sums[c] = (sums[c] as number) + factor * (row[c] as number);
}

/** mean + factor * direction, as a row. */
export function along(mean: Float64Array, direction: Float64Array, factor: number): Float32Array {
  const row = new Float32Array(mean.length);
  for (let c = 0; c < row.length; c++) {
    row[c] = (mean[c] as number) + factor * (direction[c] as number);
  }
  return row;
}

/** Inner product. */
export function inner(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] as number) * (b[c] as number);
  return sum;
}

/** Squared Euclidean distance. */
export function squaredApart(
  a: Float32Array | Float64Array,
  b: Float32Array | Float64Array,
): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += ((a[c] as number) - (b[c] as number)) ** 2;
  return sum;
}

/** The z below which a standard normal number lies with probability p, 0 < p < 1: bisection on the series of its distribution. */
export function normalQuantile(p: number): number {
  let low = -8;
  let high = 8;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalProbability(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalProbability(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 1; Math.abs(term) > 1e-17 && k < 200; k++) {
    term *= (z * z) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}
