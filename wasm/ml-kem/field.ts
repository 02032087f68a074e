// Arithmetic mod q = 3329 in eight i16 lanes: the reductions everything in ML-KEM (FIPS 203 sections 2.4 and 4.3) rests on.
//
// SIMD128 has no "high half of an i16 product", which Montgomery's reduction wants, but it has the rounding Q15 product, which Barrett's
// multiplication by a known constant wants (Becker, Hwang, Kannwischer, Yang, Yang: "Neon NTT", TCHES 2022, section 2.4). So constants
// (zetas, gammas, 512) go with a companion, and only sums of products of two variables are reduced the Montgomery way, in i32 lanes.
// No division and no comparison that turns into a branch: secrets pass through multiplications by constants alone, which is what the
// KyberSlash attacks were about.

export const Q: i32 = 3329;

/** b' of `mulConstant`: round(b * 2^15 / q), for a constant |b| <= q/2; |b'| <= 2^14. Public values, so division is legal here. */
export function companion(b: i32): i32 {
  return b < 0 ? -((-b * 65536 + Q) / (2 * Q)) : (b * 65536 + Q) / (2 * Q);
}

/** Representative of `a` mod q in [-(q-1)/2, (q-1)/2], for public constants. */
export function centred(a: i32): i32 {
  const r = ((a % Q) + Q) % Q;
  return r > Q / 2 ? r - Q : r;
}

/**
 * a * b mod q for a constant b with its companion b'. Any i16 `a` is legal.
 * Result r: |r| <= q (1/2 + |a| / 2^16). Proof: b' = b 2^15 / q + e with |e| <= 1/2, the Q15 product is a b' / 2^15 + f with |f| <= 1/2, so
 * r = a b - q (a b / q + a e / 2^15 + f) = -q (a e / 2^15 + f). As |r| <= q < 2^15, the low halves of the products suffice.
 * The Q15 product saturates for two factors -2^15 only, and |b'| <= 2^14.
 */
@inline
export function mulConstant(a: v128, b: v128, companion: v128): v128 {
  return i16x8.sub(
    i16x8.mul(a, b),
    i16x8.mul(i16x8.q15mulr_sat_s(a, companion), i16x8.splat(3329)),
  );
}

/** a mod q: multiplication by 1, whose companion is 10 (e = 0.157). |r| <= q (1/2 + 0.157 |a| / 2^15) <= 2187 for any i16. */
@inline
export function reduce(a: v128): v128 {
  return i16x8.sub(
    a,
    i16x8.mul(i16x8.q15mulr_sat_s(a, i16x8.splat(10)), i16x8.splat(3329)),
  );
}

/** a mod q in [0, q): `reduce`, then q is added where the sign bit says so. */
@inline
export function canonical(a: v128): v128 {
  const r = reduce(a);
  return i16x8.add(r, v128.and(i16x8.shr_s(r, 15), i16x8.splat(3329)));
}

/**
 * Montgomery reduction of eight i32: x / 2^16 mod q, `even` to lanes 0, 2, 4, 6 and `odd` to lanes 1, 3, 5, 7.
 * With t = x q^-1 mod 2^16 taken as i16 (q^-1 = -3327), x - t q is a multiple of 2^16, and |result| <= |x| / 2^16 + q / 2.
 * The pairwise dot product multiplies the low half of each lane by q and the high half, which is zero, by nothing.
 */
@inline
export function montgomery(even: v128, odd: v128): v128 {
  const inverse = i32x4.splat(62209);
  const modulus = i32x4.splat(3329);
  const e = i32x4.sub(even, i32x4.dot_i16x8_s(i16x8.mul(even, inverse), modulus));
  const o = i32x4.sub(odd, i32x4.dot_i16x8_s(i16x8.mul(odd, inverse), modulus));
  return v128.or(i32x4.shr_u(e, 16), o);
}
