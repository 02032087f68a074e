// The arithmetic under the aggregation rules, over rows of Float32Array: what the rules and the compression of updates need, and its plain form. Every sum has a fixed
// order (../kernels/layout.ts), so equal rows give equal bits on every host. The kernels of wasm/learning stand in for the plain
// ones in a daemon; they give the same bits.

import { mixed } from "../kernels/mixing.ts";
import { gram, squaredDistances } from "../kernels/pairs.ts";
import { dequantised, quantised, type QuantisedBits } from "../kernels/quantise.ts";
import { sketched } from "../kernels/sketch.ts";
import { type TrimmedMean, trimmedMean } from "../kernels/select.ts";
import { meanOf, weightedSum } from "../kernels/sums.ts";

/** What the rules need of arithmetic. Rows have one length and are finite. */
export interface VectorKernels {
  /** Squared Euclidean distances, row-major n x n, symmetric, zero diagonal. */
  squaredDistances(rows: readonly Float32Array[]): Float64Array;
  /** Inner products, row-major n x n, symmetric. */
  gram(rows: readonly Float32Array[]): Float64Array;
  /** `sum weights[i] * rows[i]`, summed in row order in float64, then rounded once. */
  weightedSum(rows: readonly Float32Array[], weights: Float64Array): Float32Array;
  /** Mean of the chosen rows, summed in the order of `indices`. */
  meanOf(rows: readonly Float32Array[], indices: readonly number[]): Float32Array;
  /**
   * Inner products of the means of listed rows, given those of the rows: n lists of one length, ascending, over a symmetric n x n
   * matrix. Float64, in the order that ../kernels/mixing.ts says.
   */
  mixed(matrix: Float64Array, n: number, lists: readonly Uint16Array[]): Float64Array;
  /**
   * Per coordinate the mean of what is left after the `trim` least and greatest; 2 * trim < n.
   * `kept[i]` is the share of row i: how often its value was in the kept range, the whole summing to 1.
   */
  trimmedMean(rows: readonly Float32Array[], trim: number): TrimmedMean;
  /** Short vectors that keep distances on average, all by the same draws: ../kernels/sketch.ts. */
  sketched(rows: readonly Float32Array[], noise: Int32Array): Float32Array[];
  /** The bytes of a vector in whole numbers of `step`, rounded at random by the draws of `noise`: ../kernels/quantise.ts. */
  readonly quantised: (
    values: Float32Array,
    step: number,
    bits: QuantisedBits,
    noise: Int32Array,
  ) => Uint8Array;
  /** The values of such bytes; `undefined` for bytes that `quantised` never gives. */
  readonly dequantised: (
    bytes: Uint8Array,
    length: number,
    step: number,
    bits: QuantisedBits,
  ) => Float32Array | undefined;
}

/** The kernels in plain TypeScript. */
export const plainKernels: VectorKernels = {
  squaredDistances,
  gram,
  weightedSum,
  meanOf,
  mixed,
  trimmedMean,
  sketched,
  quantised,
  dequantised,
};
