// Quantised vectors by the kernels of wasm/learning/quantise.ts, bit for bit what the plain ones give. Vectors go through a fixed piece of wasm memory,
// part after part.

import {
  greatestWhole,
  hasSpare,
  type QuantisedBits,
  quantisedBytes,
  type VectorKernels,
} from "../../../learning/index.ts";
import type { LearningInstance } from "./instance.ts";

/** Values that are brought to memory at once: what the second-level cache holds. */
const PART = 32_768;
const NOISE_BYTES = 64;

/** The quantising part of {@link VectorKernels}. */
export function quantiser(
  instance: LearningInstance,
): Pick<VectorKernels, "quantised" | "dequantised"> {
  return {
    quantised: (...vector) => quantised(instance, ...vector),
    dequantised: (...vector) => dequantised(instance, ...vector),
  };
}

function quantised(
  instance: LearningInstance,
  values: Float32Array,
  step: number,
  bits: QuantisedBits,
  noise: Int32Array,
): Uint8Array {
  const { exports } = instance;
  const bytes = new Uint8Array(quantisedBytes(values.length, bits));
  instance.reset();
  const streams = instance.reserve(NOISE_BYTES);
  const from = instance.reserve(4 * PART);
  const whole = instance.reserve(PART);
  const halves = instance.reserve(PART / 2);
  const to = bits === 8 ? whole : halves;
  instance.words(streams, noise.length).set(noise);
  for (let at = 0; at < values.length; at += PART) {
    const part = values.subarray(at, at + PART);
    const count = padded(part.length);
    const room = instance.float32(from, count);
    room.set(part);
    room.fill(0, part.length);
    exports.quantise(from, count, 1 / step, greatestWhole(bits), streams, whole);
    if (bits === 4) exports.packHalves(whole, count, halves);
    bytes.set(instance.bytes(to, quantisedBytes(part.length, bits)), quantisedBytes(at, bits));
  }
  return bytes;
}

function dequantised(
  instance: LearningInstance,
  bytes: Uint8Array,
  length: number,
  step: number,
  bits: QuantisedBits,
): Float32Array | undefined {
  if (hasSpare(bytes, length, bits)) return undefined;
  const open = bits === 8 ? instance.exports.dequantise : instance.exports.dequantiseHalves;
  const values = new Float32Array(length);
  instance.reset();
  const from = instance.reserve(PART);
  const to = instance.reserve(4 * PART);
  for (let at = 0; at < length; at += PART) {
    const count = Math.min(PART, length - at);
    const part = bytes.subarray(quantisedBytes(at, bits), quantisedBytes(at + count, bits));
    const room = instance.bytes(from, quantisedBytes(padded(count), bits));
    room.set(part);
    room.fill(0, part.length);
    if (open(from, padded(count), step, to) !== 0) return undefined;
    values.set(instance.float32(to, count), at);
  }
  return values;
}

/** What the kernels take at once is 32 values at most. */
function padded(count: number): number {
  return 32 * Math.ceil(count / 32);
}
