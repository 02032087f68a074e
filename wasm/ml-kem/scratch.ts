// The working memory of one ML-KEM operation: one static block, wiped as a whole when the operation ends. Nothing is allocated.

import { wipeKeccak } from "../keccak";
import { CACHED_BYTES, POLY_BYTES } from "./ntt";

/** Seven noise polynomials, in the order of their nonces: y, e1, e2 of an encryption, s, e of a key generation. */
export const NOISE: usize = memory.data(10000, 16);
/** Three cached factors (s, y or u in NTT form), then one polynomial for sums. */
export const FACTORS: usize = NOISE + 7 * POLY_BYTES;
export const SUM: usize = FACTORS + 3 * CACHED_BYTES;
/** A two-way Keccak state, and its two lanes. */
export const STATES: usize = SUM + POLY_BYTES;
export const LANE0: usize = STATES;
export const LANE1: usize = STATES + 8;
/** A Keccak state for G. */
export const STATE: usize = STATES + 400;
/** Outputs of G (64 bytes), of decryption (32) and of J (32); the ciphertext made again by decapsulation (1088 and 16). */
export const G_OUTPUT: usize = STATE + 208;
export const MESSAGE: usize = G_OUTPUT + 64;
export const REJECTION: usize = MESSAGE + 32;
export const CIPHERTEXT: usize = REJECTION + 32;
const END: usize = CIPHERTEXT + 1104;

/** Clears all of it. */
export function wipeScratch(): void {
  memory.fill(NOISE, 0, END - NOISE);
  wipeKeccak();
}
