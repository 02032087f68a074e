// Short vectors that keep distances on average (reference 3.4, CountSketch). Twin of src/learning/kernels/sketch.ts, which says how buckets and
// signs are drawn.

import { F32_BYTES, TILE } from "./layout";

/** Buckets, a power of two. */
@inline const SKETCH: i32 = 1024;

/** Bytes of the sums of a row: its buckets, and room for a tile that runs past the last. */
@inline const SUMS_BYTES: usize = 4 * (SKETCH + TILE);

/** The next words of four streams of sfc32 (src/learning/kernels/noise.ts). */
@inline
function drawWords(noise: usize): v128 {
  const b = v128.load(noise, 16), c = v128.load(noise, 32), counter = v128.load(noise, 48);
  const drawn = i32x4.add(i32x4.add(v128.load(noise), b), counter);
  v128.store(noise, v128.xor(b, i32x4.shr_u(b, 9)));
  v128.store(noise, i32x4.add(c, i32x4.shl(c, 3)), 16);
  v128.store(noise, i32x4.add(v128.or(i32x4.shl(c, 21), i32x4.shr_u(c, 11)), drawn), 32);
  v128.store(noise, i32x4.add(counter, i32x4.splat(1)), 48);
  return drawn;
}

/**
 * Adds a tile of `count` float32 rows to their `sums`, SUMS_BYTES each: by the next draws of `noise`, whose signs stand in `signs` (a tile
 * of words) then.
 */
export function sketchTile(tile: usize, count: usize, noise: usize, signs: usize, sums: usize): void {
  const first = <usize>(i32x4.extract_lane(drawWords(noise), 0) & (SKETCH - 1));
  for (let at = signs; at < signs + F32_BYTES; ) {
    const drawn = drawWords(noise);
    for (let bit = 0; bit < 32; bit++, at += 16) {
      v128.store(at, v128.and(i32x4.shl(drawn, bit), i32x4.splat(0x80000000)));
    }
  }
  for (let to = sums + (first << 2); count > 0; count--, tile += F32_BYTES, to += SUMS_BYTES) {
    for (let c: usize = 0; c < F32_BYTES; c += 16) {
      const signed = v128.xor(v128.load(tile + c), v128.load(signs + c));
      v128.store(to + c, f32x4.add(v128.load(to + c), signed));
    }
  }
}
