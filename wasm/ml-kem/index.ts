// ML-KEM-768 (FIPS 203): key generation, encapsulation and decapsulation (algorithms 16 to 18, 20 and 21), and prepared keys.
//
// All arguments are addresses in linear memory. Inputs and outputs may have any alignment and must not overlap each other. Lengths are the
// host's to check (section 7.2 and 7.3's type checks); what needs arithmetic is checked here and answered by a code.
// Each operation wipes its working memory before it returns; keys, secrets and outputs at the caller's addresses are the caller's.
//
// Why a prepared key is legal: decapsulation encrypts again under the key's own ek, and expanding A from rho and decoding s and t give the
// same polynomials each time. FIPS 203 section 3.3 allows any procedure that gives the same output for every input.

import { sha3_256 } from "../keccak";
import { decode12, ENCODED_12_BYTES } from "./codec";
import {
  deriveAndReject,
  deriveSecret,
  deriveSeeds,
  sampleKey,
  sampleMatrixAndHash,
  sampleNoises,
} from "./hashes";
import { POLY_BYTES } from "./ntt";
import { completeKey, decrypt, encrypt, KEY_BYTES, KEY_H, KEY_S, KEY_T, KEY_Z } from "./pke";
import { CIPHERTEXT, G_OUTPUT, MESSAGE, REJECTION, wipeScratch } from "./scratch";

/** Answers of the functions below. */
export const ML_KEM_OK: i32 = 0;
/** A coefficient of ek is not below q: section 7.2's modulus check. */
export const ML_KEM_BAD_ENCAPSULATION_KEY: i32 = 1;
/** The hash of ek that dk carries is not that of its ek: section 7.3's hash check. */
export const ML_KEM_BAD_DECAPSULATION_KEY: i32 = 2;

/** Bytes of a prepared decapsulation key; it is as secret as dk. */
export const ML_KEM_PREPARED_BYTES: i32 = KEY_BYTES as i32;

const EK_BYTES: usize = 1184;
const CT_BYTES: usize = 1088;
/** Offsets in dk = s || ek || H(ek) || z, and rho's in ek. */
const DK_EK: usize = 1152;
const DK_H: usize = DK_EK + EK_BYTES;
const DK_Z: usize = DK_H + 32;
const EK_RHO: usize = 1152;

/** The key encapsulation encrypts under: A, t and h of a prepared key. All of it is public. */
const PUBLIC_KEY: usize = memory.data(7888, 16);

/**
 * ML-KEM.KeyGen_internal(d, z), algorithm 16: `seed` = d || z (64 bytes) -> `ek` (1184), `dk` (2400) and `prepared`
 * (ML_KEM_PREPARED_BYTES), ready for `mlKem768Decapsulate`.
 */
export function mlKem768Keygen(ek: usize, dk: usize, prepared: usize, seed: usize): void {
  deriveSeeds(seed);
  sampleKey(prepared, G_OUTPUT, G_OUTPUT + 32, 6);
  completeKey(prepared, ek, dk);
  memory.copy(ek + EK_RHO, G_OUTPUT, 32);
  memory.copy(dk + DK_EK, ek, EK_BYTES);
  sha3_256(prepared + KEY_H, ek, EK_BYTES as u32);
  memory.copy(prepared + KEY_Z, seed + 32, 32);
  memory.copy(dk + DK_H, prepared + KEY_H, 64);
  wipeScratch();
}

/**
 * Prepares an expanded key: `dk` (2400) -> `prepared`. ML_KEM_BAD_DECAPSULATION_KEY if section 7.3's hash check fails; `prepared` then is
 * wiped. The check's outcome is public.
 */
export function mlKem768PrepareDecapsulationKey(prepared: usize, dk: usize): i32 {
  const ek = dk + DK_EK;
  sampleMatrixAndHash(prepared, prepared + KEY_H, ek);
  for (let i: usize = 0; i < 3; i++) {
    decode12(prepared + KEY_S + POLY_BYTES * i, dk + ENCODED_12_BYTES * i);
    decode12(prepared + KEY_T + POLY_BYTES * i, ek + ENCODED_12_BYTES * i);
  }
  memory.copy(prepared + KEY_Z, dk + DK_Z, 32);
  wipeScratch();
  if (differs(prepared + KEY_H, dk + DK_H, 32) == 0) return ML_KEM_OK;
  memory.fill(prepared, 0, KEY_BYTES);
  return ML_KEM_BAD_DECAPSULATION_KEY;
}

/**
 * ML-KEM.Encaps_internal(ek, m), algorithm 17, behind section 7.2's modulus check: `ek` (1184), `m` (32 random bytes) -> `ct` (1088), `secret`
 * (32). ML_KEM_BAD_ENCAPSULATION_KEY leaves both outputs untouched. ByteDecode_12 is injective below q, so "no coefficient >= q" is the same
 * as section 7.2's "decoding and encoding gives the same bytes".
 */
export function mlKem768Encapsulate(ct: usize, secret: usize, ek: usize, m: usize): i32 {
  let reduced: bool = true;
  for (let i: usize = 0; i < 3; i++) {
    if (!decode12(PUBLIC_KEY + KEY_T + POLY_BYTES * i, ek + ENCODED_12_BYTES * i)) reduced = false;
  }
  if (!reduced) return ML_KEM_BAD_ENCAPSULATION_KEY;
  sampleMatrixAndHash(PUBLIC_KEY, PUBLIC_KEY + KEY_H, ek);
  deriveSecret(m, PUBLIC_KEY + KEY_H);
  sampleNoises(G_OUTPUT + 32, 0, 7);
  encrypt(ct, PUBLIC_KEY, m);
  memory.copy(secret, G_OUTPUT, 32);
  wipeScratch();
  return ML_KEM_OK;
}

/**
 * ML-KEM.Decaps_internal, algorithm 18: `ct` (1088) -> `secret` (32), with a prepared key. Never fails: for a ciphertext that encryption does not
 * give again, the secret is J(z || c). Both secrets are always computed; a mask chooses, so time and addresses do not tell which.
 */
export function mlKem768Decapsulate(secret: usize, prepared: usize, ct: usize): void {
  decrypt(MESSAGE, prepared, ct);
  deriveAndReject(MESSAGE, prepared + KEY_H, prepared + KEY_Z, ct);
  encrypt(CIPHERTEXT, prepared, MESSAGE);
  const mask = i32x4.splat(-differs(CIPHERTEXT, ct, CT_BYTES));
  for (let i: usize = 0; i < 32; i += 16) {
    v128.store(
      secret + i,
      v128.bitselect(v128.load(REJECTION + i), v128.load(G_OUTPUT + i), mask),
    );
  }
  wipeScratch();
}

/** 1 if two strings of `length` bytes (a multiple of 16) differ, else 0; reads all of both and never branches on them. */
function differs(a: usize, b: usize, length: usize): i32 {
  let difference = i32x4.splat(0);
  for (let i: usize = 0; i < length; i += 16) {
    difference = v128.or(difference, v128.xor(v128.load(a + i), v128.load(b + i)));
  }
  return v128.any_true(difference) as i32;
}
