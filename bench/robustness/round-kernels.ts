// The kernels of one round of the bench. Against twenty strengths of one attack the honest rows are the same, and all liars
// send one row: products of rows that were met before are remembered.

import { plainKernels, type VectorKernels } from "../../src/learning/index.ts";

/** Kernels that know the honest rows of a round. */
export function roundKernels(honest: readonly Float32Array[]): VectorKernels {
  const places = new Map(honest.map((row, i) => [row, i]));
  const products = pairs(honest, places, innerProduct);
  const distances = pairs(honest, places, squaredApart);
  return {
    ...plainKernels,
    gram: (rows) => products(rows),
    squaredDistances: (rows) => distances(rows),
  };
}

type PairFunction = (a: Float32Array, b: Float32Array) => number;

function pairs(
  honest: readonly Float32Array[],
  places: ReadonlyMap<Float32Array, number>,
  compute: PairFunction,
): (rows: readonly Float32Array[]) => Float64Array {
  const known = new Float64Array(honest.length ** 2).fill(Number.NaN);
  return (rows) => {
    const met = new Map<Float32Array, number>();
    const first = rows.map((row, i) => {
      if (!met.has(row)) met.set(row, i);
      return met.get(row) as number;
    });
    const place = rows.map((row) => places.get(row) ?? -1);
    const values = new Float64Array(rows.length ** 2);
    for (let i = 0; i < rows.length; i++) {
      for (let j = i; j < rows.length; j++) {
        const value = valueAt(i, j, first, place, rows, values);
        values[i * rows.length + j] = value;
        values[j * rows.length + i] = value;
      }
    }
    return values;
  };

  function valueAt(
    i: number,
    j: number,
    first: readonly number[],
    place: readonly number[],
    rows: readonly Float32Array[],
    values: Float64Array,
  ): number {
    const a = first[i] as number;
    const b = first[j] as number;
    if (a < i || (b < j && b >= i)) {
      // An equal row stood before: its value is there, above the diagonal.
      const [low, high] = a <= b ? [a, b] : [b, a];
      if (low !== i || high !== j) return values[low * rows.length + high] as number;
    }
    const at = (place[i] as number) * honest.length + (place[j] as number);
    const isKnown = (place[i] as number) >= 0 && (place[j] as number) >= 0;
    if (isKnown && !Number.isNaN(known[at] as number)) return known[at] as number;
    const value = compute(rows[i] as Float32Array, rows[j] as Float32Array);
    if (isKnown) known[at] = value;
    return value;
  }
}

function innerProduct(a: Float32Array, b: Float32Array): number {
  let even = 0;
  let odd = 0;
  let i = 0;
  for (; i + 1 < a.length; i += 2) {
    even += (a[i] as number) * (b[i] as number);
    odd += (a[i + 1] as number) * (b[i + 1] as number);
  }
  if (i < a.length) even += (a[i] as number) * (b[i] as number);
  return even + odd;
}

function squaredApart(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = (a[i] as number) - (b[i] as number);
    sum += apart * apart;
  }
  return sum;
}
