// Inner products and squared distances of all pairs of rows, in plain TypeScript: twin of wasm/learning/pairs.ts.

import { greatestMagnitude, isOrdinary, TILE } from "./layout.ts";

/** A sum over the coordinates of two rows, with float64 lanes if `wide`. */
type PairSum = (a: Float32Array, b: Float32Array, wide: boolean) => number;

/** Inner products, row-major n x n, symmetric. */
export function gram(rows: readonly Float32Array[]): Float64Array {
  return pairs(rows, innerProduct);
}

/**
 * Squared Euclidean distances, row-major n x n, symmetric. Differences are squared directly: inner products would cancel
 * for near rows that are far from zero.
 */
export function squaredDistances(rows: readonly Float32Array[]): Float64Array {
  return pairs(rows, squaredDistance);
}

function pairs(rows: readonly Float32Array[], sumOf: PairSum): Float64Array {
  const n = rows.length;
  const wide = rows.map((row) => !isOrdinary(greatestMagnitude(row)));
  const sums = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const eitherWide = wide[i] === true || wide[j] === true;
      const sum = sumOf(rows[i] as Float32Array, rows[j] as Float32Array, eitherWide);
      sums[i * n + j] = sum;
      sums[j * n + i] = sum;
    }
  }
  return sums;
}

function innerProduct(a: Float32Array, b: Float32Array, wide: boolean): number {
  let sum = 0;
  for (let begin = 0; begin < a.length; begin += TILE) {
    const end = Math.min(begin + TILE, a.length);
    let [l0, l1, l2, l3] = [0, 0, 0, 0];
    for (let c = begin; c < end; c += 4) {
      l0 = plus(l0, (a[c] as number) * (b[c] as number), wide);
      if (c + 1 < end) l1 = plus(l1, (a[c + 1] as number) * (b[c + 1] as number), wide);
      if (c + 2 < end) l2 = plus(l2, (a[c + 2] as number) * (b[c + 2] as number), wide);
      if (c + 3 < end) l3 = plus(l3, (a[c + 3] as number) * (b[c + 3] as number), wide);
    }
    sum += l0 + l1 + (l2 + l3);
  }
  return sum;
}

function squaredDistance(a: Float32Array, b: Float32Array, wide: boolean): number {
  let sum = 0;
  for (let begin = 0; begin < a.length; begin += TILE) {
    const end = Math.min(begin + TILE, a.length);
    let [l0, l1, l2, l3] = [0, 0, 0, 0];
    for (let c = begin; c < end; c += 4) {
      l0 = plus(l0, apartSquared(a, b, c, wide), wide);
      if (c + 1 < end) l1 = plus(l1, apartSquared(a, b, c + 1, wide), wide);
      if (c + 2 < end) l2 = plus(l2, apartSquared(a, b, c + 2, wide), wide);
      if (c + 3 < end) l3 = plus(l3, apartSquared(a, b, c + 3, wide), wide);
    }
    sum += l0 + l1 + (l2 + l3);
  }
  return sum;
}

function apartSquared(a: Float32Array, b: Float32Array, c: number, wide: boolean): number {
  const apart = (a[c] as number) - (b[c] as number);
  const narrow = wide ? apart : Math.fround(apart);
  return narrow * narrow;
}

/** Two float32 have their sum, difference and product rounded rightly by way of float64. */
function plus(lane: number, term: number, wide: boolean): number {
  return wide ? lane + term : Math.fround(lane + Math.fround(term));
}
