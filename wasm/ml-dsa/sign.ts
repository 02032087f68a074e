// ML-DSA-65 signing: FIPS 204 algorithm 7 (Sign_internal) over mu, with a prepared key.
//
// The loop's tests run in another order than the specification lists them, and stop at the first polynomial that fails: a round is
// refused or accepted all the same. Low bits come first, because they refuse most (2 rounds in 3, against 1 in 3 for z), so that a
// refused round computes few products. Their form is w0 - cs2 with (w1, w0) = Decompose(w): |w0 - cs2| < gamma2 - beta holds exactly
// when |LowBits(w - cs2)| < gamma2 - beta, because |cs2| <= beta keeps w inside its interval either way.
// What timing shows is the number of rounds and which polynomial failed, which FIPS 204 permits (both are independent of the key);
// inside a polynomial nothing depends on a coefficient.

import { RATE_SHAKE256, SUFFIX_SHAKE, spongeAbsorb, spongeFinish, spongeInit, spongeSqueeze, wipeKeccak } from "../keccak";
import { inverseNtt, multiplyPolys, multiplyRow, ntt } from "./ntt";
import { packZ } from "./packing";
import {
  BETA, COLUMNS, COMMITMENT_BYTES, GAMMA1, GAMMA2, HINT_OFFSET, MU_BYTES, OMEGA, POLY_BYTES, ROWS, SK_K, SK_MATRIX, SK_S1, SK_S2, SK_T0,
  W1_BYTES, Z_BYTES,
} from "./params";
import { addReaches, decompose, makeHints, packHints, reaches, subtractReaches } from "./rounding";
import { expandMaskPair, sampleInBall, wipeSampling } from "./sampling";

/** FIPS 204 appendix C allows to give up after 814 rounds; the chance is below 2^-256. */
const ROUNDS_MAX: u32 = 814;

/** All of signing's memory is one region, because all of it is secret. */
const WORK_BYTES: u32 = 27024;
/** y, then z: 5 polynomials, and the first of the next round. */
const Y: usize = memory.data(27024, 16);
const Y_NTT: usize = Y + 6144;
/** LowBits(w), then minus cs2. */
const LOW: usize = Y_NTT + 5120;
const HIGH: usize = LOW + 6144;
const C: usize = HIGH + 6144;
const PRODUCT: usize = C + 1024;
const W1: usize = PRODUCT + 1024;
const HINTS: usize = W1 + 768;
const RHO: usize = HINTS + 384;
const SPONGE: usize = RHO + 64;

/**
 * Signs `mu` (64 bytes) with the prepared key at `key`; `random` is the hedge, 32 bytes (zeros: deterministic). Writes 3309 bytes to
 * `signature`, and gives the number of rounds it took, or 0 after ROUNDS_MAX refused ones (the signature is then cleared).
 */
export function mlDsaSign(key: usize, mu: usize, random: usize, signature: usize): u32 {
  spongeInit(SPONGE);
  spongeAbsorb(SPONGE, RATE_SHAKE256, key + SK_K, 32);
  spongeAbsorb(SPONGE, RATE_SHAKE256, random, 32);
  spongeAbsorb(SPONGE, RATE_SHAKE256, mu, MU_BYTES);
  spongeFinish(SPONGE, RATE_SHAKE256, SUFFIX_SHAKE);
  spongeSqueeze(SPONGE, RATE_SHAKE256, RHO, 64);
  let round: u32 = 0;
  let accepted = false;
  while (!accepted && round < ROUNDS_MAX) {
    expandMask(round);
    commit(key, mu, signature);
    accepted = respond(key, signature);
    round += 1;
  }
  if (!accepted) {
    memory.fill(signature, 0, HINT_OFFSET + OMEGA + ROWS);
    round = 0;
  }
  memory.fill(Y, 0, WORK_BYTES);
  wipeSampling();
  wipeKeccak();
  return round;
}

/**
 * Algorithm 34 for the round: y from the nonces 5 * round on. Nonces of successive rounds are contiguous, so pairs run on across them:
 * an even round makes six polynomials, and the sixth is the first of the odd round after it.
 */
function expandMask(round: u32): void {
  const nonce = 5 * round;
  if (round & 1) {
    memory.copy(Y, Y + 5 * POLY_BYTES, POLY_BYTES);
    expandMaskPair(Y + POLY_BYTES, RHO, nonce + 1);
    expandMaskPair(Y + 3 * POLY_BYTES, RHO, nonce + 3);
  } else {
    expandMaskPair(Y, RHO, nonce);
    expandMaskPair(Y + 2 * POLY_BYTES, RHO, nonce + 2);
    expandMaskPair(Y + 4 * POLY_BYTES, RHO, nonce + 4);
  }
}

/** w = A y, its high and low bits, the commitment hash (the signature's first 48 bytes) and c in the NTT domain. */
function commit(key: usize, mu: usize, signature: usize): void {
  memory.copy(Y_NTT, Y, COLUMNS * POLY_BYTES);
  for (let i = 0; i < COLUMNS; i++) ntt(Y_NTT + POLY_BYTES * i);
  for (let row = 0; row < ROWS; row++) {
    const w = LOW + POLY_BYTES * row;
    multiplyRow(w, key + SK_MATRIX + POLY_BYTES * COLUMNS * row, Y_NTT);
    inverseNtt(w);
    decompose(W1 + W1_BYTES * row, HIGH + POLY_BYTES * row, w);
  }
  spongeInit(SPONGE);
  spongeAbsorb(SPONGE, RATE_SHAKE256, mu, MU_BYTES);
  spongeAbsorb(SPONGE, RATE_SHAKE256, W1, W1_BYTES * ROWS);
  spongeFinish(SPONGE, RATE_SHAKE256, SUFFIX_SHAKE);
  spongeSqueeze(SPONGE, RATE_SHAKE256, signature, COMMITMENT_BYTES);
  sampleInBall(C, signature);
  ntt(C);
}

/** PRODUCT = c * (the key's polynomial). True values are below 2^18 in absolute value, so they come out exact (see ntt.ts). */
// @ts-ignore: decorator
@inline
function multiplyChallenge(keyPoly: usize): void {
  multiplyPolys(PRODUCT, C, keyPoly);
  inverseNtt(PRODUCT);
}

/** Lines 17 to 29 of algorithm 7 and the packing of z and h; false refuses the round. */
function respond(key: usize, signature: usize): bool {
  for (let row = 0; row < ROWS; row++) {
    multiplyChallenge(key + SK_S2 + POLY_BYTES * row);
    if (subtractReaches(LOW + POLY_BYTES * row, PRODUCT, GAMMA2 - BETA)) return false;
  }
  for (let i = 0; i < COLUMNS; i++) {
    multiplyChallenge(key + SK_S1 + POLY_BYTES * i);
    const z = Y + POLY_BYTES * i;
    if (addReaches(z, z, PRODUCT, GAMMA1 - BETA)) return false;
  }
  let count = 0;
  for (let row = 0; row < ROWS; row++) {
    multiplyChallenge(key + SK_T0 + POLY_BYTES * row);
    if (reaches(PRODUCT, GAMMA2)) return false;
    count += makeHints(HINTS + 64 * row, LOW + POLY_BYTES * row, PRODUCT, HIGH + POLY_BYTES * row);
  }
  if (count > OMEGA) return false;
  for (let i = 0; i < COLUMNS; i++) packZ(signature + COMMITMENT_BYTES + Z_BYTES * i, Y + POLY_BYTES * i);
  memory.fill(signature + HINT_OFFSET, 0, OMEGA);
  let index: usize = 0;
  for (let row = 0; row < ROWS; row++) index = packHints(signature, row, HINTS + 64 * row, index);
  return true;
}
