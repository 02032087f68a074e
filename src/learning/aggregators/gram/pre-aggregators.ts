// What is done to the rows before a rule sees them, in Gram space. Each turns rows into as many linear combinations of
// them, so a stage is the new Gram matrix and the combinations in terms of the original rows.

import type { VectorKernels } from "../kernels.ts";
import { nearestNeighbours } from "../neighbours.ts";
import { entry, type Gram, gramDistances, type Weights } from "./gram.ts";

/** The pre-aggregators there are. */
export type PreAggregatorName = "arc" | "nnm";

/** Rows that are linear combinations of those that came: their inner products, and the way back. */
export interface Stage {
  readonly gram: Gram;
  /** By what factor each original row was shortened so far. */
  readonly clip: Float64Array;
  /** Weights of the original rows that give the same sum as these of the stage's rows. */
  readonly toOriginal: (weights: Weights) => Weights;
}

/** The rows as they came. */
export function firstStage(gram: Gram): Stage {
  return { gram, clip: new Float64Array(gram.n).fill(1), toOriginal: (weights) => weights };
}

export const preAggregators: Readonly<
  Record<PreAggregatorName, (stage: Stage, f: number, kernels: VectorKernels) => Stage>
> = { arc, nnm };

/**
 * Adaptive robust clipping (Allouah et al. 2024, arXiv 2405.14432): the k = floor(2 (f / n) (n - f)) longest rows are
 * shortened to the length of the next; rows are updates, so length is counted from the base model.
 */
export function arc({ gram, clip, toOriginal }: Stage, f: number): Stage {
  const { n } = gram;
  const lengths = Float64Array.from({ length: n }, (_, i) => Math.sqrt(entry(gram, i, i)));
  const clipped = Math.floor((2 * f * (n - f)) / n);
  const threshold = lengths.toSorted()[n - 1 - clipped] as number;
  const scale = lengths.map((length) => (length > threshold ? threshold / length : 1));
  return {
    gram: { n, values: scaled(gram, scale) },
    clip: clip.map((value, i) => value * (scale[i] as number)),
    toOriginal: (weights) => toOriginal(weights.map((weight, i) => weight * (scale[i] as number))),
  };
}

/** `s_i s_j G_ij`. */
function scaled({ n, values }: Gram, scale: Float64Array): Float64Array {
  const products = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const own = scale[i] as number;
    for (let j = 0; j < n; j++) {
      products[i * n + j] = (values[i * n + j] as number) * own * (scale[j] as number);
    }
  }
  return products;
}

/**
 * Nearest-neighbour mixing (Allouah et al. 2023, arXiv 2302.01772): each row becomes the mean of its n - f nearest, itself
 * included, on ties the lower row. The f farthest are not simply taken from the whole sum: one huge liar would then wipe out the
 * honest digits. How it is summed instead stands in ../../kernels/mixing.ts.
 */
export function nnm(stage: Stage, f: number, kernels: VectorKernels): Stage {
  const { gram, clip, toOriginal } = stage;
  const { n } = gram;
  const neighbours = nearestNeighbours(gramDistances(gram), n, f);
  return {
    gram: { n, values: kernels.mixed(gram.values, n, neighbours) },
    clip,
    toOriginal: (weights) => toOriginal(handedOn(weights, neighbours)),
  };
}

/** Each row's part in the means that it is in: their weights in order, over the size of a list. */
function handedOn(weights: Weights, lists: readonly Uint16Array[]): Weights {
  const parts = new Float64Array(weights.length);
  for (const [k, list] of lists.entries()) {
    const weight = weights[k] as number;
    for (let at = 0; at < list.length; at++) {
      const row = list[at] as number;
      parts[row] = (parts[row] as number) + weight;
    }
  }
  return parts.map((part) => part / (lists[0]?.length ?? 1));
}
