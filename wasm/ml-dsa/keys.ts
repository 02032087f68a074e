// ML-DSA-65 key generation and prepared keys: FIPS 204 algorithms 1, 6 and 22 to 25.
//
// A prepared key is what every signature by or under it needs and does not depend on the message: Â and the key's vectors in the NTT
// domain, and tr. The host owns the memory of a slot, aligned to 16, and clears it with `wipe` when the key goes.

import {
  RATE_SHAKE256, SUFFIX_SHAKE, shake256, spongeAbsorb, spongeFinish, spongeInit, spongeSqueeze, wipeKeccak,
} from "../keccak";
import { inverseNtt, multiplyRow, ntt } from "./ntt";
import { packEta, packT0, packT1, unpackEta, unpackT0, unpackT1Shifted } from "./packing";
import {
  COLUMNS, ETA_BYTES, MU_BYTES, POLY_BYTES, PUBLIC_KEY_BYTES, ROWS, SEED_BYTES, SK_K, SK_MATRIX, SK_S1, SK_S2, SK_T0, SK_TR, T0_BYTES,
  T1_BYTES, TR_BYTES, VK_MATRIX, VK_T1, VK_TR,
} from "./params";
import { power2Round } from "./rounding";
import { expandMatrix, expandSecret, wipeSampling } from "./sampling";

/** Offsets in the expanded encoding (algorithm 24): rho, K, tr, s1, s2, t0. */
const ENCODED_K: u32 = 32;
const ENCODED_TR: u32 = 64;
const ENCODED_S1: u32 = 128;
const ENCODED_T0: u32 = 1536;

/** s1, s2, a spare polynomial and the word that sampling may write past it. */
const SECRET: usize = memory.data(12304, 16);
/** One row of t; the seed with k and l appended; rho, rho' and K. */
const ROW: usize = memory.data(1024, 16);
const EXPANDED: usize = memory.data(128 + 48, 16);

/** Fills `length` bytes with zeros. */
export function wipe(pointer: usize, length: usize): void {
  memory.fill(pointer, 0, length);
}

/** VERIFICATION_KEY_BYTES at `slot` from the 1952 bytes of `publicKey`: every such string is a key. */
export function mlDsaPrepareVerificationKey(slot: usize, publicKey: usize): void {
  expandMatrix(slot + VK_MATRIX, publicKey);
  for (let row = 0; row < ROWS; row++) {
    const poly = slot + VK_T1 + POLY_BYTES * row;
    unpackT1Shifted(poly, publicKey + SEED_BYTES + T1_BYTES * row);
    ntt(poly);
  }
  shake256(slot + VK_TR, TR_BYTES, publicKey, PUBLIC_KEY_BYTES);
}

/**
 * Algorithm 6 (KeyGen_internal): SIGNING_KEY_BYTES at `slot` and the public key at `publicKey`, from the 32 bytes of `seed`. When
 * `expandedKey` is not 0 the 4032 bytes of algorithm 24 are written there as well.
 */
export function mlDsaPrepareSigningKey(slot: usize, seed: usize, publicKey: usize, expandedKey: usize): void {
  const input = EXPANDED + 128;
  memory.copy(input, seed, SEED_BYTES);
  store<u8>(input, <u8>ROWS, 32);
  store<u8>(input, <u8>COLUMNS, 33);
  shake256(EXPANDED, 128, input, 34);
  memory.copy(publicKey, EXPANDED, 32);
  memory.copy(slot + SK_K, EXPANDED + 96, 32);
  expandMatrix(slot + SK_MATRIX, publicKey);
  expandSecret(SECRET, EXPANDED + 32);
  if (expandedKey != 0) {
    memory.copy(expandedKey, publicKey, 32);
    memory.copy(expandedKey + ENCODED_K, EXPANDED + 96, 32);
    for (let i = 0; i < COLUMNS + ROWS; i++) packEta(expandedKey + ENCODED_S1 + ETA_BYTES * i, SECRET + POLY_BYTES * i);
  }
  memory.copy(slot + SK_S1, SECRET, POLY_BYTES * (COLUMNS + ROWS));
  for (let i = 0; i < COLUMNS + ROWS; i++) ntt(slot + SK_S1 + POLY_BYTES * i);
  for (let row = 0; row < ROWS; row++) {
    multiplyRow(ROW, slot + SK_MATRIX + POLY_BYTES * COLUMNS * row, slot + SK_S1);
    inverseNtt(ROW);
    const s2 = SECRET + POLY_BYTES * (COLUMNS + row), t0 = slot + SK_T0 + POLY_BYTES * row;
    // |t| < 0.65 q + 4
    for (let i: usize = 0; i < POLY_BYTES; i += 16) v128.store(ROW + i, i32x4.add(v128.load(ROW + i), v128.load(s2 + i)));
    power2Round(ROW, t0);
    packT1(publicKey + SEED_BYTES + T1_BYTES * row, ROW);
    if (expandedKey != 0) packT0(expandedKey + ENCODED_T0 + T0_BYTES * row, t0);
    ntt(t0);
  }
  shake256(slot + SK_TR, TR_BYTES, publicKey, PUBLIC_KEY_BYTES);
  if (expandedKey != 0) memory.copy(expandedKey + ENCODED_TR, slot + SK_TR, TR_BYTES);
  wipeKeys();
}

/**
 * Algorithm 25 (skDecode) into a prepared key. Gives 0, and wipes the slot, when a coefficient of s1 or s2 is out of range; 1 otherwise.
 * That K, tr and t0 belong to s1 and s2 is not checked here.
 */
export function mlDsaPrepareExpandedKey(slot: usize, expandedKey: usize): i32 {
  expandMatrix(slot + SK_MATRIX, expandedKey);
  memory.copy(slot + SK_K, expandedKey + ENCODED_K, 32);
  memory.copy(slot + SK_TR, expandedKey + ENCODED_TR, TR_BYTES);
  let inside = true;
  for (let i = 0; i < COLUMNS + ROWS; i++) {
    const poly = slot + SK_S1 + POLY_BYTES * i;
    inside = unpackEta(poly, expandedKey + ENCODED_S1 + ETA_BYTES * i) && inside;
    ntt(poly);
  }
  for (let row = 0; row < ROWS; row++) {
    const poly = slot + SK_T0 + POLY_BYTES * row;
    unpackT0(poly, expandedKey + ENCODED_T0 + T0_BYTES * row);
    ntt(poly);
  }
  if (!inside) wipe(slot, SK_TR + TR_BYTES);
  return i32(inside);
}

function wipeKeys(): void {
  wipe(SECRET, 12304);
  wipe(ROW, POLY_BYTES);
  wipe(EXPANDED, 176);
  wipeSampling();
  wipeKeccak();
}

const MU_SPONGE: usize = memory.data(208, 16);
const PREFIX: usize = memory.data(2);

/** Starts SHAKE256(tr || ...). */
function beginMu(tr: usize): void {
  spongeInit(MU_SPONGE);
  spongeAbsorb(MU_SPONGE, RATE_SHAKE256, tr, TR_BYTES);
}

/** Ends it with `length` bytes of the message; the message may be confidential, so nothing of it stays. */
function endMu(mu: usize, message: usize, length: u32): void {
  spongeAbsorb(MU_SPONGE, RATE_SHAKE256, message, length);
  spongeFinish(MU_SPONGE, RATE_SHAKE256, SUFFIX_SHAKE);
  spongeSqueeze(MU_SPONGE, RATE_SHAKE256, mu, MU_BYTES);
  spongeInit(MU_SPONGE);
}

/**
 * mu of the pure interface (algorithms 2 and 7): SHAKE256(tr || 0 || contextLength || context || message, 64 bytes) to `mu`. `tr` is a
 * prepared key plus VK_TR or SK_TR. contextLength is at most 255: the caller has checked.
 */
export function mlDsaMu(mu: usize, tr: usize, context: usize, contextLength: u32, message: usize, messageLength: u32): void {
  beginMu(tr);
  store<u16>(PREFIX, <u16>(contextLength << 8));
  spongeAbsorb(MU_SPONGE, RATE_SHAKE256, PREFIX, 2);
  store<u16>(PREFIX, 0);
  spongeAbsorb(MU_SPONGE, RATE_SHAKE256, context, contextLength);
  endMu(mu, message, messageLength);
}

/** mu of the internal interface, for any formatted message: SHAKE256(tr || formatted, 64 bytes). */
export function mlDsaMuInternal(mu: usize, tr: usize, formatted: usize, length: u32): void {
  beginMu(tr);
  endMu(mu, formatted, length);
}
