// Sampling: SampleNTT from SHAKE128 (FIPS 203 algorithm 7), SamplePolyCBD_2 from SHAKE256 (algorithm 8).
//
// Both work on one lane (0 or 1) of a two-way Keccak state (keccak-f1600.ts: lane pairs of 16 bytes), so that any two of the hashes that
// ML-KEM needs can share a permutation. `lane` below is the state's address plus 8 times the lane's number.

import { unpack12 } from "./codec";

/** A polynomial that `sampleBlock` fills needs 14 bytes behind its 512: the last store may run over. */
export const SAMPLED_BYTES: usize = 528;

/** One block of SHAKE128, and 4 bytes that the last load reads and ignores. */
const BLOCK_BYTES: usize = 168;
const BLOCK: usize = memory.data(176, 16);

/** For each set of accepted lanes the byte shuffle that moves them to the front: 256 * 16 bytes. */
const COMPACT: usize = memory.data(4096, 16);

function fillCompact(): void {
  for (let set = 0; set < 256; set++) {
    let at: usize = COMPACT + 16 * set;
    for (let lane = 0; lane < 8; lane++) {
      if (((set >> lane) & 1) == 0) continue;
      store<u8>(at, (2 * lane) as u8);
      store<u8>(at, (2 * lane + 1) as u8, 1);
      at += 2;
    }
  }
}
fillCompact();

/** Clears a lane of a two-way state. */
@inline
export function clearLane(lane: usize): void {
  for (let i: usize = 0; i < 400; i += 16) store<u64>(lane + i, 0);
}

/** Starts SHAKE128(rho || column || row): the 34 bytes, padded, unpermuted. SampleNTT of it is A[row][column]. */
export function seedMatrix(lane: usize, rho: usize, row: u32, column: u32): void {
  clearLane(lane);
  for (let i: usize = 0; i < 4; i++) store<u64>(lane + 16 * i, load<u64>(rho + 8 * i));
  store<u64>(lane, (column as u64) | ((row as u64) << 8) | 0x1f0000, 64);
  store<u64>(lane, 0x8000000000000000, 320);
}

/** Starts PRF_2(seed, nonce) = SHAKE256(seed || nonce): 33 bytes, padded, unpermuted; FIPS 203 section 4.1. */
export function seedNoise(lane: usize, seed: usize, nonce: u32): void {
  clearLane(lane);
  for (let i: usize = 0; i < 4; i++) store<u64>(lane + 16 * i, load<u64>(seed + 8 * i));
  store<u64>(lane, (nonce as u64) | 0x1f00, 64);
  store<u64>(lane, 0x8000000000000000, 256);
}

/**
 * Takes the 112 candidates of a permuted SHAKE128 lane and appends those below q to the polynomial, which has `count` coefficients; gives the
 * new count, up to 263; the polynomial is done at 256. A block is 56 groups of three bytes, so none straddles two blocks.
 * Candidates are public (rho is in ek): a table index and an early end that depend on them are legal.
 */
export function sampleBlock(polynomial: usize, count: u32, lane: usize): u32 {
  for (let i: usize = 0; i < BLOCK_BYTES; i += 8) store<u64>(BLOCK + i, load<u64>(lane + 2 * i));
  for (let at = BLOCK; at < BLOCK + BLOCK_BYTES && count < 256; at += 12) {
    const candidates = unpack12(v128.load(at));
    const set = i16x8.bitmask(i16x8.lt_s(candidates, i16x8.splat(3329)));
    v128.store(polynomial + 2 * count, i8x16.swizzle(candidates, v128.load(COMPACT + 16 * set)));
    count += popcnt(set);
  }
  return count;
}

/**
 * SamplePolyCBD_2 of the first 128 bytes of a permuted SHAKE256 lane: 256 coefficients in [-2, 2]. All bits at once: sums of neighbouring
 * bits, then per nibble 3 + x - y in [1, 5], so that no borrow crosses.
 */
export function sampleNoise(polynomial: usize, lane: usize): void {
  const nibble = i8x16.splat(0x0f);
  const three = i8x16.splat(3);
  for (let i: usize = 0; i < 8; i++) {
    const bits = v128.load64_lane(lane + 32 * i + 16, v128.load64_zero(lane + 32 * i), 1);
    const odd = i8x16.splat(0x55);
    const sums = i8x16.add(v128.and(bits, odd), v128.and(i16x8.shr_u(bits, 1), odd));
    const pair = i8x16.splat(0x33);
    const differences = i8x16.sub(
      i8x16.add(v128.and(sums, pair), pair),
      v128.and(i16x8.shr_u(sums, 2), pair),
    );
    const low = i8x16.sub(v128.and(differences, nibble), three);
    const high = i8x16.sub(v128.and(i16x8.shr_u(differences, 4), nibble), three);
    const first = v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const second = v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const p = polynomial + 64 * i;
    v128.store(p, i16x8.extend_low_i8x16_s(first));
    v128.store(p, i16x8.extend_high_i8x16_s(first), 16);
    v128.store(p, i16x8.extend_low_i8x16_s(second), 32);
    v128.store(p, i16x8.extend_high_i8x16_s(second), 48);
  }
}
