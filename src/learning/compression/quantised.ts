// Values as whole numbers of a step, rounded at random so that nothing is lost on average (Alistarh et al. 2017, QSGD):
// q = floor(x / step + u), u uniform on [0, 1), cut at the greatest whole number. Each vector has one length in bytes, and
// bytes that no encoder gives are refused.

import { assert, type Result, ok, refuse } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { SeededRandom } from "../seeded.ts";
import { INT8_MAX, isStep } from "./step.ts";

const INT4_MAX = 7;
/** A nibble's step in steps of int8: 7 * 16 = 112 spans nearly what 127 do. */
export const INT4_STEPS = 16;

/** One signed byte a value. */
export function encodeInt8(values: Float32Array, step: number, random: SeededRandom): Uint8Array {
  const whole = rounded(values, step, INT8_MAX, random);
  return new Uint8Array(whole.buffer);
}

/** Codes: `learning/wrong-shape` (not `length` bytes), `learning/bad-update` (-128). */
export function decodeInt8(
  bytes: Uint8Array,
  length: number,
  step: number,
): Result<Float32Array, LearningErrorCode> {
  assert(isStep(step), "a step is a power of two");
  if (bytes.length !== length) return refuse("learning/wrong-shape", `${bytes.length} bytes`);
  const whole = new Int8Array(bytes.buffer, bytes.byteOffset, length);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const value = whole[i] as number;
    if (value < -INT8_MAX) return refuse("learning/bad-update", `-128 at ${i}`);
    values[i] = value * step;
  }
  return ok(values);
}

/** Two values a byte, the even one in the low half, each in two's complement; of an odd length the last half is zero. */
export function encodeInt4(values: Float32Array, step: number, random: SeededRandom): Uint8Array {
  const whole = rounded(values, INT4_STEPS * step, INT4_MAX, random);
  const bytes = new Uint8Array(Math.ceil(values.length / 2));
  for (let i = 0; i < whole.length; i++) {
    const at = i >> 1;
    bytes[at] = (bytes[at] as number) | (((whole[i] as number) & 15) << (4 * (i & 1)));
  }
  return bytes;
}

/** Codes: `learning/wrong-shape`, `learning/bad-update` (a half of -8, or a last half that is not zero). */
export function decodeInt4(
  bytes: Uint8Array,
  length: number,
  step: number,
): Result<Float32Array, LearningErrorCode> {
  assert(isStep(step), "a step is a power of two");
  if (bytes.length !== Math.ceil(length / 2)) {
    return refuse("learning/wrong-shape", `${bytes.length} bytes`);
  }
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const half = ((bytes[i >> 1] as number) >> (4 * (i & 1))) & 15;
    if (half === 8) return refuse("learning/bad-update", `-8 at ${i}`);
    values[i] = (half > INT4_MAX ? half - 16 : half) * INT4_STEPS * step;
  }
  const spare = length % 2 === 1 ? (bytes[bytes.length - 1] as number) >> 4 : 0;
  return spare === 0 ? ok(values) : refuse("learning/bad-update", "the last half is not zero");
}

function rounded(
  values: Float32Array,
  step: number,
  most: number,
  random: SeededRandom,
): Int8Array {
  assert(isStep(step), "a step is a power of two");
  const whole = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const drawn = Math.floor((values[i] as number) / step + random.fraction());
    whole[i] = Math.min(most, Math.max(-most, drawn));
  }
  return whole;
}
