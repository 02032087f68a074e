// Values as whole numbers of a step, rounded at random so that nothing is lost on average (Alistarh et al. 2017, QSGD). Each
// vector has one length in bytes, and bytes that no encoder gives are refused. How it is computed: ../kernels/quantise.ts.

import { assert, type Result, ok, refuse } from "../../foundation/index.ts";
import type { VectorKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import { noiseLanes } from "../kernels/noise.ts";
import { type QuantisedBits, quantisedBytes } from "../kernels/quantise.ts";
import type { SeededRandom } from "../seeded.ts";
import { isStep } from "./step.ts";

/** What codes and opens. */
export type Quantiser = Pick<VectorKernels, "quantised" | "dequantised">;

/** A nibble's step in steps of int8: 7 * 16 = 112 spans nearly what 127 do. */
const INT4_STEPS = 16;

/** One signed byte a value, or two values a byte. */
export function encodeQuantised(
  values: Float32Array,
  bits: QuantisedBits,
  step: number,
  random: SeededRandom,
  { quantised }: Quantiser,
): Uint8Array {
  return quantised(values, stepOf(bits, step), bits, noiseLanes(random));
}

/** Codes: `learning/wrong-shape` (another number of bytes), `learning/bad-update` (a value that no encoder gives). */
export function decodeQuantised(
  bytes: Uint8Array,
  length: number,
  bits: QuantisedBits,
  step: number,
  { dequantised }: Quantiser,
): Result<Float32Array, LearningErrorCode> {
  if (bytes.length !== quantisedBytes(length, bits)) {
    return refuse("learning/wrong-shape", `${bytes.length} bytes`);
  }
  const values = dequantised(bytes, length, stepOf(bits, step), bits);
  return values === undefined ? refuse("learning/bad-update", "an unused value") : ok(values);
}

function stepOf(bits: QuantisedBits, step: number): number {
  assert(isStep(step), "a step is a power of two");
  return bits === 4 ? INT4_STEPS * step : step;
}
