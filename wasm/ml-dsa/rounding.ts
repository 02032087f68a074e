// Rounding and hints: FIPS 204 section 7.4, algorithms 35 to 40, on whole polynomials, four coefficients at a time.
//
// Decompose divides by 2 gamma2 = 523776 = 1023 * 512 with multiplications alone: for 0 <= r < q, r1 = ((r + 127 >> 7) * 1025 + 2^21 >> 22)
// mod 16. (r1 is r / 523776 rounded, ties down; 1025 / 2^22 = 1 / 4092 * (1 + 2^-20...), and the error over the whole range is below
// the distance to the next tie. Checked for every r by the tests, together with the wrap at q - 1.)

import { GAMMA2, HINT_OFFSET, OMEGA, POLY_BYTES, Q } from "./params";

/** r1 of algorithm 36 for 0 <= r < q. */
// @ts-ignore: decorator
@inline
function highBits(r: v128): v128 {
  const t = i32x4.shr_u(i32x4.add(r, i32x4.splat(127)), 7);
  const r1 = i32x4.shr_u(i32x4.add(i32x4.mul(t, i32x4.splat(1025)), i32x4.splat(1 << 21)), 22);
  return v128.and(r1, i32x4.splat(15));
}

/** r0 of algorithm 36: r - r1 * 2 gamma2, and minus q where r is in the last half interval (r1 wrapped to 0). */
// @ts-ignore: decorator
@inline
function lowBits(r: v128, r1: v128): v128 {
  const r0 = i32x4.sub(r, i32x4.mul(r1, i32x4.splat(2 * GAMMA2)));
  return i32x4.sub(r0, v128.and(i32x4.gt_s(r0, i32x4.splat((Q - 1) / 2)), i32x4.splat(Q)));
}

/** -q < a < q to 0 <= a < q. */
// @ts-ignore: decorator
@inline
export function freeze(a: v128): v128 {
  return i32x4.add(a, v128.and(i32x4.shr_s(a, 31), i32x4.splat(Q)));
}

/** Four vectors of 4-bit values to 8 bytes (algorithm 28: two coefficients a byte, the first in the low half). */
// @ts-ignore: decorator
@inline
function packNibbles(bytes: usize, a: v128, b: v128, c: v128, d: v128): void {
  const nibbles = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
  const pairs = v128.and(v128.or(nibbles, i16x8.shr_u(nibbles, 4)), i16x8.splat(255));
  v128.store64_lane(bytes, i8x16.narrow_i16x8_u(pairs, pairs), 0);
}

/** HighBits of |w| < q packed to 128 bytes (verification); `w` is left in [0, q) for `applyHint`. */
export function packHighBits(bytes: usize, w: usize): void {
  for (const end = w + POLY_BYTES; w < end; w += 64, bytes += 8) {
    const a = freeze(v128.load(w)), b = freeze(v128.load(w, 16)), c = freeze(v128.load(w, 32)), d = freeze(v128.load(w, 48));
    v128.store(w, a);
    v128.store(w, b, 16);
    v128.store(w, c, 32);
    v128.store(w, d, 48);
    packNibbles(bytes, highBits(a), highBits(b), highBits(c), highBits(d));
  }
}

/** Algorithm 40 with h = 1 at one place of the polynomial `w` in [0, q) whose packed high bits are at `bytes`. */
export function applyHint(bytes: usize, w: usize, place: usize): void {
  const r = load<i32>(w + 4 * place);
  const shift = 4 * (<u32>place & 1);
  const byte = bytes + (place >> 1);
  const r1 = <i32>((<u32>load<u8>(byte) >> shift) & 15);
  let r0 = r - r1 * 2 * GAMMA2;
  if (r0 > (Q - 1) / 2) r0 -= Q;
  const hinted = (r0 > 0 ? r1 + 1 : r1 - 1) & 15;
  store<u8>(byte, <u8>((<u32>load<u8>(byte) & (0xf0 >> shift)) | (<u32>hinted << shift)));
}

/** Algorithm 36 on |w| < q (signing): r0 in place of w, r1 to `high`, and r1 packed to 128 bytes. */
export function decompose(bytes: usize, high: usize, w: usize): void {
  for (const end = w + POLY_BYTES; w < end; w += 64, high += 64, bytes += 8) {
    const a = freeze(v128.load(w)), b = freeze(v128.load(w, 16)), c = freeze(v128.load(w, 32)), d = freeze(v128.load(w, 48));
    const a1 = highBits(a), b1 = highBits(b), c1 = highBits(c), d1 = highBits(d);
    v128.store(high, a1);
    v128.store(high, b1, 16);
    v128.store(high, c1, 32);
    v128.store(high, d1, 48);
    v128.store(w, lowBits(a, a1));
    v128.store(w, lowBits(b, b1), 16);
    v128.store(w, lowBits(c, c1), 32);
    v128.store(w, lowBits(d, d1), 48);
    packNibbles(bytes, a1, b1, c1, d1);
  }
}

/**
 * a -= b, and whether any |a| then reaches `bound`. Every coefficient is looked at whatever it is: that some polynomial failed is what
 * the rejection loop shows anyway, and it is independent of the key.
 */
export function subtractReaches(a: usize, b: usize, bound: i32): bool {
  let largest = i32x4.splat(0);
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const x = i32x4.sub(v128.load(a + i), v128.load(b + i));
    largest = i32x4.max_s(largest, i32x4.abs(x));
    v128.store(a + i, x);
  }
  return v128.any_true(i32x4.ge_s(largest, i32x4.splat(bound)));
}

/** out = a + b, and whether any |out| reaches `bound`; as `subtractReaches`. */
export function addReaches(out: usize, a: usize, b: usize, bound: i32): bool {
  let largest = i32x4.splat(0);
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const x = i32x4.add(v128.load(a + i), v128.load(b + i));
    largest = i32x4.max_s(largest, i32x4.abs(x));
    v128.store(out + i, x);
  }
  return v128.any_true(i32x4.ge_s(largest, i32x4.splat(bound)));
}

/** Whether any |a| reaches `bound`. */
export function reaches(a: usize, bound: i32): bool {
  let largest = i32x4.splat(0);
  for (let i: usize = 0; i < POLY_BYTES; i += 16) largest = i32x4.max_s(largest, i32x4.abs(v128.load(a + i)));
  return v128.any_true(i32x4.ge_s(largest, i32x4.splat(bound)));
}

/**
 * Algorithm 39 as hints for r0 = low + ct0 (low = LowBits(w) - cs2) and r1 = `high`: one where adding ct0 left the interval of r1,
 * that is r0 > gamma2, r0 < -gamma2, or r0 = -gamma2 with r1 != 0 (an interval is open below, but the one around 0 is closed).
 * Writes one bit a coefficient (4 a byte) to `bits`, 64 bytes, and gives the number of hints.
 */
export function makeHints(bits: usize, low: usize, ct0: usize, high: usize): i32 {
  const gamma2 = i32x4.splat(GAMMA2), negative = i32x4.splat(-GAMMA2);
  let count = 0;
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const r0 = i32x4.add(v128.load(low + i), v128.load(ct0 + i));
    const edge = v128.andnot(i32x4.eq(r0, negative), i32x4.eq(v128.load(high + i), i32x4.splat(0)));
    const hint = v128.or(v128.or(i32x4.gt_s(r0, gamma2), i32x4.lt_s(r0, negative)), edge);
    const mask = i32x4.bitmask(hint);
    count += popcnt(mask);
    store<u8>(bits + (i >> 4), <u8>mask);
  }
  return count;
}

/** One polynomial's part of algorithm 20: positions from `index` on, then the count so far. The hints are public by now. */
export function packHints(signature: usize, row: usize, bits: usize, index: usize): usize {
  const hints = signature + HINT_OFFSET;
  for (let i: usize = 0; i < 64; i++) {
    for (let mask = <u32>load<u8>(bits + i); mask != 0; mask &= mask - 1) {
      store<u8>(hints + index++, <u8>(4 * i + ctz(mask)));
    }
  }
  store<u8>(hints + OMEGA + row, <u8>index);
  return index;
}

/** Algorithm 35 on |t| < q: t1 in place of t, t0 to `low`. */
export function power2Round(t: usize, low: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const r = freeze(v128.load(t + i));
    const r1 = i32x4.shr_u(i32x4.add(r, i32x4.splat(4095)), 13);
    v128.store(low + i, i32x4.sub(r, i32x4.shl(r1, 13)));
    v128.store(t + i, r1);
  }
}
