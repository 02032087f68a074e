// A task on the wire: its manifest, sealed by its creator under the context `x0tta6bl4/task/1`.

import type { MlDsa, MlDsaSigner } from "../crypto/index.ts";
import { ok, type Result } from "../foundation/index.ts";
import type { LearningErrorCode } from "./codes.ts";
import { openSealed, seal, verifySealed } from "./sealed.ts";
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
  return seal(signer, encodeTask(manifest), TASK_CONTEXT);
}

/** Takes a signed task apart, without verifying it. Codes: `learning/too-large`, `learning/bad-task`. */
export function decodeSignedTask(bytes: Uint8Array): Result<SignedTask, LearningErrorCode> {
  const sealed = openSealed(bytes, TASK_BYTES_MAX);
  if (!sealed.ok) return sealed;
  const { body: manifestBytes, signature } = sealed.value;
  const manifest = decodeTask(manifestBytes);
  if (!manifest.ok) return manifest;
  return ok({ manifest: manifest.value, manifestBytes, signature });
}

/** True when the creator's ML-DSA-65 key (`publicKey`: the caller looks up `manifest.createdBy`) signed the task. */
export function verifySignedTask(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  { manifestBytes: body, signature }: SignedTask,
): boolean {
  return verifySealed(mlDsa, publicKey, { body, signature }, TASK_CONTEXT);
}
