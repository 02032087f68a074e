// ML-DSA-65, FIPS 204 section 4 (tables 1 and 2), and the layout of prepared keys in memory.
//
// A polynomial is 256 i32 (1024 bytes, 16-byte aligned). Polynomials in the NTT domain are stored with every block of 16
// coefficients transposed as a 4 x 4 matrix (see ntt.ts); nothing outside this folder sees that order.

export const Q: i32 = 8380417;
export const D: i32 = 13;
export const TAU: i32 = 49;
export const GAMMA1: i32 = 1 << 19;
export const GAMMA2: i32 = (8380417 - 1) / 32;
export const ETA: i32 = 4;
export const BETA: i32 = 196;
export const OMEGA: i32 = 55;
export const ROWS: i32 = 6;
export const COLUMNS: i32 = 5;

export const POLY_BYTES: u32 = 1024;
export const SEED_BYTES: u32 = 32;
export const TR_BYTES: u32 = 64;
export const MU_BYTES: u32 = 64;
export const COMMITMENT_BYTES: u32 = 48;
/** One polynomial of z, t1, t0, s and w1 packed. */
export const Z_BYTES: u32 = 640;
export const T1_BYTES: u32 = 320;
export const T0_BYTES: u32 = 416;
export const ETA_BYTES: u32 = 128;
export const W1_BYTES: u32 = 128;

export const PUBLIC_KEY_BYTES: u32 = 1952;
export const EXPANDED_KEY_BYTES: u32 = 4032;
export const SIGNATURE_BYTES: u32 = 3309;
/** Where the hints begin in a signature. */
export const HINT_OFFSET: u32 = 3248;

/** Prepared verification key: Â (30 polynomials, row by row), NTT(t1 * 2^13) (6), tr. */
export const VK_MATRIX: u32 = 0;
export const VK_T1: u32 = 30720;
export const VK_TR: u32 = 36864;
export const VERIFICATION_KEY_BYTES: u32 = 36928;

/** Prepared signing key: Â, NTT of s1 (5), s2 (6), t0 (6), then K and tr. */
export const SK_MATRIX: u32 = 0;
export const SK_S1: u32 = 30720;
export const SK_S2: u32 = 35840;
export const SK_T0: u32 = 41984;
export const SK_K: u32 = 48128;
export const SK_TR: u32 = 48160;
export const SIGNING_KEY_BYTES: u32 = 48224;
