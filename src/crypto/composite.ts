// Composite signatures id-MLDSA65-Ed25519-SHA512 (draft-ietf-lamps-pq-composite-sigs, OID 1.3.6.1.5.5.7.6.48):
// one signature made of an ML-DSA-65 and an Ed25519 one over the same prefixed digest. Both must verify, so it
// stands while either algorithm does. Unforgeable, but not strongly so: never use the bytes as an identifier.

import { concatBytes, utf8Bytes } from "../foundation/index.ts";
import { requireContext } from "./checks.ts";
import {
  type CryptoEngine,
  ED25519,
  type Ed25519Signer,
  ML_DSA_65,
  type MlDsaSigner,
} from "./engine.ts";

/** 3309 bytes of ML-DSA-65, then 64 of Ed25519. */
export const COMPOSITE_SIGNATURE_BYTES = ML_DSA_65.signatureBytes + ED25519.signatureBytes;

const PREFIX = utf8Bytes("CompositeAlgorithmSignatures2025");
const LABEL = utf8Bytes("COMPSIG-MLDSA65-Ed25519-SHA512");

/** The two secret halves of a composite key. */
export interface CompositeSigner {
  readonly mldsa65: MlDsaSigner;
  readonly ed25519: Ed25519Signer;
}

/** The two public halves: 1952 and 32 bytes. */
export interface CompositePublicKey {
  readonly mldsa65: Uint8Array;
  readonly ed25519: Uint8Array;
}

/** M' = prefix || label || len(context) || context || SHA-512(message). */
function representative(
  engine: Pick<CryptoEngine, "sha512">,
  message: Uint8Array,
  context: Uint8Array,
): Uint8Array {
  return concatBytes(PREFIX, LABEL, Uint8Array.of(context.length), context, engine.sha512(message));
}

/**
 * Signs with both halves; {@link COMPOSITE_SIGNATURE_BYTES} bytes. The ML-DSA half is hedged.
 * @param context 0..255 bytes
 * @throws MeshError `crypto/bad-context`, `crypto/destroyed`
 */
export function compositeSign(
  keys: CompositeSigner,
  engine: Pick<CryptoEngine, "sha512">,
  message: Uint8Array,
  context: Uint8Array,
): Uint8Array {
  requireContext(context);
  const signed = representative(engine, message, context);
  return concatBytes(keys.mldsa65.sign(signed, LABEL), keys.ed25519.sign(signed));
}

/** True only when both halves verify; false for anything else, wrong lengths included. Never throws. */
export function compositeVerify(
  engine: Pick<CryptoEngine, "sha512" | "mlDsa65" | "ed25519">,
  keys: CompositePublicKey,
  message: Uint8Array,
  context: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== COMPOSITE_SIGNATURE_BYTES) return false;
  if (context.length > ML_DSA_65.contextBytesMax) return false;
  const signed = representative(engine, message, context);
  const classical = signature.subarray(ML_DSA_65.signatureBytes);
  // Ed25519 first: it is the cheaper of the two to refuse.
  if (!engine.ed25519.verify(keys.ed25519, signed, classical)) return false;
  const postQuantum = signature.subarray(0, ML_DSA_65.signatureBytes);
  return engine.mlDsa65.verify(keys.mldsa65, signed, postQuantum, LABEL);
}
