// The number-theoretic transform of R_q and its inverse (FIPS 203 algorithms 9 and 10), products in T_q (algorithms 11 and 12).
//
// A polynomial is 256 i16 (512 bytes, 16-aligned for speed alone). Seven layers go in two passes over memory: three layers on eight
// vectors that are 32 coefficients apart, four layers on the four vectors of a 32-coefficient block. The two layers whose butterflies
// lie within a vector (length 4 and 2) work on two vectors at once after an exchange of their halves and quarters.
// Bounds are in the comments: every intermediate fits an i16, for every input within the stated range.

import { centred, companion, montgomery, mulConstant, Q, reduce } from "./field";

/** Bytes of a polynomial, and of its cached form (see `cacheFactor`). */
export const POLY_BYTES: usize = 512;
export const CACHED_BYTES: usize = 1024;

/** i16 pairs (zeta^BitRev7(k), companion), k = 0..127: FIPS 203 appendix A. */
const ZETAS: usize = memory.data(512, 16);
/** Per pair of vectors 16 bytes of zetas and 16 of companions, for the layers of length 4 and 2, forwards and backwards. */
const FORWARD_4: usize = memory.data(512, 16);
const FORWARD_2: usize = memory.data(512, 16);
const INVERSE_4: usize = memory.data(512, 16);
const INVERSE_2: usize = memory.data(512, 16);
/** Per vector (1, gamma, 1, gamma, ...) and its companions; gamma of pair i is zeta^(2 BitRev7(i) + 1). */
const GAMMAS: usize = memory.data(1024, 16);

function bitReversed7(k: i32): i32 {
  let r = 0;
  for (let bit = 0; bit < 7; bit++) r |= ((k >> bit) & 1) << (6 - bit);
  return r;
}

function zetaPower(exponent: i32): i32 {
  let r = 1;
  for (let i = 0; i < exponent; i++) r = (r * 17) % Q;
  return centred(r);
}

function storeFactor(at: usize, companionAt: usize, factor: i32): void {
  store<i16>(at, factor as i16);
  store<i16>(companionAt, companion(factor) as i16);
}

function zetaOf(k: i32): i32 {
  return load<i16>(ZETAS + 4 * k);
}

/** Fills the tables; they hold constants of the standard only. */
function fillTables(): void {
  for (let k = 0; k < 128; k++) {
    const at = ZETAS + 4 * k;
    storeFactor(at, at + 2, zetaPower(bitReversed7(k)));
  }
  for (let pair = 0; pair < 16; pair++) {
    for (let lane = 0; lane < 8; lane++) {
      const at: usize = 32 * pair + 2 * lane;
      // Layer 4: lanes 0..3 belong to the first vector's butterfly, lanes 4..7 to the second's. Layer 2: two lanes a butterfly.
      const block4 = 2 * pair + (lane >> 2);
      const block2 = 4 * pair + (lane >> 1);
      storeFactor(FORWARD_4 + at, FORWARD_4 + at + 16, zetaOf(32 + block4));
      storeFactor(FORWARD_2 + at, FORWARD_2 + at + 16, zetaOf(64 + block2));
      storeFactor(INVERSE_4 + at, INVERSE_4 + at + 16, zetaOf(63 - block4));
      storeFactor(INVERSE_2 + at, INVERSE_2 + at + 16, zetaOf(127 - block2));
    }
  }
  for (let i = 0; i < 128; i++) {
    const at: usize = GAMMAS + 32 * (i >> 2) + 4 * (i & 3);
    storeFactor(at, at + 16, 1);
    storeFactor(at + 2, at + 18, zetaPower((2 * bitReversed7(i) + 1) & 255));
  }
}
fillTables();

@inline
function timesZeta(a: v128, k: usize): v128 {
  return mulConstant(a, v128.load16_splat(ZETAS + 4 * k), v128.load16_splat(ZETAS + 4 * k, 2));
}

@inline
function timesVector(a: v128, table: usize): v128 {
  return mulConstant(a, v128.load(table), v128.load(table, 16));
}

/**
 * NTT in place, FIPS 203 algorithm 9. Input |f| <= 3328; output |f| <= 1960, standard order.
 * A layer takes a bound B to B + q (1/2 + B / 2^16): from 3328 in seven layers 5162, 7088, 9113, 11240, 13476, 15825, 18293 < 2^15,
 * so no reduction is needed on the way, and `reduce` brings 18293 to q (1/2 + 0.157 * 18293 / 2^15) < 1960.
 */
export function ntt(f: usize): void {
  for (let p = f, end = f + 64; p < end; p += 16) forwardOuter(p);
  for (let block: usize = 0; block < 8; block++) forwardInner(f + 64 * block, block);
}

/** Layers of length 128, 64 and 32 on the eight vectors at p + 64 k. */
@inline
function forwardOuter(p: usize): void {
  let v0 = v128.load(p);
  let v1 = v128.load(p, 64);
  let v2 = v128.load(p, 128);
  let v3 = v128.load(p, 192);
  let t0 = timesZeta(v128.load(p, 256), 1);
  let t1 = timesZeta(v128.load(p, 320), 1);
  let t2 = timesZeta(v128.load(p, 384), 1);
  let t3 = timesZeta(v128.load(p, 448), 1);
  let v4 = i16x8.sub(v0, t0);
  let v5 = i16x8.sub(v1, t1);
  let v6 = i16x8.sub(v2, t2);
  let v7 = i16x8.sub(v3, t3);
  v0 = i16x8.add(v0, t0);
  v1 = i16x8.add(v1, t1);
  v2 = i16x8.add(v2, t2);
  v3 = i16x8.add(v3, t3);

  t0 = timesZeta(v2, 2);
  t1 = timesZeta(v3, 2);
  t2 = timesZeta(v6, 3);
  t3 = timesZeta(v7, 3);
  v2 = i16x8.sub(v0, t0);
  v3 = i16x8.sub(v1, t1);
  v6 = i16x8.sub(v4, t2);
  v7 = i16x8.sub(v5, t3);
  v0 = i16x8.add(v0, t0);
  v1 = i16x8.add(v1, t1);
  v4 = i16x8.add(v4, t2);
  v5 = i16x8.add(v5, t3);

  t0 = timesZeta(v1, 4);
  t1 = timesZeta(v3, 5);
  t2 = timesZeta(v5, 6);
  t3 = timesZeta(v7, 7);
  v128.store(p, i16x8.add(v0, t0));
  v128.store(p, i16x8.sub(v0, t0), 64);
  v128.store(p, i16x8.add(v2, t1), 128);
  v128.store(p, i16x8.sub(v2, t1), 192);
  v128.store(p, i16x8.add(v4, t2), 256);
  v128.store(p, i16x8.sub(v4, t2), 320);
  v128.store(p, i16x8.add(v6, t3), 384);
  v128.store(p, i16x8.sub(v6, t3), 448);
}

/** Layers of length 16, 8, 4 and 2 on the 32 coefficients at p. */
@inline
function forwardInner(p: usize, block: usize): void {
  let v0 = v128.load(p);
  let v1 = v128.load(p, 16);
  let t0 = timesZeta(v128.load(p, 32), 8 + block);
  let t1 = timesZeta(v128.load(p, 48), 8 + block);
  let v2 = i16x8.sub(v0, t0);
  let v3 = i16x8.sub(v1, t1);
  v0 = i16x8.add(v0, t0);
  v1 = i16x8.add(v1, t1);

  t0 = timesZeta(v1, 16 + 2 * block);
  t1 = timesZeta(v3, 17 + 2 * block);
  v1 = i16x8.sub(v0, t0);
  v3 = i16x8.sub(v2, t1);
  v0 = i16x8.add(v0, t0);
  v2 = i16x8.add(v2, t1);

  forwardPair(p, v0, v1, 64 * block);
  forwardPair(p + 32, v2, v3, 64 * block + 32);
}

/** Layers of length 4 and 2 on the vectors a = a0..a7 and b = b0..b7. */
@inline
function forwardPair(p: usize, a: v128, b: v128, table: usize): void {
  // low = a0..a3 b0..b3, high = a4..a7 b4..b7
  let low = v128.shuffle<i64>(a, b, 0, 2);
  let t = timesVector(v128.shuffle<i64>(a, b, 1, 3), FORWARD_4 + table);
  let high = i16x8.sub(low, t);
  low = i16x8.add(low, t);
  // even = a0 a1 a4 a5 b0 b1 b4 b5, odd = a2 a3 a6 a7 b2 b3 b6 b7
  let even = v128.shuffle<i32>(low, high, 0, 4, 2, 6);
  t = timesVector(v128.shuffle<i32>(low, high, 1, 5, 3, 7), FORWARD_2 + table);
  const odd = reduce(i16x8.sub(even, t));
  even = reduce(i16x8.add(even, t));
  v128.store(p, v128.shuffle<i32>(even, odd, 0, 4, 1, 5));
  v128.store(p, v128.shuffle<i32>(even, odd, 2, 6, 3, 7), 16);
}

/**
 * Inverse NTT in place, FIPS 203 algorithm 10, times 2^16: it takes what `multiplyAccumulate` gives, with its factor 2^-16.
 * Input |f| <= 2680; output |f| <= 2455, standard order.
 * Sums double, products are at most q (1/2 + |difference| / 2^16). Layers 2, 4, 8: sums 5360, 10720, 21440, products at most 2754; the sums
 * of layer 8 are reduced to 2007. Layer 16: sums 5508, reduced to 1753, products 1945. Layers 32, 64, 128: 3890, 7780, 15560 < 2^15.
 * The last layer's products by 512 are at most q (1/2 + 15560 / 2^16) = 2455.
 */
export function inverseNtt(f: usize): void {
  for (let block: usize = 0; block < 8; block++) inverseInner(f + 64 * block, block);
  for (let p = f, end = f + 64; p < end; p += 16) inverseOuter(p);
}

/** Layers of length 2, 4, 8 and 16 on the 32 coefficients at p. */
@inline
function inverseInner(p: usize, block: usize): void {
  inversePair(p, 64 * block);
  inversePair(p + 32, 64 * block + 32);
  let v0 = v128.load(p);
  let v1 = v128.load(p, 16);
  let v2 = v128.load(p, 32);
  let v3 = v128.load(p, 48);
  let t0 = i16x8.sub(v1, v0);
  let t1 = i16x8.sub(v3, v2);
  v0 = reduce(i16x8.add(v0, v1));
  v2 = reduce(i16x8.add(v2, v3));
  v1 = timesZeta(t0, 31 - 2 * block);
  v3 = timesZeta(t1, 30 - 2 * block);

  t0 = i16x8.sub(v2, v0);
  t1 = i16x8.sub(v3, v1);
  v128.store(p, reduce(i16x8.add(v0, v2)));
  v128.store(p, reduce(i16x8.add(v1, v3)), 16);
  v128.store(p, timesZeta(t0, 15 - block), 32);
  v128.store(p, timesZeta(t1, 15 - block), 48);
}

/** Layers of length 2 and 4 on two vectors; `forwardPair` backwards. */
@inline
function inversePair(p: usize, table: usize): void {
  const a = v128.load(p);
  const b = v128.load(p, 16);
  const even = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
  const odd = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
  const sum = i16x8.add(even, odd);
  const product = timesVector(i16x8.sub(odd, even), INVERSE_2 + table);
  const low = v128.shuffle<i32>(sum, product, 0, 4, 2, 6);
  const high = v128.shuffle<i32>(sum, product, 1, 5, 3, 7);
  const sum4 = i16x8.add(low, high);
  const product4 = timesVector(i16x8.sub(high, low), INVERSE_4 + table);
  v128.store(p, v128.shuffle<i64>(sum4, product4, 0, 2));
  v128.store(p, v128.shuffle<i64>(sum4, product4, 1, 3), 16);
}

/** Layers of length 32, 64 and 128 on the eight vectors at p + 64 k, and the factor 2^16 / 128. */
@inline
function inverseOuter(p: usize): void {
  let v0 = v128.load(p);
  let v1 = v128.load(p, 64);
  let v2 = v128.load(p, 128);
  let v3 = v128.load(p, 192);
  let v4 = v128.load(p, 256);
  let v5 = v128.load(p, 320);
  let v6 = v128.load(p, 384);
  let v7 = v128.load(p, 448);
  let t0 = i16x8.sub(v1, v0);
  let t1 = i16x8.sub(v3, v2);
  let t2 = i16x8.sub(v5, v4);
  let t3 = i16x8.sub(v7, v6);
  v0 = i16x8.add(v0, v1);
  v2 = i16x8.add(v2, v3);
  v4 = i16x8.add(v4, v5);
  v6 = i16x8.add(v6, v7);
  v1 = timesZeta(t0, 7);
  v3 = timesZeta(t1, 6);
  v5 = timesZeta(t2, 5);
  v7 = timesZeta(t3, 4);

  t0 = i16x8.sub(v2, v0);
  t1 = i16x8.sub(v3, v1);
  t2 = i16x8.sub(v6, v4);
  t3 = i16x8.sub(v7, v5);
  v0 = i16x8.add(v0, v2);
  v1 = i16x8.add(v1, v3);
  v4 = i16x8.add(v4, v6);
  v5 = i16x8.add(v5, v7);
  v2 = timesZeta(t0, 3);
  v3 = timesZeta(t1, 3);
  v6 = timesZeta(t2, 2);
  v7 = timesZeta(t3, 2);

  storeScaled(p, v0, v4);
  storeScaled(p + 64, v1, v5);
  storeScaled(p + 128, v2, v6);
  storeScaled(p + 192, v3, v7);
}

/** The last layer and the factor 2^16 / 128 = 512: sums times 512, differences times zeta_1 * 512 = -1600 * 512 = -266 mod q. */
@inline
function storeScaled(p: usize, low: v128, high: v128): void {
  const sum = mulConstant(i16x8.add(low, high), i16x8.splat(512), i16x8.splat(5040));
  const product = mulConstant(i16x8.sub(high, low), i16x8.splat(-266), i16x8.splat(-2618));
  v128.store(p, sum);
  v128.store(p, product, 256);
}

/**
 * Prepares b in T_q as the right factor of products: per pair (b0, b1) first (b0, gamma b1), 512 bytes, then (b1, b0), 512 bytes.
 * A product of pairs (FIPS 203 algorithm 12) then is two dot products of neighbours. Input |b| <= 1960, output |.| <= 1960.
 */
export function cacheFactor(cached: usize, b: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const pairs = v128.load(b + i);
    v128.store(cached + i, timesVector(pairs, GAMMAS + 2 * i));
    v128.store(cached + i, v128.or(i32x4.shl(pairs, 16), i32x4.shr_u(pairs, 16)), 512);
  }
}

/**
 * out = (a_0 * b_0 + a_1 * b_1 + a_2 * b_2) / 2^16 in T_q, FIPS 203 algorithm 11 thrice; a_j at a + j * stride, |a_j| <= 3328;
 * b_j cached at b + j * 1024. One reduction serves the three products: |sum| <= 6 * 3328 * 1960 < 2^26, and |out| <= |sum| / 2^16 + q / 2 <= 2263.
 */
export function multiplyAccumulate(out: usize, a: usize, stride: usize, b: usize): void {
  for (let i: usize = 0; i < POLY_BYTES; i += 16) {
    const p = a + i;
    const c = b + i;
    const a0 = v128.load(p);
    const a1 = v128.load(p + stride);
    const a2 = v128.load(p + 2 * stride);
    const even = i32x4.add(
      i32x4.add(i32x4.dot_i16x8_s(a0, v128.load(c)), i32x4.dot_i16x8_s(a1, v128.load(c, 1024))),
      i32x4.dot_i16x8_s(a2, v128.load(c, 2048)),
    );
    const odd = i32x4.add(
      i32x4.add(i32x4.dot_i16x8_s(a0, v128.load(c, 512)), i32x4.dot_i16x8_s(a1, v128.load(c, 1536))),
      i32x4.dot_i16x8_s(a2, v128.load(c, 2560)),
    );
    v128.store(out + i, montgomery(even, odd));
  }
}
