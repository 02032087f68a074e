// The direction in which weighted rows vary most, found in Gram space: the top eigenvector of the n x n matrix
// K_ij = sqrt(c_i c_j) / C (x_i - m) . (x_j - m), whose eigenvalues are those of the rows' covariance. K is never written down:
// K u is one product with the Gram matrix. Lanczos's iteration (1950) gets out of ten such products what thirty steps of the power
// iteration do not always reach.

import { dot, entry, type Gram, times } from "./gram.ts";

/** Steps of the iteration, fewer where the rows span less. */
const STEPS = 10;
/** A remainder so small beside the largest is rounding: the rows span no more. */
const SPANNED = 1e-12;
/** T^(2^12) has forgotten all eigenvectors but the first. */
const SQUARINGS = 12;

export interface PrincipalDirection {
  /** The variance along it: the greatest eigenvalue of the weighted covariance, from below. */
  readonly variance: number;
  /** Squared projection of each row, from the weighted mean, on the direction; 0 for rows without weight. */
  readonly parts: Float64Array;
}

/** @param counts weight of each row, not negative, not all zero */
export function topDirection(gram: Gram, counts: Float64Array): PrincipalDirection {
  const { n } = gram;
  const covariance = new Covariance(gram, counts);
  const { basis, diagonal, below, rest } = lanczos(covariance, startFor(gram));
  const { value: variance, vector } = topOfTridiagonal(diagonal, below);
  const parts = new Float64Array(n);
  if (variance <= 0) return { variance: 0, parts };
  // K y for y = basis . vector: exactly, since K q_j = below_j-1 q_j-1 + diagonal_j q_j + below_j q_j+1.
  const product = new Float64Array(n);
  for (const [j, each] of basis.entries()) addTo(product, each, variance * (vector[j] as number));
  addTo(product, rest, vector.at(-1) as number);
  for (let i = 0; i < n; i++) {
    const count = counts[i] as number;
    const along = product[i] as number;
    if (count > 0) parts[i] = (along * along * covariance.whole) / (variance * count);
  }
  return { variance, parts };
}

/** K, as a function. */
class Covariance {
  readonly whole: number;
  readonly #gram: Gram;
  readonly #counts: Float64Array;
  readonly #roots: Float64Array;

  constructor(gram: Gram, counts: Float64Array) {
    this.#gram = gram;
    this.#counts = counts;
    this.#roots = counts.map(Math.sqrt);
    this.whole = counts.reduce((sum, count) => sum + count, 0);
  }

  times(vector: Float64Array): Float64Array {
    const { whole } = this;
    const [counts, roots] = [this.#counts, this.#roots];
    const weights = vector.map((value, i) => value * (roots[i] as number));
    const sum = weights.reduce((a, b) => a + b, 0) / whole;
    for (let i = 0; i < weights.length; i++) {
      weights[i] = (weights[i] as number) - (counts[i] as number) * sum;
    }
    const inner = times(this.#gram, weights);
    const mean = dot(inner, counts) / whole;
    return inner.map((value, i) => ((roots[i] as number) * (value - mean)) / whole);
  }
}

interface Tridiagonal {
  /** Orthonormal. */
  readonly basis: readonly Float64Array[];
  readonly diagonal: readonly number[];
  /** Beside the diagonal: one less. */
  readonly below: readonly number[];
  /** What K makes of the last of the basis beyond the basis. */
  readonly rest: Float64Array;
}

function lanczos(matrix: Covariance, start: Float64Array): Tridiagonal {
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const below: number[] = [];
  let largest = 0;
  for (let rest = start; ; ) {
    const length = Math.sqrt(dot(rest, rest));
    const isSpanned = basis.length > 0 && length <= SPANNED * largest;
    if (isSpanned || basis.length === STEPS) return { basis, diagonal, below, rest };
    if (basis.length > 0) below.push(length);
    const last = rest.map((value) => value / length);
    basis.push(last);
    rest = matrix.times(last);
    largest = Math.max(largest, Math.sqrt(dot(rest, rest)));
    diagonal.push(dot(rest, last));
    // Against all of them, and not only the last two: rounding would bring the first directions back.
    for (const each of basis) addTo(rest, each, -dot(rest, each));
  }
}

/** The greatest eigenvalue of a symmetric tridiagonal matrix without negative ones, and its vector at unit length. */
function topOfTridiagonal(diagonal: readonly number[], below: readonly number[]) {
  const size = diagonal.length;
  const matrix = new Float64Array(size * size);
  for (const [i, value] of diagonal.entries()) matrix[i * size + i] = value;
  for (const [i, value] of below.entries()) {
    matrix[i * size + i + 1] = value;
    matrix[(i + 1) * size + i] = value;
  }
  let power: Gram = { n: size, values: matrix };
  for (let step = 0; step < SQUARINGS; step++) power = squared(power);
  let longest = 0;
  for (let i = 1; i < size; i++) {
    if (entry(power, i, i) > entry(power, longest, longest)) longest = i;
  }
  const row = power.values.slice(longest * size, (longest + 1) * size);
  const length = Math.sqrt(dot(row, row));
  if (!(length > 0)) return { value: 0, vector: row };
  const vector = row.map((value) => value / length);
  return { value: dot(vector, times({ n: size, values: matrix }, vector)), vector };
}

/** A symmetric matrix times itself, over its trace. */
function squared({ n, values }: Gram): Gram {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += values[i * n + i] as number;
  if (!(trace > 0)) return { n, values: new Float64Array(n * n) };
  const square = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++)
        sum += (values[i * n + k] as number) * (values[j * n + k] as number);
      square[i * n + j] = sum / (trace * trace);
    }
  }
  return { n, values: square };
}

/**
 * Where the iteration starts: numbers of -1 to 1 from the digits of all rows' lengths, so that liars cannot put their direction at
 * right angles to it, and no row by itself: it would stand out in what is found. Rows scaled by a power of two have the same digits.
 */
function startFor({ n, values }: Gram): Float64Array {
  const words = new Uint32Array(
    Float64Array.from({ length: n }, (_, i) => values[i * n + i] as number).buffer,
  );
  let state = 1;
  for (let i = 0; i < n; i++) {
    state = mixed(state ^ (words[2 * i] as number));
    state = mixed(state ^ ((words[2 * i + 1] as number) & 0xf_ffff));
  }
  return Float64Array.from({ length: n }, (_, i) => mixed(state + i) / 2 ** 31 - 1);
}

/** The finaliser of MurmurHash3. */
function mixed(word: number): number {
  let bits = word >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function addTo(sum: Float64Array, row: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + factor * (row[i] as number);
}
