// Bytes and bits to polynomials and back: ByteEncode, ByteDecode, Compress, Decompress (FIPS 203 section 4.2.1, algorithms 5 and 6).
//
// Compression rounds a quotient by q. Instead of dividing, a Q15 product with a rounded 2^(d+15)/q gives a quotient t that is at most one
// off, and the remainder x 2^d - t q, exact in its low 16 bits, says which (KyberSlash: a division's time depends on its operands).
// As q is odd there are no ties. Decompression, (y q + 2^(d-1)) >> d, is the rounding Q15 product of y 2^(15-d) and q itself.
// Stores of 16 bytes may run past a packed part; what they overwrite is written afterwards. Loads may run 6 bytes past one.

import { canonical, reduce } from "./field";
import { POLY_BYTES } from "./ntt";

/** Bytes of ByteEncode_12, ByteEncode_10 and ByteEncode_4 of a polynomial. */
export const ENCODED_12_BYTES: usize = 384;
export const ENCODED_10_BYTES: usize = 320;
export const ENCODED_4_BYTES: usize = 128;

/** Twelve bytes' eight 12-bit numbers, from the low end of `bytes`. */
@inline
export function unpack12(bytes: v128): v128 {
  const x = v128.shuffle<i8>(bytes, bytes, 0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11);
  return v128.or(
    v128.and(x, i32x4.splat(0x0fff)),
    v128.and(i16x8.shr_u(x, 4), i32x4.splat(0x0fff0000)),
  );
}

/** ByteEncode_12 of f mod q: 384 bytes, and up to 4 more are overwritten. */
export function encode12(out: usize, f: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const pairs = i32x4.dot_i16x8_s(canonical(v128.load(f + i)), i32x4.splat(0x10000001));
    v128.store(out, v128.shuffle<i8>(pairs, pairs, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 3, 3, 3));
    out += 12;
  }
}

/**
 * ByteDecode_12: coefficients in [0, q), reduced mod q. False if one was not below q, for the modulus check of section 7.2, whose input is
 * public; a decapsulation key's caller ignores the answer.
 */
export function decode12(f: usize, bytes: usize): bool {
  let excess = i16x8.splat(0);
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const x = unpack12(v128.load(bytes));
    const tooBig = i16x8.gt_s(x, i16x8.splat(3328));
    excess = v128.or(excess, tooBig);
    v128.store(f + i, i16x8.sub(x, v128.and(tooBig, i16x8.splat(3329))));
    bytes += 12;
  }
  return !v128.any_true(excess);
}

/**
 * Compress_d(x) before its reduction mod 2^d, for |x| <= 5800, d = 10 and 4, and nearest = round(2^(d+15) / q): |error| of t before its
 * rounding is at most 0.5 * 5800 / 2^15 < 0.09, so t is the rounded quotient or one beside it, and the remainder lies within 0.6 q.
 */
@inline
function compress(x: v128, shift: i32, nearest: v128): v128 {
  const t = i16x8.q15mulr_sat_s(x, nearest);
  const remainder = i16x8.sub(i16x8.shl(x, shift), i16x8.mul(t, i16x8.splat(3329)));
  const above = i16x8.gt_s(remainder, i16x8.splat(1664));
  const below = i16x8.lt_s(remainder, i16x8.splat(-1664));
  return i16x8.add(i16x8.sub(t, above), below);
}

/** ByteEncode_10(Compress_10(f + e)): 320 bytes, and up to 6 more are overwritten. |f + e| <= 5800. */
export function encodeCompressed10(out: usize, f: usize, e: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const x = i16x8.add(v128.load(f + i), v128.load(e + i));
    const y = v128.and(compress(x, 10, i16x8.splat(10080)), i16x8.splat(0x3ff));
    // Twenty bits in each i32, then forty in each i64.
    const pairs = i32x4.dot_i16x8_s(y, i32x4.splat(0x04000001));
    const fours = v128.or(
      v128.and(pairs, i64x2.splat(0xfffff)),
      v128.and(i64x2.shr_u(pairs, 12), i64x2.splat(0xfffff00000)),
    );
    v128.store(out, v128.shuffle<i8>(fours, fours, 0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 5, 5, 5, 5, 5, 5));
    out += 10;
  }
}

/** ByteEncode_4(Compress_4(f)): 128 bytes. |f| <= 5800. */
export function encodeCompressed4(out: usize, f: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 64) {
    const p = f + i;
    const low = nibblePairs(v128.load(p), v128.load(p, 16));
    const high = nibblePairs(v128.load(p, 32), v128.load(p, 48));
    v128.store(out, i8x16.narrow_i16x8_u(low, high));
    out += 16;
  }
}

/** Sixteen coefficients' nibbles as eight bytes, each in an i16. */
@inline
function nibblePairs(a: v128, b: v128): v128 {
  const nearest = i16x8.splat(157);
  const nibbles = i8x16.narrow_i16x8_u(
    v128.and(compress(a, 4, nearest), i16x8.splat(15)),
    v128.and(compress(b, 4, nearest), i16x8.splat(15)),
  );
  return v128.and(v128.or(nibbles, i16x8.shr_u(nibbles, 4)), i16x8.splat(255));
}

/** Decompress_10(ByteDecode_10(bytes)): coefficients in [0, q). */
export function decodeCompressed10(f: usize, bytes: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const b = v128.load(bytes);
    // Number k starts at bit 2 (k & 3) of its two bytes: the product moves it to bits 6..15, the shift to 5..14.
    const x = v128.shuffle<i8>(b, b, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9);
    const aligned = i16x8.shr_u(i16x8.mul(x, i16x8(64, 16, 4, 1, 64, 16, 4, 1)), 1);
    const y = v128.and(aligned, i16x8.splat(0x7fe0));
    v128.store(f + i, i16x8.q15mulr_sat_s(y, i16x8.splat(3329)));
    bytes += 10;
  }
}

/** Decompress_4(ByteDecode_4(bytes)): coefficients in [0, q). */
export function decodeCompressed4(f: usize, bytes: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 64) {
    const b = v128.load(bytes);
    const low = v128.and(b, i8x16.splat(15));
    const high = v128.and(i16x8.shr_u(b, 4), i8x16.splat(15));
    const p = f + i;
    const first = v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const second = v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    v128.store(p, decompress4(i16x8.extend_low_i8x16_u(first)));
    v128.store(p, decompress4(i16x8.extend_high_i8x16_u(first)), 16);
    v128.store(p, decompress4(i16x8.extend_low_i8x16_u(second)), 32);
    v128.store(p, decompress4(i16x8.extend_high_i8x16_u(second)), 48);
    bytes += 16;
  }
}

@inline
function decompress4(y: v128): v128 {
  return i16x8.q15mulr_sat_s(i16x8.shl(y, 11), i16x8.splat(3329));
}

/** f = f + e + Decompress_1(ByteDecode_1(message)): 0 or 1665 by masks. |f + e| grows by 1665. */
export function addMessage(f: usize, e: usize, message: usize): void {
  const bit = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  for (let i: usize = 0; i < 32; i++) {
    const set = i16x8.eq(v128.and(v128.load8_splat(message + i), bit), bit);
    const p = f + 16 * i;
    const sum = i16x8.add(v128.load(p), v128.load(e + 16 * i));
    v128.store(p, i16x8.add(sum, v128.and(set, i16x8.splat(1665))));
  }
}

/**
 * ByteEncode_1(Compress_1(f - g)), 32 bytes; |f - g| <= 2^15. A bit is 1 where the distance from the nearest multiple of q is above q / 4 = 832.25.
 * `reduce` may leave r up to 2187 instead of r - q: both have a distance above 832, so the answer is the same.
 */
export function encodeMessage(message: usize, f: usize, g: usize): void {
  for (let i: usize = 0; i < 32; i++) {
    const r = reduce(i16x8.sub(v128.load(f + 16 * i), v128.load(g + 16 * i)));
    store<u8>(message + i, i16x8.bitmask(i16x8.gt_s(i16x8.abs(r), i16x8.splat(832))) as u8);
  }
}
