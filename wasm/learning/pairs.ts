// Inner products and squared distances of pairs of rows (reference 3.1 "Gram", 3.4 recipes 1, 2 and 4), one tile at a time.
//
// Of each pair, lane l of four takes the coordinates 4k + l in ascending k; at the end of the tile the lanes are widened, summed as
// in layout.ts and added to the pair's float64, tile after tile. Between float32 rows lanes are float32, which is right for
// magnitudes from 2^-40 to 2^40; rows beyond have kernels of their own with float64 lanes. Between int8 rows everything is exact.
// Whichever kernel computes a pair, blocks of pairs or one row against many, gives the same bits.

import { F32_BYTES, INT8_BYTES, laneSum, wideSum } from "./layout";

/** What is summed over the coordinates of two rows. */
type Kind = i32;
@inline const PRODUCTS: Kind = 0;
@inline const DISTANCES: Kind = 1;
@inline const INT8_PRODUCTS: Kind = 2;

@inline
function rowBytes(kind: Kind): usize {
  return kind == INT8_PRODUCTS ? INT8_BYTES : F32_BYTES;
}

/** Bytes of the coordinates that one register takes: eight of int8, as pairs for the dot product, or four of float32. */
@inline
function stepBytes(kind: Kind): usize {
  return kind == INT8_PRODUCTS ? 8 : 16;
}

@inline
function lanesAt(address: usize, kind: Kind): v128 {
  return kind == INT8_PRODUCTS ? v128.load8x8_s(address) : v128.load(address);
}

/** `sums` with the term of `a` and `b` added. */
@inline
function plus(sums: v128, a: v128, b: v128, kind: Kind): v128 {
  if (kind == INT8_PRODUCTS) return i32x4.add(sums, i32x4.dot_i16x8_s(a, b));
  if (kind == PRODUCTS) return f32x4.add(sums, f32x4.mul(a, b));
  const apart = f32x4.sub(a, b);
  return f32x4.add(sums, f32x4.mul(apart, apart));
}

@inline
function addTo(address: usize, sums: v128, kind: Kind): void {
  let sum: f64;
  if (kind == INT8_PRODUCTS) {
    const pairs = i32x4.add(sums, v128.shuffle<i64>(sums, sums, 1, 1));
    sum = <f64>(i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1));
  } else {
    sum = laneSum(sums);
  }
  store<f64>(address, load<f64>(address) + sum);
}

/** The block of pairs of the four rows at `a` and the two at `b`, into two columns of `n` float64 a row. */
@inline
function block(a: usize, b: usize, out: usize, n: usize, kind: Kind): void {
  const row = rowBytes(kind);
  const zero = i32x4.splat(0);
  let s00 = zero, s01 = zero, s10 = zero, s11 = zero, s20 = zero, s21 = zero, s30 = zero, s31 = zero;
  for (const end = a + row; a < end; a += stepBytes(kind), b += stepBytes(kind)) {
    const b0 = lanesAt(b, kind);
    const b1 = lanesAt(b + row, kind);
    const a0 = lanesAt(a, kind);
    s00 = plus(s00, a0, b0, kind);
    s01 = plus(s01, a0, b1, kind);
    const a1 = lanesAt(a + row, kind);
    s10 = plus(s10, a1, b0, kind);
    s11 = plus(s11, a1, b1, kind);
    const a2 = lanesAt(a + 2 * row, kind);
    s20 = plus(s20, a2, b0, kind);
    s21 = plus(s21, a2, b1, kind);
    const a3 = lanesAt(a + 3 * row, kind);
    s30 = plus(s30, a3, b0, kind);
    s31 = plus(s31, a3, b1, kind);
  }
  const line = n << 3;
  addTo(out, s00, kind);
  addTo(out + 8, s01, kind);
  addTo(out + line, s10, kind);
  addTo(out + line + 8, s11, kind);
  addTo(out + 2 * line, s20, kind);
  addTo(out + 2 * line + 8, s21, kind);
  addTo(out + 3 * line, s30, kind);
  addTo(out + 3 * line + 8, s31, kind);
}

/** Rows `i` and `i + 1`, ... of a tile against the rows from `i` on: the upper triangle of `out`, n x n, and a little below it. */
@inline
function triangle(tile: usize, n: usize, first: usize, step: usize, out: usize, kind: Kind): void {
  const row = rowBytes(kind);
  // Columns in groups that the first-level cache holds while all rows above pass by.
  for (let group: usize = 0; group < n; group += COLUMNS) {
    const end = min(group + COLUMNS, n);
    for (let i = first; i < end; i += step) {
      for (let j = max(i, group); j < end; j += 2) {
        block(tile + i * row, tile + j * row, out + ((i * n + j) << 3), n, kind);
      }
    }
  }
}
@inline const COLUMNS: usize = 16;

/** Row `a` against `count` rows from `b` on, a multiple of 4, into as many float64 from `out` on. */
@inline
function against(a: usize, b: usize, count: usize, out: usize, kind: Kind): void {
  const row = rowBytes(kind);
  const zero = i32x4.splat(0);
  for (let j: usize = 0; j < count; j += 4, b += 4 * row, out += 32) {
    let s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    let q = b;
    for (let p = a; p < a + row; p += stepBytes(kind), q += stepBytes(kind)) {
      const lanes = lanesAt(p, kind);
      s0 = plus(s0, lanes, lanesAt(q, kind), kind);
      s1 = plus(s1, lanes, lanesAt(q + row, kind), kind);
      s2 = plus(s2, lanes, lanesAt(q + 2 * row, kind), kind);
      s3 = plus(s3, lanes, lanesAt(q + 3 * row, kind), kind);
    }
    addTo(out, s0, kind);
    addTo(out + 8, s1, kind);
    addTo(out + 16, s2, kind);
    addTo(out + 24, s3, kind);
  }
}

/**
 * Adds one tile to the inner products of all pairs of its first `n` rows, n a multiple of 4: of the rows `first`, `first + step`, ...
 * (multiples of 4), each with the three after it. `out` is n x n float64, of which the upper triangle counts.
 */
export function products(tile: usize, n: usize, first: usize, step: usize, out: usize): void {
  triangle(tile, n, first, step, out, PRODUCTS);
}

/** The same for squared distances. */
export function distances(tile: usize, n: usize, first: usize, step: usize, out: usize): void {
  triangle(tile, n, first, step, out, DISTANCES);
}

/** The same for inner products of int8 rows. */
export function int8Products(tile: usize, n: usize, first: usize, step: usize, out: usize): void {
  triangle(tile, n, first, step, out, INT8_PRODUCTS);
}

/** Adds one tile to the inner products of the row at `a` with the `count` rows from `b` on, a multiple of 4. */
export function productsAgainst(a: usize, b: usize, count: usize, out: usize): void {
  against(a, b, count, out, PRODUCTS);
}

/** The same for int8 rows. */
export function int8ProductsAgainst(a: usize, b: usize, count: usize, out: usize): void {
  against(a, b, count, out, INT8_PRODUCTS);
}

/** Row `a` against `count` rows from `b` on, with lanes of float64: exact products of any two float32. */
@inline
function wideAgainst(a: usize, b: usize, count: usize, out: usize, kind: Kind): void {
  for (let j: usize = 0; j < count; j++, b += F32_BYTES, out += 8) {
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let c: usize = 0; c < F32_BYTES; c += 16) {
      let x = f64x2.promote_low_f32x4(v128.load64_zero(a + c));
      let y = f64x2.promote_low_f32x4(v128.load64_zero(b + c));
      if (kind == DISTANCES) x = y = f64x2.sub(x, y);
      low = f64x2.add(low, f64x2.mul(x, y));
      x = f64x2.promote_low_f32x4(v128.load64_zero(a + c + 8));
      y = f64x2.promote_low_f32x4(v128.load64_zero(b + c + 8));
      if (kind == DISTANCES) x = y = f64x2.sub(x, y);
      high = f64x2.add(high, f64x2.mul(x, y));
    }
    store<f64>(out, load<f64>(out) + wideSum(low, high));
  }
}

/** `productsAgainst` for a row of very great or very small magnitude, with any number of rows. */
export function wideProductsAgainst(a: usize, b: usize, count: usize, out: usize): void {
  wideAgainst(a, b, count, out, PRODUCTS);
}

/** The same for squared distances. */
export function wideDistancesAgainst(a: usize, b: usize, count: usize, out: usize): void {
  wideAgainst(a, b, count, out, DISTANCES);
}
