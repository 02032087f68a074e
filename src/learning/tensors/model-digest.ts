// One name for a model's weights, whatever file they are in: SHA-256 over the float32 values, little-endian, tensors in
// canonical order. A safetensors file itself is no name: its metadata may be in any order.

import { toHex } from "../../foundation/index.ts";

/** 64 hex digits. -0 counts as +0, as it does wherever weights are read. */
export function modelDigest(
  sha256: (data: Uint8Array) => Uint8Array,
  weights: Float32Array,
): string {
  const bytes = new Uint8Array(4 * weights.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < weights.length; i++) view.setFloat32(4 * i, (weights[i] as number) + 0, true);
  return toHex(sha256(bytes));
}
