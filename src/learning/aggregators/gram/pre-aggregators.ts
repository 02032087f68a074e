// What is done to the rows before a rule sees them, in Gram space. Each turns rows into as many linear combinations of
// them, so a stage is the new Gram matrix and the combinations in terms of the original rows.

import type { VectorKernels } from "../kernels.ts";
import { nearestNeighbours } from "../neighbours.ts";
import { entry, type Gram, gramDistances } from "./gram.ts";

/** The pre-aggregators there are. */
export type PreAggregatorName = "arc" | "nnm";

/** Rows `y_k = sum_i mix[k * n + i] x_i` over the original rows `x`, and their inner products. */
export interface Stage {
  readonly gram: Gram;
  readonly mix: Float64Array;
  /** By what factor each original row was shortened so far. */
  readonly clip: Float64Array;
}

/** The rows as they came. */
export function firstStage(gram: Gram): Stage {
  const mix = new Float64Array(gram.n * gram.n);
  for (let i = 0; i < gram.n; i++) mix[i * gram.n + i] = 1;
  return { gram, mix, clip: new Float64Array(gram.n).fill(1) };
}

export const preAggregators: Readonly<
  Record<PreAggregatorName, (stage: Stage, f: number, kernels: VectorKernels) => Stage>
> = { arc, nnm };

/**
 * Adaptive robust clipping (Allouah et al. 2024, arXiv 2405.14432): the k = floor(2 (f / n) (n - f)) longest rows are
 * shortened to the length of the next; rows are updates, so length is counted from the base model.
 */
export function arc({ gram, mix, clip }: Stage, f: number): Stage {
  const { n } = gram;
  const lengths = Float64Array.from({ length: n }, (_, i) => Math.sqrt(entry(gram, i, i)));
  const clipped = Math.floor((2 * f * (n - f)) / n);
  const threshold = lengths.toSorted()[n - 1 - clipped] as number;
  const scale = lengths.map((length) => (length > threshold ? threshold / length : 1));
  return {
    gram: {
      n,
      values: gram.values.map(
        (value, at) => value * (scale[Math.floor(at / n)] as number) * (scale[at % n] as number),
      ),
    },
    mix: mix.map((value, at) => value * (scale[Math.floor(at / n)] as number)),
    clip: clip.map((value, i) => value * (scale[i] as number)),
  };
}

/**
 * Nearest-neighbour mixing (Allouah et al. 2023, arXiv 2302.01772): each row becomes the mean of its n - f nearest, itself
 * included, on ties the lower row. Neighbours are summed in row order and directly; taking the f farthest from the
 * whole sum is cheaper, but one huge liar would then wipe out the honest digits.
 */
export function nnm({ gram, mix, clip }: Stage, f: number, kernels: VectorKernels): Stage {
  const { n } = gram;
  const neighbours = nearestNeighbours(gramDistances(gram), n, f).map((list) =>
    list.toSorted((a, b) => a - b),
  );
  const halfway = kernels.meanRows(gram.values, n, neighbours);
  // The matrix is symmetric: mixing its columns is mixing the rows of the transpose.
  const values = kernels.meanRows(transposed(halfway, n), n, neighbours);
  return { gram: { n, values }, mix: kernels.meanRows(mix, n, neighbours), clip };
}

function transposed(matrix: Float64Array, n: number): Float64Array {
  return matrix.map((_, at) => matrix[(at % n) * n + Math.floor(at / n)] as number);
}

/** Weights of the original rows for weights of a stage's rows. */
export function toOriginal({ gram: { n }, mix }: Stage, weights: Float64Array): Float64Array {
  const original = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const weight = weights[k] as number;
    for (let i = 0; i < n; i++) {
      original[i] = (original[i] as number) + weight * (mix[k * n + i] as number);
    }
  }
  return original;
}
