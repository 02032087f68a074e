// The hashes of ML-KEM (FIPS 203 section 4.1) in the pairs that ML-KEM allows: two-way Keccak costs little more than one permutation, and
// most of ML-KEM is Keccak. Which hash shares a permutation with which changes no result.
//
// H(ek) has 9 blocks and a row of the matrix takes 9 or a few more: they run side by side. So do J(z || c) with 9 blocks and the chain of
// 8 permutations that derives and uses the encryption's randomness. How many blocks the matrix takes depends on rho, which is public.

import { keccakF1600, keccakF1600x2 } from "../keccak";
import { POLY_BYTES } from "./ntt";
import { clearLane, SAMPLED_BYTES, sampleBlock, sampleNoise, seedMatrix, seedNoise } from "./sample";
import { G_OUTPUT, LANE0, LANE1, NOISE, REJECTION, STATE, STATES } from "./scratch";

const LAST_BIT: u64 = 0x8000000000000000;
const RATE_136: usize = 136;

/** G(d || 3): rho and sigma of key generation to G_OUTPUT. SHA3-512 of 33 bytes, FIPS 203 algorithm 13 step 1. */
export function deriveSeeds(d: usize): void {
  memory.fill(STATE, 0, 200);
  memory.copy(STATE, d, 32);
  store<u64>(STATE, 0x0603, 32);
  store<u64>(STATE, LAST_BIT, 64);
  keccakF1600(STATE);
  memory.copy(G_OUTPUT, STATE, 64);
}

/** G(m || h): shared secret and encryption randomness to G_OUTPUT. SHA3-512 of 64 bytes, FIPS 203 algorithm 17 step 1. */
export function deriveSecret(m: usize, h: usize): void {
  memory.fill(STATE, 0, 200);
  memory.copy(STATE, m, 32);
  memory.copy(STATE + 32, h, 32);
  store<u64>(STATE, LAST_BIT | 6, 64);
  keccakF1600(STATE);
  memory.copy(G_OUTPUT, STATE, 64);
}

/** Appends to polynomial `index` of the matrix from a lane that was just permuted; seeds nothing. */
@inline
function sampleInto(matrix: usize, index: u32, count: u32, lane: usize): u32 {
  return sampleBlock(matrix + SAMPLED_BYTES * index, count, lane);
}

@inline
function seedEntry(lane: usize, rho: usize, index: u32): void {
  seedMatrix(lane, rho, index / 3, index % 3);
}

/** Entries `index` and `index + 1` of A, side by side until both are full. */
function sampleTwo(matrix: usize, rho: usize, index: u32): void {
  seedEntry(LANE0, rho, index);
  seedEntry(LANE1, rho, index + 1);
  let count0: u32 = 0;
  let count1: u32 = 0;
  while (count0 < 256 || count1 < 256) {
    keccakF1600x2(STATES);
    if (count0 < 256) count0 = sampleInto(matrix, index, count0, LANE0);
    if (count1 < 256) count1 = sampleInto(matrix, index + 1, count1, LANE1);
  }
}

/**
 * The matrix A (9 polynomials of SAMPLED_BYTES, row by row) and `nonces` noise polynomials to NOISE: FIPS 203 algorithm 13 steps 3 to 15.
 * The ninth entry of A shares its permutations with noise; what noise then remains goes in pairs.
 */
export function sampleKey(matrix: usize, rho: usize, sigma: usize, nonces: u32): void {
  for (let index: u32 = 0; index < 8; index += 2) sampleTwo(matrix, rho, index);
  seedEntry(LANE0, rho, 8);
  let nonce: u32 = 0;
  let count: u32 = 0;
  seedNoise(LANE1, sigma, nonce);
  while (count < 256) {
    keccakF1600x2(STATES);
    count = sampleInto(matrix, 8, count, LANE0);
    if (nonce < nonces) {
      sampleNoise(NOISE + POLY_BYTES * nonce, LANE1);
      nonce += 1;
      seedNoise(LANE1, sigma, nonce);
    }
  }
  sampleNoises(sigma, nonce, nonces);
}

/** Noise polynomials `from` up to `to` of `seed`, in pairs; the last may be alone. */
export function sampleNoises(seed: usize, from: u32, to: u32): void {
  for (let nonce = from; nonce < to; nonce += 2) {
    seedNoise(LANE0, seed, nonce);
    seedNoise(LANE1, seed, nonce + 1);
    keccakF1600x2(STATES);
    sampleNoise(NOISE + POLY_BYTES * nonce, LANE0);
    if (nonce + 1 < to) sampleNoise(NOISE + POLY_BYTES * (nonce + 1), LANE1);
  }
}

/** XORs `lanes` u64 at `input` into a lane's state. */
@inline
function absorb(lane: usize, input: usize, lanes: usize): void {
  for (let i: usize = 0; i < lanes; i++) {
    const at = lane + 16 * i;
    store<u64>(at, load<u64>(at) ^ load<u64>(input + 8 * i));
  }
}

@inline
function pad136(lane: usize, at: usize, suffix: u64): void {
  store<u64>(lane + 16 * at, load<u64>(lane + 16 * at) ^ suffix);
  store<u64>(lane, load<u64>(lane, 256) ^ LAST_BIT, 256);
}

@inline
function extract32(out: usize, lane: usize): void {
  for (let i: usize = 0; i < 4; i++) store<u64>(out + 8 * i, load<u64>(lane + 16 * i));
}

/** Block `block` of H(ek), SHA3-256 of 1184 = 8 * 136 + 96 bytes. */
function absorbKeyBlock(lane: usize, ek: usize, block: usize): void {
  absorb(lane, ek + RATE_136 * block, block < 8 ? 17 : 12);
  if (block == 8) pad136(lane, 12, 6);
}

/** Block `block` of J(z || c), SHAKE256 of 32 + 1088 = 8 * 136 + 32 bytes. */
function absorbRejectionBlock(lane: usize, z: usize, c: usize, block: usize): void {
  if (block == 0) {
    absorb(lane, z, 4);
    absorb(lane + 64, c, 13);
  } else {
    absorb(lane, c + RATE_136 * block - 32, block < 8 ? 17 : 4);
    if (block == 8) pad136(lane, 4, 0x1f);
  }
}

/** The matrix A and h = H(ek), 32 bytes, from an encapsulation key. */
export function sampleMatrixAndHash(matrix: usize, h: usize, ek: usize): void {
  const rho = ek + 1152;
  for (let index: u32 = 0; index < 6; index += 2) sampleTwo(matrix, rho, index);
  clearLane(LANE0);
  absorbKeyBlock(LANE0, ek, 0);
  seedEntry(LANE1, rho, 6);
  let block: usize = 0;
  let index: u32 = 6;
  let count: u32 = 0;
  while (block < 9 || index < 9) {
    keccakF1600x2(STATES);
    if (block < 8) absorbKeyBlock(LANE0, ek, block + 1);
    else if (block == 8) extract32(h, LANE0);
    block += 1;
    if (index < 9) {
      count = sampleInto(matrix, index, count, LANE1);
      if (count >= 256) {
        count = 0;
        index += 1;
        if (index < 9) seedEntry(LANE1, rho, index);
      }
    }
  }
}

/**
 * Decapsulation's hashes, FIPS 203 algorithm 18 steps 6, 7 and the noise of step 8: G(m || h) to G_OUTPUT, J(z || c) to REJECTION, the seven
 * noise polynomials of the second half of G to NOISE.
 */
export function deriveAndReject(m: usize, h: usize, z: usize, c: usize): void {
  clearLane(LANE0);
  clearLane(LANE1);
  absorb(LANE1, m, 4);
  absorb(LANE1 + 64, h, 4);
  store<u64>(LANE1, LAST_BIT | 6, 128);
  for (let block: usize = 0; block < 9; block++) {
    absorbRejectionBlock(LANE0, z, c, block);
    keccakF1600x2(STATES);
    if (block == 0) {
      extract32(G_OUTPUT, LANE1);
      extract32(G_OUTPUT + 32, LANE1 + 64);
    } else if (block < 8) sampleNoise(NOISE + POLY_BYTES * (block - 1), LANE1);
    if (block < 7) seedNoise(LANE1, G_OUTPUT + 32, block as u32);
  }
  extract32(REJECTION, LANE0);
}
