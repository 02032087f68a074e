// Keccak-f[1600], FIPS 202 section 3.3: one state in u64 locals, and two states at once in i64x2 locals.
//
// The 25 lanes live in locals for all 24 rounds; memory is read and written once a call. Rounds go in pairs (a -> e -> a) so that no
// lane is copied. Lane names: a<y><x>. Inside a round: c and d are theta's parities, b one row after rho and pi, then chi row by row.
// SIMD128 has no rotation: two shifts and an or, and by one bit an addition for the left shift (it runs on more units). A byte shuffle for
// the rotations by 8 and 56 measured slower: V8 builds its mask anew each time.
// Two rounds a turn of the loop: all 24 unrolled measured slower (25 KB of code leave the processor's cache of decoded instructions).
// The permutation has neither branch nor index that depends on the state.

/** iota's round constants, FIPS 202 algorithm 6. */
const ROUND_CONSTANTS: usize = memory.data<u64>([
  0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
  0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
  0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
  0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
  0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
  0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
]);

/** Permutes one state: 25 little-endian u64 at `state`, lane (x, y) at 8 * (5y + x). */
export function keccakF1600(state: usize): void {
  let a00 = load<u64>(state, 0), a01 = load<u64>(state, 8), a02 = load<u64>(state, 16), a03 = load<u64>(state, 24), a04 = load<u64>(state, 32);
  let a10 = load<u64>(state, 40), a11 = load<u64>(state, 48), a12 = load<u64>(state, 56), a13 = load<u64>(state, 64), a14 = load<u64>(state, 72);
  let a20 = load<u64>(state, 80), a21 = load<u64>(state, 88), a22 = load<u64>(state, 96), a23 = load<u64>(state, 104), a24 = load<u64>(state, 112);
  let a30 = load<u64>(state, 120), a31 = load<u64>(state, 128), a32 = load<u64>(state, 136), a33 = load<u64>(state, 144), a34 = load<u64>(state, 152);
  let a40 = load<u64>(state, 160), a41 = load<u64>(state, 168), a42 = load<u64>(state, 176), a43 = load<u64>(state, 184), a44 = load<u64>(state, 192);
  let e00: u64, e01: u64, e02: u64, e03: u64, e04: u64;
  let e10: u64, e11: u64, e12: u64, e13: u64, e14: u64;
  let e20: u64, e21: u64, e22: u64, e23: u64, e24: u64;
  let e30: u64, e31: u64, e32: u64, e33: u64, e34: u64;
  let e40: u64, e41: u64, e42: u64, e43: u64, e44: u64;
  let b0: u64, b1: u64, b2: u64, b3: u64, b4: u64;
  let c0: u64, c1: u64, c2: u64, c3: u64, c4: u64;
  let d0: u64, d1: u64, d2: u64, d3: u64, d4: u64;
  for (let constant = ROUND_CONSTANTS, end = constant + 192; constant < end; constant += 16) {
    // even round: a -> e
    c0 = a00 ^ a10 ^ a20 ^ a30 ^ a40;
    c1 = a01 ^ a11 ^ a21 ^ a31 ^ a41;
    c2 = a02 ^ a12 ^ a22 ^ a32 ^ a42;
    c3 = a03 ^ a13 ^ a23 ^ a33 ^ a43;
    c4 = a04 ^ a14 ^ a24 ^ a34 ^ a44;
    d0 = c4 ^ rotl<u64>(c1, 1);
    d1 = c0 ^ rotl<u64>(c2, 1);
    d2 = c1 ^ rotl<u64>(c3, 1);
    d3 = c2 ^ rotl<u64>(c4, 1);
    d4 = c3 ^ rotl<u64>(c0, 1);
    b0 = a00 ^ d0;
    b1 = rotl<u64>(a11 ^ d1, 44);
    b2 = rotl<u64>(a22 ^ d2, 43);
    b3 = rotl<u64>(a33 ^ d3, 21);
    b4 = rotl<u64>(a44 ^ d4, 14);
    e00 = b0 ^ (~b1 & b2) ^ load<u64>(constant, 0);
    e01 = b1 ^ (~b2 & b3);
    e02 = b2 ^ (~b3 & b4);
    e03 = b3 ^ (~b4 & b0);
    e04 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(a03 ^ d3, 28);
    b1 = rotl<u64>(a14 ^ d4, 20);
    b2 = rotl<u64>(a20 ^ d0, 3);
    b3 = rotl<u64>(a31 ^ d1, 45);
    b4 = rotl<u64>(a42 ^ d2, 61);
    e10 = b0 ^ (~b1 & b2);
    e11 = b1 ^ (~b2 & b3);
    e12 = b2 ^ (~b3 & b4);
    e13 = b3 ^ (~b4 & b0);
    e14 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(a01 ^ d1, 1);
    b1 = rotl<u64>(a12 ^ d2, 6);
    b2 = rotl<u64>(a23 ^ d3, 25);
    b3 = rotl<u64>(a34 ^ d4, 8);
    b4 = rotl<u64>(a40 ^ d0, 18);
    e20 = b0 ^ (~b1 & b2);
    e21 = b1 ^ (~b2 & b3);
    e22 = b2 ^ (~b3 & b4);
    e23 = b3 ^ (~b4 & b0);
    e24 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(a04 ^ d4, 27);
    b1 = rotl<u64>(a10 ^ d0, 36);
    b2 = rotl<u64>(a21 ^ d1, 10);
    b3 = rotl<u64>(a32 ^ d2, 15);
    b4 = rotl<u64>(a43 ^ d3, 56);
    e30 = b0 ^ (~b1 & b2);
    e31 = b1 ^ (~b2 & b3);
    e32 = b2 ^ (~b3 & b4);
    e33 = b3 ^ (~b4 & b0);
    e34 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(a02 ^ d2, 62);
    b1 = rotl<u64>(a13 ^ d3, 55);
    b2 = rotl<u64>(a24 ^ d4, 39);
    b3 = rotl<u64>(a30 ^ d0, 41);
    b4 = rotl<u64>(a41 ^ d1, 2);
    e40 = b0 ^ (~b1 & b2);
    e41 = b1 ^ (~b2 & b3);
    e42 = b2 ^ (~b3 & b4);
    e43 = b3 ^ (~b4 & b0);
    e44 = b4 ^ (~b0 & b1);
    // odd round: e -> a
    c0 = e00 ^ e10 ^ e20 ^ e30 ^ e40;
    c1 = e01 ^ e11 ^ e21 ^ e31 ^ e41;
    c2 = e02 ^ e12 ^ e22 ^ e32 ^ e42;
    c3 = e03 ^ e13 ^ e23 ^ e33 ^ e43;
    c4 = e04 ^ e14 ^ e24 ^ e34 ^ e44;
    d0 = c4 ^ rotl<u64>(c1, 1);
    d1 = c0 ^ rotl<u64>(c2, 1);
    d2 = c1 ^ rotl<u64>(c3, 1);
    d3 = c2 ^ rotl<u64>(c4, 1);
    d4 = c3 ^ rotl<u64>(c0, 1);
    b0 = e00 ^ d0;
    b1 = rotl<u64>(e11 ^ d1, 44);
    b2 = rotl<u64>(e22 ^ d2, 43);
    b3 = rotl<u64>(e33 ^ d3, 21);
    b4 = rotl<u64>(e44 ^ d4, 14);
    a00 = b0 ^ (~b1 & b2) ^ load<u64>(constant, 8);
    a01 = b1 ^ (~b2 & b3);
    a02 = b2 ^ (~b3 & b4);
    a03 = b3 ^ (~b4 & b0);
    a04 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(e03 ^ d3, 28);
    b1 = rotl<u64>(e14 ^ d4, 20);
    b2 = rotl<u64>(e20 ^ d0, 3);
    b3 = rotl<u64>(e31 ^ d1, 45);
    b4 = rotl<u64>(e42 ^ d2, 61);
    a10 = b0 ^ (~b1 & b2);
    a11 = b1 ^ (~b2 & b3);
    a12 = b2 ^ (~b3 & b4);
    a13 = b3 ^ (~b4 & b0);
    a14 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(e01 ^ d1, 1);
    b1 = rotl<u64>(e12 ^ d2, 6);
    b2 = rotl<u64>(e23 ^ d3, 25);
    b3 = rotl<u64>(e34 ^ d4, 8);
    b4 = rotl<u64>(e40 ^ d0, 18);
    a20 = b0 ^ (~b1 & b2);
    a21 = b1 ^ (~b2 & b3);
    a22 = b2 ^ (~b3 & b4);
    a23 = b3 ^ (~b4 & b0);
    a24 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(e04 ^ d4, 27);
    b1 = rotl<u64>(e10 ^ d0, 36);
    b2 = rotl<u64>(e21 ^ d1, 10);
    b3 = rotl<u64>(e32 ^ d2, 15);
    b4 = rotl<u64>(e43 ^ d3, 56);
    a30 = b0 ^ (~b1 & b2);
    a31 = b1 ^ (~b2 & b3);
    a32 = b2 ^ (~b3 & b4);
    a33 = b3 ^ (~b4 & b0);
    a34 = b4 ^ (~b0 & b1);
    b0 = rotl<u64>(e02 ^ d2, 62);
    b1 = rotl<u64>(e13 ^ d3, 55);
    b2 = rotl<u64>(e24 ^ d4, 39);
    b3 = rotl<u64>(e30 ^ d0, 41);
    b4 = rotl<u64>(e41 ^ d1, 2);
    a40 = b0 ^ (~b1 & b2);
    a41 = b1 ^ (~b2 & b3);
    a42 = b2 ^ (~b3 & b4);
    a43 = b3 ^ (~b4 & b0);
    a44 = b4 ^ (~b0 & b1);
  }
  store<u64>(state, a00, 0); store<u64>(state, a01, 8); store<u64>(state, a02, 16); store<u64>(state, a03, 24); store<u64>(state, a04, 32);
  store<u64>(state, a10, 40); store<u64>(state, a11, 48); store<u64>(state, a12, 56); store<u64>(state, a13, 64); store<u64>(state, a14, 72);
  store<u64>(state, a20, 80); store<u64>(state, a21, 88); store<u64>(state, a22, 96); store<u64>(state, a23, 104); store<u64>(state, a24, 112);
  store<u64>(state, a30, 120); store<u64>(state, a31, 128); store<u64>(state, a32, 136); store<u64>(state, a33, 144); store<u64>(state, a34, 152);
  store<u64>(state, a40, 160); store<u64>(state, a41, 168); store<u64>(state, a42, 176); store<u64>(state, a43, 184); store<u64>(state, a44, 192);
}

// @ts-ignore: decorator
@inline
function rotate(x: v128, n: i32): v128 {
  if (n == 1) return v128.or(i64x2.add(x, x), i64x2.shr_u(x, 63));
  return v128.or(i64x2.shl(x, n), i64x2.shr_u(x, 64 - n));
}

/**
 * Permutes two states: 25 v128 at `state`, lane (x, y) at 16 * (5y + x); the low u64 of each belongs to the first state,
 * the high one to the second.
 */
export function keccakF1600x2(state: usize): void {
  let a00 = v128.load(state, 0), a01 = v128.load(state, 16), a02 = v128.load(state, 32), a03 = v128.load(state, 48), a04 = v128.load(state, 64);
  let a10 = v128.load(state, 80), a11 = v128.load(state, 96), a12 = v128.load(state, 112), a13 = v128.load(state, 128), a14 = v128.load(state, 144);
  let a20 = v128.load(state, 160), a21 = v128.load(state, 176), a22 = v128.load(state, 192), a23 = v128.load(state, 208), a24 = v128.load(state, 224);
  let a30 = v128.load(state, 240), a31 = v128.load(state, 256), a32 = v128.load(state, 272), a33 = v128.load(state, 288), a34 = v128.load(state, 304);
  let a40 = v128.load(state, 320), a41 = v128.load(state, 336), a42 = v128.load(state, 352), a43 = v128.load(state, 368), a44 = v128.load(state, 384);
  let e00: v128, e01: v128, e02: v128, e03: v128, e04: v128;
  let e10: v128, e11: v128, e12: v128, e13: v128, e14: v128;
  let e20: v128, e21: v128, e22: v128, e23: v128, e24: v128;
  let e30: v128, e31: v128, e32: v128, e33: v128, e34: v128;
  let e40: v128, e41: v128, e42: v128, e43: v128, e44: v128;
  let b0: v128, b1: v128, b2: v128, b3: v128, b4: v128;
  let c0: v128, c1: v128, c2: v128, c3: v128, c4: v128;
  let d0: v128, d1: v128, d2: v128, d3: v128, d4: v128;
  for (let constant = ROUND_CONSTANTS, end = constant + 192; constant < end; constant += 16) {
    // even round: a -> e
    c0 = v128.xor(v128.xor(v128.xor(v128.xor(a00, a10), a20), a30), a40);
    c1 = v128.xor(v128.xor(v128.xor(v128.xor(a01, a11), a21), a31), a41);
    c2 = v128.xor(v128.xor(v128.xor(v128.xor(a02, a12), a22), a32), a42);
    c3 = v128.xor(v128.xor(v128.xor(v128.xor(a03, a13), a23), a33), a43);
    c4 = v128.xor(v128.xor(v128.xor(v128.xor(a04, a14), a24), a34), a44);
    d0 = v128.xor(c4, rotate(c1, 1));
    d1 = v128.xor(c0, rotate(c2, 1));
    d2 = v128.xor(c1, rotate(c3, 1));
    d3 = v128.xor(c2, rotate(c4, 1));
    d4 = v128.xor(c3, rotate(c0, 1));
    b0 = v128.xor(a00, d0);
    b1 = rotate(v128.xor(a11, d1), 44);
    b2 = rotate(v128.xor(a22, d2), 43);
    b3 = rotate(v128.xor(a33, d3), 21);
    b4 = rotate(v128.xor(a44, d4), 14);
    e00 = v128.xor(v128.xor(b0, v128.andnot(b2, b1)), v128.load64_splat(constant, 0));
    e01 = v128.xor(b1, v128.andnot(b3, b2));
    e02 = v128.xor(b2, v128.andnot(b4, b3));
    e03 = v128.xor(b3, v128.andnot(b0, b4));
    e04 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(a03, d3), 28);
    b1 = rotate(v128.xor(a14, d4), 20);
    b2 = rotate(v128.xor(a20, d0), 3);
    b3 = rotate(v128.xor(a31, d1), 45);
    b4 = rotate(v128.xor(a42, d2), 61);
    e10 = v128.xor(b0, v128.andnot(b2, b1));
    e11 = v128.xor(b1, v128.andnot(b3, b2));
    e12 = v128.xor(b2, v128.andnot(b4, b3));
    e13 = v128.xor(b3, v128.andnot(b0, b4));
    e14 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(a01, d1), 1);
    b1 = rotate(v128.xor(a12, d2), 6);
    b2 = rotate(v128.xor(a23, d3), 25);
    b3 = rotate(v128.xor(a34, d4), 8);
    b4 = rotate(v128.xor(a40, d0), 18);
    e20 = v128.xor(b0, v128.andnot(b2, b1));
    e21 = v128.xor(b1, v128.andnot(b3, b2));
    e22 = v128.xor(b2, v128.andnot(b4, b3));
    e23 = v128.xor(b3, v128.andnot(b0, b4));
    e24 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(a04, d4), 27);
    b1 = rotate(v128.xor(a10, d0), 36);
    b2 = rotate(v128.xor(a21, d1), 10);
    b3 = rotate(v128.xor(a32, d2), 15);
    b4 = rotate(v128.xor(a43, d3), 56);
    e30 = v128.xor(b0, v128.andnot(b2, b1));
    e31 = v128.xor(b1, v128.andnot(b3, b2));
    e32 = v128.xor(b2, v128.andnot(b4, b3));
    e33 = v128.xor(b3, v128.andnot(b0, b4));
    e34 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(a02, d2), 62);
    b1 = rotate(v128.xor(a13, d3), 55);
    b2 = rotate(v128.xor(a24, d4), 39);
    b3 = rotate(v128.xor(a30, d0), 41);
    b4 = rotate(v128.xor(a41, d1), 2);
    e40 = v128.xor(b0, v128.andnot(b2, b1));
    e41 = v128.xor(b1, v128.andnot(b3, b2));
    e42 = v128.xor(b2, v128.andnot(b4, b3));
    e43 = v128.xor(b3, v128.andnot(b0, b4));
    e44 = v128.xor(b4, v128.andnot(b1, b0));
    // odd round: e -> a
    c0 = v128.xor(v128.xor(v128.xor(v128.xor(e00, e10), e20), e30), e40);
    c1 = v128.xor(v128.xor(v128.xor(v128.xor(e01, e11), e21), e31), e41);
    c2 = v128.xor(v128.xor(v128.xor(v128.xor(e02, e12), e22), e32), e42);
    c3 = v128.xor(v128.xor(v128.xor(v128.xor(e03, e13), e23), e33), e43);
    c4 = v128.xor(v128.xor(v128.xor(v128.xor(e04, e14), e24), e34), e44);
    d0 = v128.xor(c4, rotate(c1, 1));
    d1 = v128.xor(c0, rotate(c2, 1));
    d2 = v128.xor(c1, rotate(c3, 1));
    d3 = v128.xor(c2, rotate(c4, 1));
    d4 = v128.xor(c3, rotate(c0, 1));
    b0 = v128.xor(e00, d0);
    b1 = rotate(v128.xor(e11, d1), 44);
    b2 = rotate(v128.xor(e22, d2), 43);
    b3 = rotate(v128.xor(e33, d3), 21);
    b4 = rotate(v128.xor(e44, d4), 14);
    a00 = v128.xor(v128.xor(b0, v128.andnot(b2, b1)), v128.load64_splat(constant, 8));
    a01 = v128.xor(b1, v128.andnot(b3, b2));
    a02 = v128.xor(b2, v128.andnot(b4, b3));
    a03 = v128.xor(b3, v128.andnot(b0, b4));
    a04 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(e03, d3), 28);
    b1 = rotate(v128.xor(e14, d4), 20);
    b2 = rotate(v128.xor(e20, d0), 3);
    b3 = rotate(v128.xor(e31, d1), 45);
    b4 = rotate(v128.xor(e42, d2), 61);
    a10 = v128.xor(b0, v128.andnot(b2, b1));
    a11 = v128.xor(b1, v128.andnot(b3, b2));
    a12 = v128.xor(b2, v128.andnot(b4, b3));
    a13 = v128.xor(b3, v128.andnot(b0, b4));
    a14 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(e01, d1), 1);
    b1 = rotate(v128.xor(e12, d2), 6);
    b2 = rotate(v128.xor(e23, d3), 25);
    b3 = rotate(v128.xor(e34, d4), 8);
    b4 = rotate(v128.xor(e40, d0), 18);
    a20 = v128.xor(b0, v128.andnot(b2, b1));
    a21 = v128.xor(b1, v128.andnot(b3, b2));
    a22 = v128.xor(b2, v128.andnot(b4, b3));
    a23 = v128.xor(b3, v128.andnot(b0, b4));
    a24 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(e04, d4), 27);
    b1 = rotate(v128.xor(e10, d0), 36);
    b2 = rotate(v128.xor(e21, d1), 10);
    b3 = rotate(v128.xor(e32, d2), 15);
    b4 = rotate(v128.xor(e43, d3), 56);
    a30 = v128.xor(b0, v128.andnot(b2, b1));
    a31 = v128.xor(b1, v128.andnot(b3, b2));
    a32 = v128.xor(b2, v128.andnot(b4, b3));
    a33 = v128.xor(b3, v128.andnot(b0, b4));
    a34 = v128.xor(b4, v128.andnot(b1, b0));
    b0 = rotate(v128.xor(e02, d2), 62);
    b1 = rotate(v128.xor(e13, d3), 55);
    b2 = rotate(v128.xor(e24, d4), 39);
    b3 = rotate(v128.xor(e30, d0), 41);
    b4 = rotate(v128.xor(e41, d1), 2);
    a40 = v128.xor(b0, v128.andnot(b2, b1));
    a41 = v128.xor(b1, v128.andnot(b3, b2));
    a42 = v128.xor(b2, v128.andnot(b4, b3));
    a43 = v128.xor(b3, v128.andnot(b0, b4));
    a44 = v128.xor(b4, v128.andnot(b1, b0));
  }
  v128.store(state, a00, 0); v128.store(state, a01, 16); v128.store(state, a02, 32); v128.store(state, a03, 48); v128.store(state, a04, 64);
  v128.store(state, a10, 80); v128.store(state, a11, 96); v128.store(state, a12, 112); v128.store(state, a13, 128); v128.store(state, a14, 144);
  v128.store(state, a20, 160); v128.store(state, a21, 176); v128.store(state, a22, 192); v128.store(state, a23, 208); v128.store(state, a24, 224);
  v128.store(state, a30, 240); v128.store(state, a31, 256); v128.store(state, a32, 272); v128.store(state, a33, 288); v128.store(state, a34, 304);
  v128.store(state, a40, 320); v128.store(state, a41, 336); v128.store(state, a42, 352); v128.store(state, a43, 368); v128.store(state, a44, 384);
}
