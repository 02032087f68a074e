// Values as whole numbers of a step, rounded at random without bias (reference 4 "Quantisation"), and back. Twin of
// src/learning/kernels/quantise.ts, which says how a value is rounded and where its draw comes from.

/**
 * Rounds `count` float32, a multiple of 4, times `inverse` to int8 of at most `most`. `noise` holds four streams of sfc32, a vector of each of its
 * words, and goes on where it was.
 */
export function quantise(values: usize, count: usize, inverse: f32, most: f32, noise: usize, out: usize): void {
  const scale = f32x4.splat(inverse);
  const top = f32x4.splat(most);
  let a = v128.load(noise), b = v128.load(noise, 16), c = v128.load(noise, 32), counter = v128.load(noise, 48);
  for (const end = values + (count << 2); values < end; values += 16, out += 4) {
    const drawn = i32x4.add(i32x4.add(a, b), counter);
    counter = i32x4.add(counter, i32x4.splat(1));
    a = v128.xor(b, i32x4.shr_u(b, 9));
    b = i32x4.add(c, i32x4.shl(c, 3));
    c = i32x4.add(v128.or(i32x4.shl(c, 21), i32x4.shr_u(c, 11)), drawn);
    const rounded = roundedBy(f32x4.mul(v128.load(values), scale), drawn, top);
    const narrow = i16x8.narrow_i32x4_s(rounded, rounded);
    v128.store32_lane(out, i8x16.narrow_i16x8_s(narrow, narrow), 0);
  }
  v128.store(noise, a);
  v128.store(noise, b, 16);
  v128.store(noise, c, 32);
  v128.store(noise, counter, 48);
}

/** The floor of each lane, and one more where the draw's upper 24 bits are below what is left. */
@inline
function roundedBy(scaled: v128, drawn: v128, top: v128): v128 {
  const low = f32x4.floor(scaled);
  const left = f32x4.mul(f32x4.sub(scaled, low), f32x4.splat(16777216));
  const isUp = f32x4.lt(f32x4.convert_i32x4_s(i32x4.shr_u(drawn, 8)), left);
  const rounded = f32x4.add(low, v128.and(isUp, f32x4.splat(1)));
  return i32x4.trunc_sat_f32x4_s(f32x4.min(top, f32x4.max(f32x4.neg(top), rounded)));
}

/** `count` int8 of four bits, a multiple of 32, two to a byte: the even one in the low half. */
export function packHalves(whole: usize, count: usize, out: usize): void {
  for (const end = whole + count; whole < end; whole += 32, out += 16) {
    v128.store(out, i8x16.narrow_i16x8_u(pairs(v128.load(whole)), pairs(v128.load(whole, 16))));
  }
}

@inline
function pairs(whole: v128): v128 {
  const halves = v128.and(whole, i8x16.splat(15));
  return v128.and(v128.or(halves, i16x8.shr_u(halves, 4)), i16x8.splat(255));
}

/** `count` int8, a multiple of 16, as float32, each times `step`; gives whether one of them is -128. */
export function dequantise(bytes: usize, count: usize, step: f32, out: usize): i32 {
  let refused = i8x16.splat(0);
  for (const end = bytes + count; bytes < end; bytes += 16, out += 64) {
    const whole = v128.load(bytes);
    refused = v128.or(refused, i8x16.eq(whole, i8x16.splat(-128)));
    spread(whole, step, out);
  }
  return <i32>v128.any_true(refused);
}

/** `count` halves of bytes, a multiple of 32, as float32, each times `step`; gives whether one of them is -8. */
export function dequantiseHalves(bytes: usize, count: usize, step: f32, out: usize): i32 {
  let refused = i8x16.splat(0);
  for (const end = bytes + (count >> 1); bytes < end; bytes += 16, out += 128) {
    const both = v128.load(bytes);
    const even = i8x16.shr_s(i8x16.shl(both, 4), 4);
    const odd = i8x16.shr_s(both, 4);
    const least = i8x16.splat(-8);
    refused = v128.or(refused, v128.or(i8x16.eq(even, least), i8x16.eq(odd, least)));
    spread(v128.shuffle<i8>(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), step, out);
    spread(v128.shuffle<i8>(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), step, out + 64);
  }
  return <i32>v128.any_true(refused);
}

/** Sixteen int8 as float32. */
@inline
function spread(whole: v128, step: f32, out: usize): void {
  const first = i16x8.extend_low_i8x16_s(whole);
  const second = i16x8.extend_high_i8x16_s(whole);
  const steps = f32x4.splat(step);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(first)), steps));
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(first)), steps), 16);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(second)), steps), 32);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(second)), steps), 48);
}
