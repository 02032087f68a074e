// How rows lie in memory, and in which order everything is summed: constants of the protocol (docs/learning.md, "Arithmetic"). Their twin
// is src/learning/kernels/layout.ts; a change of either changes certified results.
//
// A tile is TILE coordinates of all rows, one row after the other. Padding, of the last tile and of rows, is zero.

/** Coordinates of a tile. */
export const TILE: i32 = 512;

/** Bytes of one row in a tile. */
@inline
export const F32_BYTES: usize = 2048;
@inline
export const INT8_BYTES: usize = 512;

/** The sum of four lanes, each widened first: (l0 + l1) + (l2 + l3). */
@inline
export function laneSum(lanes: v128): f64 {
  const low = f64x2.promote_low_f32x4(lanes);
  const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(lanes, lanes, 1, 1));
  return wideSum(low, high);
}

/** The same for lanes of float64 in two registers. */
@inline
export function wideSum(low: v128, high: v128): f64 {
  return (
    f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1))
  );
}
