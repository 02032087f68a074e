// ML-DSA-65 verification: FIPS 204 algorithm 8 (Verify_internal) over mu, with a prepared key.
//
// Everything here is public, so it may stop at the first fault: hints first, then the norm of z, then the equation.

import { RATE_SHAKE256, SUFFIX_SHAKE, spongeAbsorb, spongeFinish, spongeInit, spongeSqueeze } from "../keccak";
import { inverseNtt, multiplyRowMinus, ntt } from "./ntt";
import { hintsAreWellFormed, unpackZ } from "./packing";
import {
  BETA, COLUMNS, COMMITMENT_BYTES, GAMMA1, HINT_OFFSET, MU_BYTES, OMEGA, POLY_BYTES, ROWS, VK_MATRIX, VK_T1, W1_BYTES, Z_BYTES,
} from "./params";
import { applyHint, packHighBits } from "./rounding";
import { sampleInBall } from "./sampling";

const Z: usize = memory.data(5120, 16);
const C: usize = memory.data(1024, 16);
const W: usize = memory.data(1024, 16);
const W1: usize = memory.data(768, 16);
const SPONGE: usize = memory.data(208, 16);
const COMMITMENT: usize = memory.data(48, 16);

/** 1 when the 3309 bytes at `signature` sign `mu` (64 bytes) under the prepared key at `key`, else 0. */
export function mlDsaVerify(key: usize, mu: usize, signature: usize): i32 {
  if (!hintsAreWellFormed(signature)) return 0;
  const bound = i32x4.splat(GAMMA1 - BETA);
  for (let i = 0; i < COLUMNS; i++) {
    const z = Z + POLY_BYTES * i;
    if (v128.any_true(i32x4.ge_s(unpackZ(z, signature + COMMITMENT_BYTES + Z_BYTES * i), bound))) return 0;
    ntt(z);
  }
  sampleInBall(C, signature);
  ntt(C);
  let hint: usize = signature + HINT_OFFSET;
  for (let row = 0; row < ROWS; row++) {
    // w' = A z - c t1 2^d
    multiplyRowMinus(W, key + VK_MATRIX + POLY_BYTES * COLUMNS * row, Z, C, key + VK_T1 + POLY_BYTES * row);
    inverseNtt(W);
    packHighBits(W1 + W1_BYTES * row, W);
    const end = signature + HINT_OFFSET + <usize>load<u8>(signature + HINT_OFFSET + OMEGA + row);
    for (; hint < end; hint++) applyHint(W1 + W1_BYTES * row, W, <usize>load<u8>(hint));
  }
  spongeInit(SPONGE);
  spongeAbsorb(SPONGE, RATE_SHAKE256, mu, MU_BYTES);
  spongeAbsorb(SPONGE, RATE_SHAKE256, W1, W1_BYTES * ROWS);
  spongeFinish(SPONGE, RATE_SHAKE256, SUFFIX_SHAKE);
  spongeSqueeze(SPONGE, RATE_SHAKE256, COMMITMENT, COMMITMENT_BYTES);
  let difference: u64 = 0;
  for (let i: usize = 0; i < COMMITMENT_BYTES; i += 8) difference |= load<u64>(COMMITMENT + i) ^ load<u64>(signature + i);
  return i32(difference == 0);
}

/**
 * Verifies `count` signatures in one call. A job is 16 bytes at `jobs`, four u32: prepared key, mu, signature, and room for the answer
 * (1 or 0). Gives the number of valid ones.
 */
export function mlDsaVerifyBatch(jobs: usize, count: u32): u32 {
  let valid: u32 = 0;
  for (let job = jobs, end = jobs + 16 * count; job < end; job += 16) {
    const answer = mlDsaVerify(load<u32>(job), load<u32>(job, 4), load<u32>(job, 8));
    store<u32>(job, answer, 12);
    valid += answer;
  }
  return valid;
}
