// Weighted sums of rows (reference 3.1, and 3.6 step 6): the one pass over the rows that every rule of the Gram space ends with.
//
// Float32 rows are summed in float64, each coordinate in the order of the list, and rounded once. Int8 rows are summed exactly: weights
// come as whole numbers in units of 2^-24, split into 12 low bits and the rest, so that 4095 rows fit in lanes of 32 bits.

import { F32_BYTES, INT8_BYTES } from "./layout";

/**
 * One tile of `sum weights[k] * row k / divisor`. `rows` lists offsets of rows in the tile (32 bits each), `weights` their float64;
 * `sums` is room for a tile of float64.
 */
export function weightedSum(
  tile: usize, rows: usize, weights: usize, count: usize, divisor: f64, sums: usize, out: usize,
): void {
  memory.fill(sums, 0, 2 * F32_BYTES);
  let k: usize = 0;
  for (; k + 4 <= count; k += 4) {
    const r0 = rowAt(tile, rows, k), r1 = rowAt(tile, rows, k + 1), r2 = rowAt(tile, rows, k + 2), r3 = rowAt(tile, rows, k + 3);
    const w0 = weightAt(weights, k), w1 = weightAt(weights, k + 1), w2 = weightAt(weights, k + 2), w3 = weightAt(weights, k + 3);
    for (let c: usize = 0; c < F32_BYTES; c += 8) {
      let sum = v128.load(sums + 2 * c);
      sum = plusRow(sum, w0, r0 + c);
      sum = plusRow(sum, w1, r1 + c);
      sum = plusRow(sum, w2, r2 + c);
      v128.store(sums + 2 * c, plusRow(sum, w3, r3 + c));
    }
  }
  for (; k < count; k++) {
    const row = rowAt(tile, rows, k);
    const weight = weightAt(weights, k);
    for (let c: usize = 0; c < F32_BYTES; c += 8) {
      v128.store(sums + 2 * c, plusRow(v128.load(sums + 2 * c), weight, row + c));
    }
  }
  const by = f64x2.splat(divisor);
  const zero = f32x4.splat(0);
  for (let c: usize = 0; c < F32_BYTES; c += 8) {
    const rounded = f32x4.demote_f64x2_zero(f64x2.div(v128.load(sums + 2 * c), by));
    v128.store64_lane(out + c, f32x4.add(rounded, zero), 0);
  }
}

@inline
function rowAt(tile: usize, rows: usize, k: usize): usize {
  return tile + <usize>load<u32>(rows + 4 * k);
}

@inline
function weightAt(weights: usize, k: usize): v128 {
  return v128.load64_splat(weights + 8 * k);
}

@inline
function plusRow(sum: v128, weight: v128, row: usize): v128 {
  return f64x2.add(sum, f64x2.mul(weight, f64x2.promote_low_f32x4(v128.load64_zero(row))));
}

/**
 * One tile of `unit * sum weights[k] * row k` of int8 rows; `weights` are signed 32-bit numbers of at most 2^24 in magnitude, `unit` a
 * power of two. The sum is exact, the result rounded once.
 */
export function int8WeightedSum(
  tile: usize, rows: usize, weights: usize, count: usize, unit: f64, out: usize,
): void {
  for (let c: usize = 0; c < INT8_BYTES; c += 8) {
    let low0 = i32x4.splat(0), low1 = low0, high0 = low0, high1 = low0;
    for (let k: usize = 0; k < count; k++) {
      const weight = load<i32>(weights + 4 * k);
      const low = i16x8.splat(<i16>(weight & 4095));
      const high = i16x8.splat(<i16>(weight >> 12));
      const values = v128.load8x8_s(rowAt(tile, rows, k) + c);
      low0 = i32x4.add(low0, i32x4.extmul_low_i16x8_s(values, low));
      low1 = i32x4.add(low1, i32x4.extmul_high_i16x8_s(values, low));
      high0 = i32x4.add(high0, i32x4.extmul_low_i16x8_s(values, high));
      high1 = i32x4.add(high1, i32x4.extmul_high_i16x8_s(values, high));
    }
    scaled(low0, high0, unit, out + 4 * c);
    scaled(low1, high1, unit, out + 4 * c + 16);
  }
}

/** Four float32 of `unit * (4096 * high + low)`. */
@inline
function scaled(low: v128, high: v128, unit: f64, out: usize): void {
  const units = f64x2.splat(unit);
  const shift = f64x2.splat(4096);
  const first = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(high), shift), f64x2.convert_low_i32x4_s(low));
  high = v128.shuffle<i64>(high, high, 1, 1);
  low = v128.shuffle<i64>(low, low, 1, 1);
  const second = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(high), shift), f64x2.convert_low_i32x4_s(low));
  const lanes = v128.shuffle<i64>(
    f32x4.demote_f64x2_zero(f64x2.mul(first, units)),
    f32x4.demote_f64x2_zero(f64x2.mul(second, units)),
    0, 2,
  );
  v128.store(out, f32x4.add(lanes, f32x4.splat(0)));
}
