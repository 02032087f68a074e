// A task on the wire: uint32 length, manifest, ML-DSA-65 signature of its creator under the context `x0tta6bl4/task/1`.

import type { MlDsa, MlDsaSigner } from "../crypto/index.ts";
import { ML_DSA_65 } from "../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  ok,
  refuse,
  type Result,
  uint32be,
  utf8Bytes,
} from "../foundation/index.ts";
import type { LearningErrorCode } from "./codes.ts";
import type { TaskManifest } from "./task.ts";
import { decodeTask, encodeTask, TASK_BYTES_MAX } from "./task-codec.ts";

/** Signature context of tasks. */
export const TASK_CONTEXT = "x0tta6bl4/task/1";

/** A signed task as it came in: nothing of it is proven until {@link verifySignedTask} says so. */
export interface SignedTask {
  readonly manifest: TaskManifest;
  readonly manifestBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signs a manifest with its creator's key. @throws MeshError as {@link MlDsaSigner.sign} does */
export function signTask(signer: MlDsaSigner, manifest: TaskManifest): Uint8Array {
  const bytes = encodeTask(manifest);
  const signature = signer.sign(bytes, utf8Bytes(TASK_CONTEXT));
  return concatBytes(uint32be(bytes.length), bytes, signature);
}

/** Takes a signed task apart, without verifying it. Codes: `learning/too-large`, `learning/bad-task`. */
export function decodeSignedTask(bytes: Uint8Array): Result<SignedTask, LearningErrorCode> {
  if (bytes.length > TASK_BYTES_MAX) return refuse("learning/too-large", `${bytes.length} bytes`);
  if (bytes.length < 4 + ML_DSA_65.signatureBytes) return refuse("learning/bad-task", "truncated");
  const reader = new ByteReader(bytes);
  const manifestLength = reader.uint32be();
  if (manifestLength !== bytes.length - 4 - ML_DSA_65.signatureBytes) {
    return refuse("learning/bad-task", "the length does not fit");
  }
  const manifestBytes = reader.take(manifestLength).slice();
  const manifest = decodeTask(manifestBytes);
  if (!manifest.ok) return manifest;
  return ok({
    manifest: manifest.value,
    manifestBytes,
    signature: reader.take(reader.remaining).slice(),
  });
}

/** True when the creator's ML-DSA-65 key (`publicKey`: the caller looks up `manifest.createdBy`) signed the task. */
export function verifySignedTask(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  task: SignedTask,
): boolean {
  return mlDsa.verify(publicKey, task.manifestBytes, task.signature, utf8Bytes(TASK_CONTEXT));
}
