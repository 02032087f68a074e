// Model signatures: ML-DSA-65's sizes and face, SHA-256's cost. FOR SIMULATION ONLY, AND NOT A SIGNATURE
// SCHEME: signer and verifier share a table of secrets inside one model, so that nobody without a signer
// object can make a valid signature. The simulator thereby models unforgeability, exactly and cheaply and
// as a function of the seed; that the real signatures have it, the published vectors show (test/vectors).
// Nothing outside src/sim may import this, and keys and signatures of it verify under no real engine.

import { type MlDsa, type MlDsaSigner, ML_DSA_65, verifyEach } from "../crypto/index.ts";
import { concatBytes, equalBytes, MeshError, toHex, utf8Bytes } from "../foundation/index.ts";

const TAG_BYTES = 32;
const KEY_DOMAIN = utf8Bytes("simulated public key");
const TAG_DOMAIN = utf8Bytes("simulated signature");

type Sha256 = (data: Uint8Array) => Uint8Array;

/** A model in which only holders of a signer can sign. Keys of one model mean nothing to another. */
export function createModelSignatures(sha256: Sha256): MlDsa {
  const secrets = new Map<
    string,
    { readonly publicKey: Uint8Array; readonly secret: Uint8Array }
  >();
  const verify: MlDsa["verify"] = (publicKey, message, signature, context) => {
    if (signature.length !== ML_DSA_65.signatureBytes) return false;
    if (context.length > ML_DSA_65.contextBytesMax) return false;
    const known = secrets.get(nameOf(publicKey));
    if (known === undefined || !equalBytes(known.publicKey, publicKey)) return false;
    const tag = tagOf(sha256, known.secret, message, context);
    // The rest of a signature is the tag's first byte again and again: a change anywhere is seen.
    const filler = tag[0] ?? 0;
    if (!equalBytes(signature.subarray(0, TAG_BYTES), tag)) return false;
    for (let i = TAG_BYTES; i < signature.length; i++) if (signature[i] !== filler) return false;
    return true;
  };
  return {
    signer(seed) {
      if (seed.length !== ML_DSA_65.seedBytes) {
        throw new MeshError("crypto/bad-length", `A seed has 32 bytes: it has ${seed.length}.`);
      }
      const secret = seed.slice();
      const publicKey = expand(sha256, concatBytes(KEY_DOMAIN, secret), ML_DSA_65.publicKeyBytes);
      secrets.set(nameOf(publicKey), { publicKey, secret });
      return new ModelSigner(sha256, publicKey, secret);
    },
    verify,
    verifyBatch: verifyEach(verify),
  };
}

/** What was verified, as the very objects, and the answer. */
interface Verdict {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly context: Uint8Array;
  readonly valid: boolean;
}

/**
 * The same scheme, but a signature that was verified once is not verified again: a world's bytes never change, so the
 * objects stand for them. What the machines decide stays the same; only the time they take is modelled, not measured.
 */
export function verifyOnce(scheme: MlDsa): MlDsa {
  const verdicts = new WeakMap<Uint8Array, Verdict>();
  const verify: MlDsa["verify"] = (publicKey, message, signature, context) => {
    const known = verdicts.get(signature);
    const isSame = known?.publicKey === publicKey && known.message === message;
    if (isSame && known.context === context) return known.valid;
    const valid = scheme.verify(publicKey, message, signature, context);
    verdicts.set(signature, { publicKey, message, context, valid });
    return valid;
  };
  return { ...scheme, verify, verifyBatch: verifyEach(verify) };
}

class ModelSigner implements MlDsaSigner {
  readonly publicKey: Uint8Array;
  readonly #sha256: Sha256;
  #secret: Uint8Array | undefined;

  constructor(sha256: Sha256, publicKey: Uint8Array, secret: Uint8Array) {
    this.#sha256 = sha256;
    this.publicKey = publicKey;
    this.#secret = secret;
  }

  sign(message: Uint8Array, context: Uint8Array): Uint8Array {
    if (this.#secret === undefined) {
      throw new MeshError("crypto/destroyed", "Cannot sign: this key was destroyed.");
    }
    if (context.length > ML_DSA_65.contextBytesMax) {
      throw new MeshError(
        "crypto/bad-context",
        `A context has at most 255 bytes: ${context.length}.`,
      );
    }
    const tag = tagOf(this.#sha256, this.#secret, message, context);
    const signature = new Uint8Array(ML_DSA_65.signatureBytes).fill(tag[0] ?? 0);
    signature.set(tag);
    return signature;
  }

  destroy(): void {
    this.#secret = undefined;
  }
}

function nameOf(publicKey: Uint8Array): string {
  return toHex(publicKey.subarray(0, TAG_BYTES));
}

function tagOf(
  sha256: Sha256,
  secret: Uint8Array,
  message: Uint8Array,
  context: Uint8Array,
): Uint8Array {
  return sha256(
    concatBytes(TAG_DOMAIN, secret, Uint8Array.of(context.length), context, sha256(message)),
  );
}

/** `length` bytes that start with SHA-256 of the input and go on hashing. */
function expand(sha256: Sha256, input: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let block = sha256(input);
  for (let at = 0; at < length; at += TAG_BYTES) {
    out.set(block.subarray(0, Math.min(TAG_BYTES, length - at)), at);
    block = sha256(block);
  }
  return out;
}
