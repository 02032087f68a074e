// Weights of the final sum as whole numbers of 2^-24: the object that nodes agree on and sign, and what makes the sum exact.
//
// Why the sum does not depend on its order when the rows lie on a grid (int8 values times a power-of-two step, see
// `compression/`): the weights are whole numbers q_i >= 0 of 2^-24 that sum to at most 2^24 + n / 2, the values whole numbers v_i of
// the step with |v_i| <= 127, so every partial sum of q_i v_i is a whole number below 2^31 (for n < 2^18). Float64 holds
// whole numbers up to 2^53, and scaling by a power of two changes no digit: nothing is ever rounded but the result,
// once, to float32. So the plain kernel, one with lanes, threads or int32 and one split by zones give the same bits. By
// the same count inner products and squared distances of such rows are exact: float32 lanes hold a tile of them (`kernels/layout.ts`).
// Rows off the grid are summed in row order in float64: the same bits on every host, but only in that order.

import { concatBytes, uint32be } from "../../foundation/index.ts";

/** The whole: a weight of 1. */
export const WEIGHT_ONE = 2 ** 24;

/**
 * Weights rounded to the nearest whole numbers of 2^-24. Nothing is handed on to make up for what rounding took: a far liar's tiny
 * weight is what bounds it, and one 2^-24th more of a row 10^30 long is no rounding. So no row counts more than
 * twice its weight, and the whole is off by less than n 2^-25.
 * @param weights 0 to 1, summing to at most 1 (but for rounding)
 */
export function quantiseWeights(weights: Float64Array): Uint32Array {
  return Uint32Array.from(weights, (weight) => Math.round(weight * WEIGHT_ONE));
}

/** Quantised weights as shares of 1: exact in float64. */
export function sharesOf(parts: Uint32Array): Float64Array {
  return Float64Array.from(parts, (part) => part / WEIGHT_ONE);
}

/** The canonical bytes of a rule's shares: four bytes a row, whole numbers of 2^-24, for the digest in a certificate. */
export function encodeShares(shares: readonly number[]): Uint8Array {
  return concatBytes(...shares.map((share) => uint32be(Math.round(share * WEIGHT_ONE))));
}
