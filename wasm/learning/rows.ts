// What is done to a row alone: the canonical form of what came in (reference 3.5), and its greatest magnitude.

import { F32_BYTES, INT8_BYTES } from "./layout";

/**
 * Turns -0 into +0 in one tile of a float32 row, and gives the bits of its greatest magnitude: from 0x7f800000 on, the row
 * holds an infinity or something that is no number.
 */
export function canonical(row: usize): i32 {
  const zero = f32x4.splat(0);
  const magnitude = i32x4.splat(0x7fffffff);
  let greatest = i32x4.splat(0);
  for (const end = row + F32_BYTES; row < end; row += 16) {
    const values = f32x4.add(v128.load(row), zero);
    v128.store(row, values);
    greatest = i32x4.max_s(greatest, v128.and(values, magnitude));
  }
  return max(
    max(i32x4.extract_lane(greatest, 0), i32x4.extract_lane(greatest, 1)),
    max(i32x4.extract_lane(greatest, 2), i32x4.extract_lane(greatest, 3)),
  );
}

/** One tile of `count` int8 rows as float32, each value times `step`, a power of two. */
export function widened(tile: usize, count: usize, step: f32, out: usize): void {
  const steps = f32x4.splat(step);
  for (const end = tile + count * INT8_BYTES; tile < end; tile += 8, out += 32) {
    const values = v128.load8x8_s(tile);
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(values)), steps));
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(values)), steps), 16);
  }
}
