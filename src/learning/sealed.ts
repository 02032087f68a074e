// What a node signs about a task, on the wire: uint32 length, body, ML-DSA-65 signature under a context of its own.

import { ML_DSA_65, type MlDsa, type MlDsaSigner } from "../crypto/index.ts";
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

/** A body and what is said to be its signature. */
export interface Sealed {
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** @throws MeshError as {@link MlDsaSigner.sign} does */
export function seal(signer: MlDsaSigner, body: Uint8Array, context: string): Uint8Array {
  return concatBytes(uint32be(body.length), body, signer.sign(body, utf8Bytes(context)));
}

/** Takes it apart, without verifying it. Codes: `learning/too-large`, `learning/bad-task`. */
export function openSealed(bytes: Uint8Array, bytesMax: number): Result<Sealed, LearningErrorCode> {
  if (bytes.length > bytesMax) return refuse("learning/too-large", `${bytes.length} bytes`);
  if (bytes.length < 4 + ML_DSA_65.signatureBytes) return refuse("learning/bad-task", "truncated");
  const reader = new ByteReader(bytes);
  const bodyLength = reader.uint32be();
  if (bodyLength !== bytes.length - 4 - ML_DSA_65.signatureBytes) {
    return refuse("learning/bad-task", "the length does not fit");
  }
  const body = reader.take(bodyLength).slice();
  return ok({ body, signature: reader.take(reader.remaining).slice() });
}

/** True when the key signed the body under the context. */
export function verifySealed(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  { body, signature }: Sealed,
  context: string,
): boolean {
  return mlDsa.verify(publicKey, body, signature, utf8Bytes(context));
}
