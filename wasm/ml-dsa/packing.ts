// Bit packing of ML-DSA-65: FIPS 204 section 7.1, algorithms 16 to 21, and the pieces of 22 to 28 that they make up.
//
// Everything but the hints has a fixed layout and is unpacked without a branch on its contents. The hints of a signature are public.

import { ETA, GAMMA1, HINT_OFFSET, OMEGA, POLY_BYTES, ROWS } from "./params";

/**
 * Algorithm 19 for a = gamma1 - 1, b = gamma1: 640 bytes to a polynomial. Reads up to 6 bytes past the end (hints, or a block of SHAKE).
 * Gives the largest absolute value, four lanes to be compared by the caller.
 */
export function unpackZ(poly: usize, bytes: usize): v128 {
  const mask = i32x4.splat(0xfffff), gamma1 = i32x4.splat(GAMMA1);
  let largest = i32x4.splat(0);
  for (const end = poly + POLY_BYTES; poly < end; poly += 16, bytes += 10) {
    const raw = v128.load(bytes);
    // Coefficients 0 and 2 begin at a byte, 1 and 3 in the middle of one: times 16, all four are 4 bits up.
    const lanes = i8x16.swizzle(raw, i8x16(0, 1, 2, -1, 2, 3, 4, -1, 5, 6, 7, -1, 7, 8, 9, -1));
    const value = v128.and(i32x4.shr_u(i32x4.mul(lanes, i32x4(16, 1, 16, 1)), 4), mask);
    const z = i32x4.sub(gamma1, value);
    largest = i32x4.max_s(largest, i32x4.abs(z));
    v128.store(poly, z);
  }
  return largest;
}

/** Algorithm 17 for the same range: four coefficients make 80 bits. */
export function packZ(bytes: usize, poly: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 16, bytes += 10) {
    const a = <u64>(GAMMA1 - load<i32>(poly)), b = <u64>(GAMMA1 - load<i32>(poly, 4));
    const c = <u64>(GAMMA1 - load<i32>(poly, 8)), d = <u64>(GAMMA1 - load<i32>(poly, 12));
    store<u64>(bytes, a | (b << 20) | (c << 40) | (d << 60));
    store<u16>(bytes, <u16>(d >> 4), 8);
  }
}

/** Algorithm 18 on t1 (10 bits a coefficient), giving t1 * 2^13 < q. */
export function unpackT1Shifted(poly: usize, bytes: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 16, bytes += 5) {
    const low = load<u32>(bytes), high = <u32>load<u8>(bytes, 4);
    store<i32>(poly, <i32>(low & 1023) << 13);
    store<i32>(poly, <i32>((low >> 10) & 1023) << 13, 4);
    store<i32>(poly, <i32>((low >> 20) & 1023) << 13, 8);
    store<i32>(poly, <i32>((low >> 30) | (high << 2)) << 13, 12);
  }
}

/** Algorithm 16 on t1. */
export function packT1(bytes: usize, poly: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 16, bytes += 5) {
    const d = load<u32>(poly, 12);
    store<u32>(bytes, load<u32>(poly) | (load<u32>(poly, 4) << 10) | (load<u32>(poly, 8) << 20) | (d << 30));
    store<u8>(bytes, <u8>(d >> 2), 4);
  }
}

/** Algorithm 17 on t0 (13 bits, 2^12 - t0): eight coefficients make 104 bits. */
export function packT0(bytes: usize, poly: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 32, bytes += 13) {
    let low: u64 = 0;
    for (let i: usize = 0; i < 4; i++) low |= <u64>(4096 - load<i32>(poly + 4 * i)) << (13 * i);
    const e = <u64>(4096 - load<i32>(poly, 16)), f = <u64>(4096 - load<i32>(poly, 20));
    const g = <u64>(4096 - load<i32>(poly, 24)), h = <u64>(4096 - load<i32>(poly, 28));
    store<u64>(bytes, low | (e << 52));
    const high = (e >> 12) | (f << 1) | (g << 14) | (h << 27);
    store<u32>(bytes, <u32>high, 8);
    store<u8>(bytes, <u8>(high >> 32), 12);
  }
}

/** Algorithm 19 on t0. */
export function unpackT0(poly: usize, bytes: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 32, bytes += 13) {
    const low = load<u64>(bytes);
    const high = <u64>load<u32>(bytes, 8) | (<u64>load<u8>(bytes, 12) << 32);
    for (let i: usize = 0; i < 4; i++) store<i32>(poly + 4 * i, 4096 - <i32>((low >> (13 * i)) & 8191));
    store<i32>(poly, 4096 - <i32>(((low >> 52) | (high << 12)) & 8191), 16);
    for (let i: usize = 0; i < 3; i++) store<i32>(poly + 4 * i, 4096 - <i32>((high >> (1 + 13 * i)) & 8191), 20);
  }
}

/** Algorithm 17 on s1 and s2 (4 bits, eta - s). */
export function packEta(bytes: usize, poly: usize): void {
  for (const end = poly + POLY_BYTES; poly < end; poly += 8, bytes += 1) {
    store<u8>(bytes, <u8>((ETA - load<i32>(poly)) | ((ETA - load<i32>(poly, 4)) << 4)));
  }
}

/** Algorithm 19 on s1 and s2; gives whether every coefficient is within [-eta, eta] (found without an early exit). */
export function unpackEta(poly: usize, bytes: usize): bool {
  let outside = 0;
  for (const end = poly + POLY_BYTES; poly < end; poly += 8, bytes += 1) {
    const a = ETA - <i32>(load<u8>(bytes) & 15), b = ETA - <i32>(load<u8>(bytes) >> 4);
    outside |= (a + ETA) | (b + ETA);
    store<i32>(poly, a);
    store<i32>(poly, b, 4);
  }
  return outside >= 0;
}

/**
 * The checks of algorithm 21 (HintBitUnpack) on the hints at `signature`: counts that never fall and never pass omega, positions of one
 * polynomial strictly rising, padding zero.
 */
export function hintsAreWellFormed(signature: usize): bool {
  const hints = signature + HINT_OFFSET;
  let index: u32 = 0;
  for (let row = 0; row < ROWS; row++) {
    const end = <u32>load<u8>(hints + OMEGA + row);
    if (end < index || end > <u32>OMEGA) return false;
    for (const first = index; index < end; index++) {
      if (index > first && load<u8>(hints + index - 1) >= load<u8>(hints + index)) return false;
    }
  }
  for (; index < <u32>OMEGA; index++) if (load<u8>(hints + index) != 0) return false;
  return true;
}
