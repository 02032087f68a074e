// The kernels of one round of the bench. Against twenty strengths of one attack the honest rows are the same, and all liars
// send one row: each pair of different rows is multiplied once, each pair of honest rows once a round.

import { plainKernels, type VectorKernels } from "../../src/learning/index.ts";

/** Kernels that know the honest rows of a round. */
export function roundKernels(honest: readonly Float32Array[]): VectorKernels {
  return {
    ...plainKernels,
    gram: pairMatrix(honest, innerProduct),
    squaredDistances: pairMatrix(honest, squaredApart),
  };
}

type PairFunction = (a: Float32Array, b: Float32Array) => number;

function pairMatrix(
  honest: readonly Float32Array[],
  compute: PairFunction,
): (rows: readonly Float32Array[]) => Float64Array {
  const places = new Map(honest.map((row, i) => [row, i]));
  const known = new Float64Array(honest.length ** 2).fill(Number.NaN);
  const valueOf = (a: Float32Array, b: Float32Array): number => {
    const i = places.get(a);
    const j = places.get(b);
    if (i === undefined || j === undefined) return compute(a, b);
    const at = i * honest.length + j;
    if (Number.isNaN(known[at])) known[at] = compute(a, b);
    return known[at] as number;
  };
  return (rows) => {
    const different = [...new Set(rows)];
    const index = new Map(different.map((row, i) => [row, i]));
    const small = matrix(different.length, (i, j) =>
      valueOf(different[i] as Float32Array, different[j] as Float32Array),
    );
    const place = rows.map((row) => index.get(row) ?? 0);
    return matrix(
      rows.length,
      (i, j) => small[(place[i] as number) * different.length + (place[j] as number)] as number,
    );
  };
}

/** A symmetric matrix from its upper half. */
function matrix(n: number, valueAt: (i: number, j: number) => number): Float64Array {
  const values = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const value = valueAt(i, j);
      values[i * n + j] = value;
      values[j * n + i] = value;
    }
  }
  return values;
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
