// How an update travels: as float32, as int8 or int4 on the round's common step, or as int8 of the coordinates of the
// round's mask. What of it breaks a rule the manifest refuses (`task-rules.ts`).

import { MeshError, type Result, ok, refuse } from "../../foundation/index.ts";
import { plainKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import { SeededRandom } from "../seeded.ts";
import type { TaskManifest } from "../task.ts";
import { allFinite, clearNegativeZeros } from "../tensors/model-spec.ts";
import { maskSize, sharedMask } from "./mask.ts";
import { quantisedBytes } from "../kernels/quantise.ts";
import { decodeQuantised, encodeQuantised, type Quantiser } from "./quantised.ts";

/** One of the ways, as the manifest names it. */
export type CompressionSpec = TaskManifest["compression"];

/** What all nodes know of a round before an update of it is coded. */
export interface CompressionContext {
  /** Values of an update. */
  readonly length: number;
  /** The round's common step, see `nextStep`. */
  readonly stepSize: number;
  /** The round's seed: the beacon of the certificate before, as text. */
  readonly seed: string;
  /** What rounds and opens: the same bytes and values, sooner or later. @default plainKernels */
  readonly kernels?: Quantiser;
}

/** Bytes of an update: exactly so many are given and taken. */
export function compressedBytes(spec: CompressionSpec, length: number): number {
  switch (spec.kind) {
    case "none":
      return 4 * length;
    case "int8":
      return length;
    case "int4":
      return quantisedBytes(length, 4);
    case "top-k":
      return maskSize(length, spec.share);
  }
}

/**
 * An update's bytes. What is cut off (values beyond 127 steps, coordinates out of the mask) is lost: `ErrorFeedback` keeps it.
 * @param author whose update it is: rounding is drawn for each author, or the errors of all would add up
 * @throws MeshError `learning/not-finite`, `learning/wrong-shape`
 */
export function compress(
  vector: Float32Array,
  spec: CompressionSpec,
  context: CompressionContext & { readonly author: string },
): Uint8Array {
  const { stepSize, seed, author, kernels = plainKernels } = context;
  if (vector.length !== context.length) throw unfit("learning/wrong-shape", vector.length);
  if (!allFinite(vector)) throw unfit("learning/not-finite", vector.length);
  const random = new SeededRandom("compression/rounding", seed, author);
  switch (spec.kind) {
    case "none":
      return float32Bytes(vector);
    case "int8":
      return encodeQuantised(vector, 8, stepSize, random, kernels);
    case "int4":
      return encodeQuantised(vector, 4, stepSize, random, kernels);
    case "top-k": {
      const mask = sharedMask(vector.length, spec.share, seed);
      const chosen = Float32Array.from(mask, (at) => vector[at] as number);
      return encodeQuantised(chosen, 8, stepSize, random, kernels);
    }
  }
}

/**
 * The row of an update's bytes, without negative zeros. Codes: `learning/wrong-shape` (another number of bytes),
 * `learning/bad-update` (bytes that no encoder gives), `learning/not-finite`.
 */
export function decompress(
  bytes: Uint8Array,
  spec: CompressionSpec,
  context: CompressionContext,
): Result<Float32Array, LearningErrorCode> {
  const { length, stepSize, seed, kernels = plainKernels } = context;
  switch (spec.kind) {
    case "none":
      return fromFloat32Bytes(bytes, length);
    case "int8":
      return decodeQuantised(bytes, length, 8, stepSize, kernels);
    case "int4":
      return decodeQuantised(bytes, length, 4, stepSize, kernels);
    case "top-k": {
      const sent = decodeQuantised(bytes, maskSize(length, spec.share), 8, stepSize, kernels);
      if (!sent.ok) return sent;
      const row = new Float32Array(length);
      sharedMask(length, spec.share, seed).forEach((at, i) => {
        row[at] = sent.value[i] as number;
      });
      return ok(row);
    }
  }
}

function float32Bytes(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < vector.length; i++) view.setFloat32(4 * i, (vector[i] as number) + 0, true);
  return bytes;
}

function fromFloat32Bytes(
  bytes: Uint8Array,
  length: number,
): Result<Float32Array, LearningErrorCode> {
  if (bytes.length !== 4 * length) return refuse("learning/wrong-shape", `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = Float32Array.from({ length }, (_, i) => view.getFloat32(4 * i, true));
  if (!allFinite(values)) return refuse("learning/not-finite");
  clearNegativeZeros(values);
  return ok(values);
}

function unfit(code: LearningErrorCode, length: number): MeshError {
  return new MeshError(
    code,
    `Cannot compress an update of ${length} values: it must have the model's shape and be finite. Check the trainer.`,
    { length },
  );
}
