// NTT over Z_q[X]/(X^256 + 1) and products in its domain: FIPS 204 section 7.5 and 7.6, algorithms 41 to 49.
//
// Montgomery arithmetic on i32x4 with R = 2^32: `multiply(a, z)` is a * z / R mod q, with |result| <= |a * z| / R + q / 2. All twiddles are
// centred (|z| < q / 2), so the result stays below 0.75 q for every i32 a, and below 0.506 q for |a| <= 6 q. Hence no other reduction:
// - forward: inputs below q; each of the 8 layers adds at most 0.506 q; outputs below 5.05 q < 2^26;
// - inverse: inputs are Montgomery results below 0.6 q (`reduce` bounds them); sums double in each layer: 256 * 0.6 q < 2^31;
//   the last factor brings them below 0.65 q. So a true value below 0.35 q in absolute value comes out exact, not just congruent.
// Layers go two at a time while four vectors sit in registers. For the layers len = 2 and 1 a block of 16 coefficients is transposed as
// a 4 x 4 matrix, so that partners are whole vectors; the result stays transposed, because products are pointwise and the inverse
// starts there. Only the sampled matrix Â has to be brought into that order (`transposePoly`). No branch depends on coefficients.

import { POLY_BYTES } from "./params";
import { INVERSE_ZETA, INVERSE_ZETA_QINV, ZETA, ZETA_QINV } from "./zetas";

/** q and q^-1 in every lane. Loaded where they are used: V8 would build a constant vector from general registers each time. */
const Q_LANES: usize = memory.data<i32>([8380417, 8380417, 8380417, 8380417], 16);
const QINV_LANES: usize = memory.data<i32>([58728449, 58728449, 58728449, 58728449], 16);

// @ts-ignore: decorator
@inline
function multiply(a: v128, z: v128, zQinv: v128): v128 {
  const q = v128.load(Q_LANES);
  const t = i32x4.mul(a, zQinv);
  const low = i64x2.sub(i64x2.extmul_low_i32x4_s(a, z), i64x2.extmul_low_i32x4_s(t, q));
  const high = i64x2.sub(i64x2.extmul_high_i32x4_s(a, z), i64x2.extmul_high_i32x4_s(t, q));
  return v128.shuffle<i32>(low, high, 1, 3, 5, 7);
}

/** Montgomery reduction of four i64 sums (two in `low`, two in `high`), algorithm 49: |sum| < 2^31 q. */
// @ts-ignore: decorator
@inline
function reduce(low: v128, high: v128): v128 {
  const q = v128.load(Q_LANES);
  const t = i32x4.mul(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.load(QINV_LANES));
  return v128.shuffle<i32>(
    i64x2.sub(low, i64x2.extmul_low_i32x4_s(t, q)), i64x2.sub(high, i64x2.extmul_high_i32x4_s(t, q)), 1, 3, 5, 7,
  );
}

/** Two forward layers on `count` vectors: quarters `stride` bytes apart; zetas k, 2k and 2k + 1. */
// @ts-ignore: decorator
@inline
function forwardPair(poly: usize, stride: usize, k: usize): void {
  const z1 = v128.load32_splat(ZETA + 4 * k), q1 = v128.load32_splat(ZETA_QINV + 4 * k);
  const z2 = v128.load32_splat(ZETA + 8 * k), q2 = v128.load32_splat(ZETA_QINV + 8 * k);
  const z3 = v128.load32_splat(ZETA + 8 * k, 4), q3 = v128.load32_splat(ZETA_QINV + 8 * k, 4);
  for (let at = poly, end = poly + stride; at < end; at += 16) {
    let a0 = v128.load(at), a1 = v128.load(at + stride), a2 = v128.load(at + 2 * stride), a3 = v128.load(at + 3 * stride);
    const t2 = multiply(a2, z1, q1), t3 = multiply(a3, z1, q1);
    a2 = i32x4.sub(a0, t2);
    a0 = i32x4.add(a0, t2);
    a3 = i32x4.sub(a1, t3);
    a1 = i32x4.add(a1, t3);
    const u1 = multiply(a1, z2, q2), u3 = multiply(a3, z3, q3);
    v128.store(at, i32x4.add(a0, u1));
    v128.store(at + stride, i32x4.sub(a0, u1));
    v128.store(at + 2 * stride, i32x4.add(a2, u3));
    v128.store(at + 3 * stride, i32x4.sub(a2, u3));
  }
}

/** Algorithm 41: NTT in place, output in transposed blocks. Input |a| < q, output |a| < 5.05 q. */
export function ntt(poly: usize): void {
  forwardPair(poly, 256, 1); // len 128, 64
  for (let group: usize = 0; group < 4; group++) forwardPair(poly + 256 * group, 64, 4 + group); // len 32, 16
  for (let block: usize = 0; block < 16; block++) {
    const at = poly + 64 * block;
    let a0 = v128.load(at), a1 = v128.load(at, 16), a2 = v128.load(at, 32), a3 = v128.load(at, 48);
    // len 8
    let z = v128.load32_splat(ZETA + 4 * block, 64), zq = v128.load32_splat(ZETA_QINV + 4 * block, 64);
    let t = multiply(a2, z, zq), u = multiply(a3, z, zq);
    a2 = i32x4.sub(a0, t);
    a0 = i32x4.add(a0, t);
    a3 = i32x4.sub(a1, u);
    a1 = i32x4.add(a1, u);
    // len 4
    t = multiply(a1, v128.load32_splat(ZETA + 8 * block, 128), v128.load32_splat(ZETA_QINV + 8 * block, 128));
    u = multiply(a3, v128.load32_splat(ZETA + 8 * block, 132), v128.load32_splat(ZETA_QINV + 8 * block, 132));
    a1 = i32x4.sub(a0, t);
    a0 = i32x4.add(a0, t);
    a3 = i32x4.sub(a2, u);
    a2 = i32x4.add(a2, u);
    // transpose: vector j then holds place j of four groups of four
    const t0 = v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), t1 = v128.shuffle<i32>(a0, a1, 2, 6, 3, 7);
    const t2 = v128.shuffle<i32>(a2, a3, 0, 4, 1, 5), t3 = v128.shuffle<i32>(a2, a3, 2, 6, 3, 7);
    a0 = v128.shuffle<i64>(t0, t2, 0, 2);
    a1 = v128.shuffle<i64>(t0, t2, 1, 3);
    a2 = v128.shuffle<i64>(t1, t3, 0, 2);
    a3 = v128.shuffle<i64>(t1, t3, 1, 3);
    // len 2
    z = v128.load(ZETA + 16 * block, 256);
    zq = v128.load(ZETA_QINV + 16 * block, 256);
    t = multiply(a2, z, zq);
    u = multiply(a3, z, zq);
    a2 = i32x4.sub(a0, t);
    a0 = i32x4.add(a0, t);
    a3 = i32x4.sub(a1, u);
    a1 = i32x4.add(a1, u);
    // len 1
    t = multiply(a1, v128.load(ZETA + 32 * block, 512), v128.load(ZETA_QINV + 32 * block, 512));
    u = multiply(a3, v128.load(ZETA + 32 * block, 528), v128.load(ZETA_QINV + 32 * block, 528));
    v128.store(at, i32x4.add(a0, t));
    v128.store(at, i32x4.sub(a0, t), 16);
    v128.store(at, i32x4.add(a2, u), 32);
    v128.store(at, i32x4.sub(a2, u), 48);
  }
}

/** Algorithm 42 times 2^32: what `multiplyPolys` and the like divided by. Input |a| < 0.6 q in transposed blocks, output |a| < 0.65 q. */
export function inverseNtt(poly: usize): void {
  for (let block: usize = 0; block < 16; block++) {
    const at = poly + 64 * block;
    let a0 = v128.load(at), a1 = v128.load(at, 16), a2 = v128.load(at, 32), a3 = v128.load(at, 48);
    // len 1
    let t = i32x4.sub(a0, a1), u = i32x4.sub(a2, a3);
    a0 = i32x4.add(a0, a1);
    a2 = i32x4.add(a2, a3);
    a1 = multiply(t, v128.load(INVERSE_ZETA + 32 * block, 512), v128.load(INVERSE_ZETA_QINV + 32 * block, 512));
    a3 = multiply(u, v128.load(INVERSE_ZETA + 32 * block, 528), v128.load(INVERSE_ZETA_QINV + 32 * block, 528));
    // len 2
    let z = v128.load(INVERSE_ZETA + 16 * block, 256), zq = v128.load(INVERSE_ZETA_QINV + 16 * block, 256);
    t = i32x4.sub(a0, a2);
    u = i32x4.sub(a1, a3);
    a0 = i32x4.add(a0, a2);
    a1 = i32x4.add(a1, a3);
    a2 = multiply(t, z, zq);
    a3 = multiply(u, z, zq);
    // transpose back
    const t0 = v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), t1 = v128.shuffle<i32>(a0, a1, 2, 6, 3, 7);
    const t2 = v128.shuffle<i32>(a2, a3, 0, 4, 1, 5), t3 = v128.shuffle<i32>(a2, a3, 2, 6, 3, 7);
    a0 = v128.shuffle<i64>(t0, t2, 0, 2);
    a1 = v128.shuffle<i64>(t0, t2, 1, 3);
    a2 = v128.shuffle<i64>(t1, t3, 0, 2);
    a3 = v128.shuffle<i64>(t1, t3, 1, 3);
    // len 4
    t = i32x4.sub(a0, a1);
    u = i32x4.sub(a2, a3);
    a0 = i32x4.add(a0, a1);
    a2 = i32x4.add(a2, a3);
    a1 = multiply(t, v128.load32_splat(INVERSE_ZETA + 8 * block, 128), v128.load32_splat(INVERSE_ZETA_QINV + 8 * block, 128));
    a3 = multiply(u, v128.load32_splat(INVERSE_ZETA + 8 * block, 132), v128.load32_splat(INVERSE_ZETA_QINV + 8 * block, 132));
    // len 8
    z = v128.load32_splat(INVERSE_ZETA + 4 * block, 64);
    zq = v128.load32_splat(INVERSE_ZETA_QINV + 4 * block, 64);
    t = i32x4.sub(a0, a2);
    u = i32x4.sub(a1, a3);
    v128.store(at, i32x4.add(a0, a2));
    v128.store(at, i32x4.add(a1, a3), 16);
    v128.store(at, multiply(t, z, zq), 32);
    v128.store(at, multiply(u, z, zq), 48);
  }
  for (let group: usize = 0; group < 4; group++) inversePair(poly + 256 * group, 64, 4 + group, false); // len 16, 32
  inversePair(poly, 256, 1, true); // len 64, 128
}

/** Two inverse layers; `last` multiplies 2^64 / 256 into the sums (the differences have it in their twiddle). */
// @ts-ignore: decorator
@inline
function inversePair(poly: usize, stride: usize, k: usize, last: bool): void {
  const z1 = v128.load32_splat(INVERSE_ZETA + 4 * k), q1 = v128.load32_splat(INVERSE_ZETA_QINV + 4 * k);
  const z2 = v128.load32_splat(INVERSE_ZETA + 8 * k), q2 = v128.load32_splat(INVERSE_ZETA_QINV + 8 * k);
  const z3 = v128.load32_splat(INVERSE_ZETA + 8 * k, 4), q3 = v128.load32_splat(INVERSE_ZETA_QINV + 8 * k, 4);
  const scale = v128.load32_splat(INVERSE_ZETA), scaleQinv = v128.load32_splat(INVERSE_ZETA_QINV);
  for (let at = poly, end = poly + stride; at < end; at += 16) {
    let a0 = v128.load(at), a1 = v128.load(at + stride), a2 = v128.load(at + 2 * stride), a3 = v128.load(at + 3 * stride);
    const t = i32x4.sub(a0, a1), u = i32x4.sub(a2, a3);
    a0 = i32x4.add(a0, a1);
    a2 = i32x4.add(a2, a3);
    a1 = multiply(t, z2, q2);
    a3 = multiply(u, z3, q3);
    const s0 = i32x4.add(a0, a2), s1 = i32x4.add(a1, a3);
    v128.store(at, last ? multiply(s0, scale, scaleQinv) : s0);
    v128.store(at + stride, last ? multiply(s1, scale, scaleQinv) : s1);
    v128.store(at + 2 * stride, multiply(i32x4.sub(a0, a2), z1, q1));
    v128.store(at + 3 * stride, multiply(i32x4.sub(a1, a3), z1, q1));
  }
}

/** Brings a polynomial from FIPS 204's order of NTT coefficients into transposed blocks (or back). */
export function transposePoly(poly: usize): void {
  for (let at = poly, end = poly + POLY_BYTES; at < end; at += 64) {
    const a0 = v128.load(at), a1 = v128.load(at, 16), a2 = v128.load(at, 32), a3 = v128.load(at, 48);
    const t0 = v128.shuffle<i32>(a0, a1, 0, 4, 1, 5), t1 = v128.shuffle<i32>(a0, a1, 2, 6, 3, 7);
    const t2 = v128.shuffle<i32>(a2, a3, 0, 4, 1, 5), t3 = v128.shuffle<i32>(a2, a3, 2, 6, 3, 7);
    v128.store(at, v128.shuffle<i64>(t0, t2, 0, 2));
    v128.store(at, v128.shuffle<i64>(t0, t2, 1, 3), 16);
    v128.store(at, v128.shuffle<i64>(t1, t3, 0, 2), 32);
    v128.store(at, v128.shuffle<i64>(t1, t3, 1, 3), 48);
  }
}

/** Algorithm 45 over 2^32: out = a * b / 2^32. Two NTT outputs give 5.05 q * 5.05 q / 2^32 + q / 2 < 0.56 q. */
export function multiplyPolys(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const x = v128.load(a + i), y = v128.load(b + i);
    v128.store(out + i, reduce(i64x2.extmul_low_i32x4_s(x, y), i64x2.extmul_high_i32x4_s(x, y)));
  }
}

/**
 * One row of algorithm 48 over 2^32: out = sum of row[s] * vector[s] for 5 polynomials, minus a * b when `a` is not 0. The i64 sums
 * are below 5 * q * 5.05 q + 5.05 q * 5.05 q < 51 q^2, and one reduction at the end brings them below 51 q^2 / 2^32 + q / 2 < 0.6 q.
 */
// @ts-ignore: decorator
@inline
function row(out: usize, matrixRow: usize, vector: usize, a: usize, b: usize, minus: bool): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const m = matrixRow + i, v = vector + i;
    let x = v128.load(m), y = v128.load(v);
    let low = i64x2.extmul_low_i32x4_s(x, y), high = i64x2.extmul_high_i32x4_s(x, y);
    x = v128.load(m, 1024);
    y = v128.load(v, 1024);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x, y));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x, y));
    x = v128.load(m, 2048);
    y = v128.load(v, 2048);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x, y));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x, y));
    x = v128.load(m, 3072);
    y = v128.load(v, 3072);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x, y));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x, y));
    x = v128.load(m, 4096);
    y = v128.load(v, 4096);
    low = i64x2.add(low, i64x2.extmul_low_i32x4_s(x, y));
    high = i64x2.add(high, i64x2.extmul_high_i32x4_s(x, y));
    if (minus) {
      x = v128.load(a + i);
      y = v128.load(b + i);
      low = i64x2.sub(low, i64x2.extmul_low_i32x4_s(x, y));
      high = i64x2.sub(high, i64x2.extmul_high_i32x4_s(x, y));
    }
    v128.store(out + i, reduce(low, high));
  }
}

/** out = matrixRow . vector / 2^32. */
export function multiplyRow(out: usize, matrixRow: usize, vector: usize): void {
  row(out, matrixRow, vector, 0, 0, false);
}

/** out = (matrixRow . vector - a * b) / 2^32. */
export function multiplyRowMinus(out: usize, matrixRow: usize, vector: usize, a: usize, b: usize): void {
  row(out, matrixRow, vector, a, b, true);
}
