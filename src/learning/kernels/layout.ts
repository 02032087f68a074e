// In which order rows are summed: constants of the protocol, because nodes that sign one digest must compute the same bits
// (docs/learning.md, "Arithmetic"). wasm/learning/layout.ts is the twin; a change of either changes certified results.
//
// - A row is taken in tiles of TILE coordinates, the last one as if padded with zeros.
// - Sums over coordinates have four lanes: lane l takes the coordinates 4k + l of a tile in ascending k. At the end of the tile the
//   lanes are widened to float64 and added as (l0 + l1) + (l2 + l3), tile after tile.
// - Lanes are float32 between ordinary rows, float64 as soon as one of the two is not ordinary.
// - Sums over rows are float64 in the order of the rows, rounded to float32 once. Results never hold -0.
// - Int8 rows are summed exactly, so no order has to be kept.

/** Coordinates of a tile. */
export const TILE = 512;

/** Most rows of one aggregation: sums of int8 rows stay within 32 bits. */
export const ROWS_MAX = 4095;

/** Squares and products of ordinary rows keep their precision in float32 lanes. */
const ORDINARY_MAX = 2 ** 40;

/** Whether a row is all zeros, or its greatest magnitude lies between 2^-40 and 2^40. */
export function isOrdinary(greatestMagnitude: number): boolean {
  return (
    greatestMagnitude === 0 ||
    (greatestMagnitude >= 1 / ORDINARY_MAX && greatestMagnitude <= ORDINARY_MAX)
  );
}

/** The greatest magnitude in a finite row. */
export function greatestMagnitude(row: Float32Array): number {
  let greatest = 0;
  for (let i = 0; i < row.length; i++) {
    const magnitude = Math.abs(row[i] as number);
    if (magnitude > greatest) greatest = magnitude;
  }
  return greatest;
}
