// Sampling: FIPS 204 section 7.3, algorithms 29 to 34, over the two-way sponge.
//
// Blocks are squeezed in runs long enough that a second run is all but never needed; what follows a run is the same stream, so the
// result is the specification's. Â is public: its rejection may branch. In RejBoundedPoly candidates are stored unconditionally and the
// place advances by 0 or 1; how many candidates a polynomial took shows, as FIPS 204 permits, which ones never does.

import {
  RATE_SHAKE128, RATE_SHAKE256, SPONGE_X2_BYTES, SUFFIX_SHAKE, shakeX2Absorb, shakeX2Squeeze, spongeAbsorb, spongeFinish, spongeInit,
  spongeSqueeze,
} from "../keccak";
import { transposePoly } from "./ntt";
import { unpackZ } from "./packing";
import { COLUMNS, COMMITMENT_BYTES, ETA, POLY_BYTES, Q, ROWS, TAU } from "./params";

/** 5 blocks of SHAKE128 hold 280 candidates for 256 places; one in 1024 is refused. */
const MATRIX_BLOCKS: u32 = 5;
/** 2 blocks of SHAKE256 hold 544 half-bytes, 9 in 16 of which serve: 306 on average. */
const BOUNDED_BLOCKS: u32 = 2;
/** 640 bytes. */
const MASK_BLOCKS: u32 = 5;

const STREAM_BYTES: u32 = 848;
/** Sponge, two inputs of up to 66 bytes, two streams: one region so that it is wiped in one go. */
const REGION_BYTES: u32 = 400 + 2 * 80 + 2 * 848;
const REGION: usize = memory.data(2256, 16);
const INPUT0: usize = REGION + SPONGE_X2_BYTES;
const INPUT1: usize = INPUT0 + 80;
const STREAM0: usize = INPUT1 + 80;
const STREAM1: usize = STREAM0 + STREAM_BYTES;
/** One block of SHAKE256 for SampleInBall: 8 sign bytes, then places. */
const BALL: usize = memory.data(136, 16);
const BALL_SPONGE: usize = memory.data(208, 16);

/** Clears what sampling leaves, commitment hashes of refused rounds included. */
export function wipeSampling(): void {
  memory.fill(REGION, 0, REGION_BYTES);
  memory.fill(BALL, 0, RATE_SHAKE256);
  spongeInit(BALL_SPONGE);
}

/** Algorithm 14 (CoeffFromThreeBytes) on a run of `length` bytes; gives the number of places filled so far. */
function rejectMatrix(poly: usize, filled: i32, stream: usize, length: usize): i32 {
  const end = stream + length;
  const mask = i32x4.splat(0x7fffff), q = i32x4.splat(Q);
  // Four at a time while all four serve; a load takes 16 bytes, 4 more than it uses (the streams have room).
  while (filled <= 252 && stream + 12 <= end) {
    const lanes = i8x16.swizzle(v128.load(stream), i8x16(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    const candidates = v128.and(lanes, mask);
    const serves = i32x4.lt_s(candidates, q);
    if (i32x4.all_true(serves)) {
      v128.store(poly + 4 * filled, candidates);
      filled += 4;
    } else {
      const bits = i32x4.bitmask(serves);
      for (let i = 0; i < 4; i++) {
        store<u32>(poly + 4 * filled, load<u32>(stream + 3 * i) & 0x7fffff);
        filled += (bits >> i) & 1;
      }
    }
    stream += 12;
  }
  for (; filled < 256 && stream + 3 <= end; stream += 3) {
    const candidate = load<u32>(stream) & 0x7fffff;
    store<u32>(poly + 4 * filled, candidate);
    filled += i32(candidate < <u32>Q);
  }
  return filled;
}

/** Algorithm 32: Â from rho, row by row, in transposed blocks. Two polynomials at a time (algorithm 30). */
export function expandMatrix(matrix: usize, rho: usize): void {
  memory.copy(INPUT0, rho, 32);
  memory.copy(INPUT1, rho, 32);
  for (let i = 0; i < ROWS * COLUMNS; i += 2) {
    const next = i + 1;
    store<u8>(INPUT0, <u8>(i % COLUMNS), 32);
    store<u8>(INPUT0, <u8>(i / COLUMNS), 33);
    store<u8>(INPUT1, <u8>(next % COLUMNS), 32);
    store<u8>(INPUT1, <u8>(next / COLUMNS), 33);
    const poly0 = matrix + POLY_BYTES * i, poly1 = poly0 + POLY_BYTES;
    shakeX2Absorb(REGION, RATE_SHAKE128, INPUT0, INPUT1, 34);
    shakeX2Squeeze(REGION, RATE_SHAKE128, STREAM0, STREAM1, MATRIX_BLOCKS);
    let filled0 = rejectMatrix(poly0, 0, STREAM0, RATE_SHAKE128 * MATRIX_BLOCKS);
    let filled1 = rejectMatrix(poly1, 0, STREAM1, RATE_SHAKE128 * MATRIX_BLOCKS);
    // 168 and 840 are multiples of 3: no candidate straddles two runs.
    while (filled0 < 256 || filled1 < 256) {
      shakeX2Squeeze(REGION, RATE_SHAKE128, STREAM0, STREAM1, 1);
      filled0 = rejectMatrix(poly0, filled0, STREAM0, RATE_SHAKE128);
      filled1 = rejectMatrix(poly1, filled1, STREAM1, RATE_SHAKE128);
    }
    transposePoly(poly0);
    transposePoly(poly1);
  }
}

/** Algorithms 31 and 15 on a run: both halves of each byte, the low one first. `poly` has room for one place too many. */
function rejectBounded(poly: usize, filled: i32, stream: usize, length: usize): i32 {
  for (const end = stream + length; filled < 256 && stream < end; stream++) {
    const low = <i32>(load<u8>(stream) & 15), high = <i32>(load<u8>(stream) >> 4);
    store<i32>(poly + 4 * filled, ETA - low);
    filled += <i32>(<u32>(low - 9) >> 31);
    store<i32>(poly + 4 * filled, ETA - high);
    filled += <i32>(<u32>(high - 9) >> 31);
  }
  return filled;
}

/**
 * Algorithm 33: s1 (5 polynomials) and s2 (6), contiguous at `vector`, from the 64 bytes of rho'. A run may write one word past the end
 * of its polynomial: `vector` needs room for 12 polynomials and a word, and that word is put back where it hit a neighbour in use.
 */
export function expandSecret(vector: usize, seed: usize): void {
  memory.copy(INPUT0, seed, 64);
  memory.copy(INPUT1, seed, 64);
  for (let i = 0; i < 12; i += 2) {
    store<u16>(INPUT0, <u16>i, 64);
    store<u16>(INPUT1, <u16>(i + 1), 64);
    const poly0 = vector + POLY_BYTES * i, poly1 = poly0 + POLY_BYTES;
    shakeX2Absorb(REGION, RATE_SHAKE256, INPUT0, INPUT1, 66);
    shakeX2Squeeze(REGION, RATE_SHAKE256, STREAM0, STREAM1, BOUNDED_BLOCKS);
    let filled0 = rejectBounded(poly0, 0, STREAM0, RATE_SHAKE256 * BOUNDED_BLOCKS);
    let filled1 = rejectBounded(poly1, 0, STREAM1, RATE_SHAKE256 * BOUNDED_BLOCKS);
    while (filled0 < 256 || filled1 < 256) {
      shakeX2Squeeze(REGION, RATE_SHAKE256, STREAM0, STREAM1, 1);
      const first = load<i32>(poly1);
      filled0 = rejectBounded(poly0, filled0, STREAM0, RATE_SHAKE256);
      store<i32>(poly1, first);
      filled1 = rejectBounded(poly1, filled1, STREAM1, RATE_SHAKE256);
    }
  }
}

/** Two polynomials of algorithm 34 at `poly`, for the nonces `nonce` and `nonce + 1`; `seed` is rho'' (64 bytes). */
export function expandMaskPair(poly: usize, seed: usize, nonce: u32): void {
  memory.copy(INPUT0, seed, 64);
  memory.copy(INPUT1, seed, 64);
  store<u16>(INPUT0, <u16>nonce, 64);
  store<u16>(INPUT1, <u16>(nonce + 1), 64);
  shakeX2Absorb(REGION, RATE_SHAKE256, INPUT0, INPUT1, 66);
  shakeX2Squeeze(REGION, RATE_SHAKE256, STREAM0, STREAM1, MASK_BLOCKS);
  unpackZ(poly, STREAM0);
  unpackZ(poly + POLY_BYTES, STREAM1);
}

/**
 * Algorithm 29: c with tau coefficients +-1 from the commitment hash. c is part of the signature when the loop accepts; for rejected
 * rounds FIPS 204 lets c~ be known (it is a hash of w1). So branching on it is legal.
 */
export function sampleInBall(poly: usize, commitment: usize): void {
  spongeInit(BALL_SPONGE);
  spongeAbsorb(BALL_SPONGE, RATE_SHAKE256, commitment, COMMITMENT_BYTES);
  spongeFinish(BALL_SPONGE, RATE_SHAKE256, SUFFIX_SHAKE);
  spongeSqueeze(BALL_SPONGE, RATE_SHAKE256, BALL, RATE_SHAKE256);
  memory.fill(poly, 0, POLY_BYTES);
  let signs = load<u64>(BALL);
  let next = BALL + 8;
  for (let i: usize = 256 - TAU; i < 256; i++) {
    let place: usize;
    do {
      if (next == BALL + RATE_SHAKE256) {
        spongeSqueeze(BALL_SPONGE, RATE_SHAKE256, BALL, RATE_SHAKE256);
        next = BALL;
      }
      place = <usize>load<u8>(next++);
    } while (place > i);
    store<i32>(poly + 4 * i, load<i32>(poly + 4 * place));
    store<i32>(poly + 4 * place, 1 - 2 * <i32>(signs & 1));
    signs >>= 1;
  }
}
