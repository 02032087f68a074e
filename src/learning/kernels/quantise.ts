// Values as whole numbers of a step, rounded at random without bias, in plain TypeScript: twin of wasm/learning/quantise.ts.
//
// Of x / step the floor is taken, and one more with the probability of what is left of it: what is on the grid stays, the mean over draws is x. The
// draws come from four streams (noise.ts), stream l for the coordinates 4k + l in ascending k.

import { drawWord } from "./noise.ts";

/** Bits of a value as it travels. */
export type QuantisedBits = 8 | 4;

/** Draws have so many bits: as many as a float32 of [0, 1) holds exactly. */
const DRAW_BITS = 24;

/** Greatest whole number of so many bits: the least of two's complement is never used, so that negating loses nothing. */
export function greatestWhole(bits: QuantisedBits): number {
  return 2 ** (bits - 1) - 1;
}

/** Bytes of so many values. */
export function quantisedBytes(length: number, bits: QuantisedBits): number {
  return Math.ceil((length * bits) / 8);
}

/**
 * The bytes of a vector: two's complement, cut at `greatestWhole`. Of four bits the even value is the low half, and the last half of an odd
 * length is zero.
 * @param values finite
 * @param step a power of two
 * @param noise what `noiseLanes` gave; left unchanged
 */
export function quantised(
  values: Float32Array,
  step: number,
  bits: QuantisedBits,
  noise: Int32Array,
): Uint8Array {
  const whole = rounded(values, 1 / step, greatestWhole(bits), noise.slice());
  if (bits === 8) return new Uint8Array(whole.buffer);
  const bytes = new Uint8Array(quantisedBytes(values.length, bits));
  for (let i = 0; i < whole.length; i++) {
    bytes[i >> 1] = (bytes[i >> 1] as number) | (((whole[i] as number) & 15) << (4 * (i & 1)));
  }
  return bytes;
}

function rounded(
  values: Float32Array,
  inverse: number,
  most: number,
  streams: Int32Array,
): Int8Array {
  const whole = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const drawn = drawWord(streams, i & 3) >>> (32 - DRAW_BITS);
    const scaled = Math.fround((values[i] as number) * inverse);
    const low = Math.floor(scaled);
    const left = Math.fround(scaled - low) * 2 ** DRAW_BITS;
    whole[i] = Math.min(most, Math.max(-most, drawn < left ? low + 1 : low));
  }
  return whole;
}

/**
 * The values of a vector's bytes, without negative zeros; `undefined` where a value is one that `quantised` never gives, or the last half of
 * an odd length is not zero.
 * @param bytes as many as `quantisedBytes` says
 */
export function dequantised(
  bytes: Uint8Array,
  length: number,
  step: number,
  bits: QuantisedBits,
): Float32Array | undefined {
  const least = -greatestWhole(bits);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[(i * bits) >> 3] as number;
    const whole = ((bits === 8 || (i & 1) === 1 ? byte : byte << 4) << 24) >> (32 - bits);
    if (whole < least) return undefined;
    values[i] = whole * step;
  }
  return hasSpare(bytes, length, bits) ? undefined : values;
}

/** Whether something stands in a last half that no value has. */
export function hasSpare(bytes: Uint8Array, length: number, bits: QuantisedBits): boolean {
  return (length * bits) % 8 !== 0 && (bytes[bytes.length - 1] as number) >> bits !== 0;
}
