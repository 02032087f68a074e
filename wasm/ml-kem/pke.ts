// K-PKE, the encryption scheme inside ML-KEM-768 (FIPS 203 algorithms 13 to 15), on keys whose polynomials are already in NTT form.
//
// A prepared key is what both directions need and what an encoded key costs most to turn into: A (9 polynomials of 528 bytes, row by row,
// coefficients in [0, q)), s and t in NTT form (3 * 512 bytes each, in [0, q)), h = H(ek) and z (32 bytes each).

import {
  addMessage,
  decodeCompressed10,
  decodeCompressed4,
  ENCODED_10_BYTES,
  ENCODED_12_BYTES,
  encode12,
  encodeCompressed10,
  encodeCompressed4,
  encodeMessage,
} from "./codec";
import { canonical, mulConstant } from "./field";
import { CACHED_BYTES, cacheFactor, inverseNtt, multiplyAccumulate, ntt, POLY_BYTES } from "./ntt";
import { SAMPLED_BYTES } from "./sample";
import { FACTORS, NOISE, SUM } from "./scratch";

/** Offsets in a prepared key, and its size. */
export const KEY_S: usize = 9 * SAMPLED_BYTES;
export const KEY_T: usize = KEY_S + 3 * POLY_BYTES;
export const KEY_H: usize = KEY_T + 3 * POLY_BYTES;
export const KEY_Z: usize = KEY_H + 32;
export const KEY_BYTES: usize = KEY_Z + 32;

const C2: usize = 3 * ENCODED_10_BYTES;

/** NTT of three polynomials in place, and their cached forms to FACTORS. */
function transformFactors(f: usize): void {
  for (let i: usize = 0; i < 3; i++) {
    ntt(f + POLY_BYTES * i);
    cacheFactor(FACTORS + CACHED_BYTES * i, f + POLY_BYTES * i);
  }
}

/**
 * Algorithm 13 steps 16 to 19, with A in `key` and s, e in NOISE: fills s and t of `key`, encodes t to `ek` (1152 bytes and 4) and s to `dk`
 * (the same).
 */
export function completeKey(key: usize, ek: usize, dk: usize): void {
  transformFactors(NOISE);
  for (let i: usize = 0; i < 3; i++) {
    const s = key + KEY_S + POLY_BYTES * i;
    const t = key + KEY_T + POLY_BYTES * i;
    const e = NOISE + POLY_BYTES * (3 + i);
    ntt(e);
    multiplyAccumulate(SUM, key + 3 * SAMPLED_BYTES * i, SAMPLED_BYTES, FACTORS);
    for (let at: usize = 0; at < POLY_BYTES; at += 16) {
      // 2^16 mod q = -1044 undoes the Montgomery factor. |product| <= 1780, |e| <= 1960.
      const product = mulConstant(v128.load(SUM + at), i16x8.splat(-1044), i16x8.splat(-10276));
      v128.store(t + at, canonical(i16x8.add(product, v128.load(e + at))));
      v128.store(s + at, canonical(v128.load(NOISE + POLY_BYTES * i + at)));
    }
    encode12(ek + ENCODED_12_BYTES * i, t);
    encode12(dk + ENCODED_12_BYTES * i, s);
  }
}

/**
 * Algorithm 14 from step 18 on, with y, e1, e2 in NOISE: encrypts the 32 bytes at `message` under A and t of `key` to `c` (1088 bytes).
 * Ranges: the inverse transform gives at most 2455, noise adds 2 and the message 1665: below the 5800 that compression takes.
 */
export function encrypt(c: usize, key: usize, message: usize): void {
  transformFactors(NOISE);
  for (let i: usize = 0; i < 3; i++) {
    multiplyAccumulate(SUM, key + SAMPLED_BYTES * i, 3 * SAMPLED_BYTES, FACTORS);
    inverseNtt(SUM);
    encodeCompressed10(c + ENCODED_10_BYTES * i, SUM, NOISE + POLY_BYTES * (3 + i));
  }
  multiplyAccumulate(SUM, key + KEY_T, POLY_BYTES, FACTORS);
  inverseNtt(SUM);
  addMessage(SUM, NOISE + POLY_BYTES * 6, message);
  encodeCompressed4(c + C2, SUM);
}

/** Algorithm 15: decrypts `c` with s of `key` to the 32 bytes at `message`. */
export function decrypt(message: usize, key: usize, c: usize): void {
  for (let i: usize = 0; i < 3; i++) {
    decodeCompressed10(NOISE + POLY_BYTES * i, c + ENCODED_10_BYTES * i);
  }
  transformFactors(NOISE);
  multiplyAccumulate(SUM, key + KEY_S, POLY_BYTES, FACTORS);
  inverseNtt(SUM);
  decodeCompressed4(NOISE, c + C2);
  encodeMessage(message, NOISE, SUM);
}
