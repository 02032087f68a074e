// A hash in the place of each signature: thousands of rounds a minute. Nobody can forge, because nobody tries to; what real
// signatures hold is the protocol's own tests' to show.

import { ML_DSA_65, type MlDsa, type MlDsaSigner } from "../../crypto/index.ts";
import { concatBytes } from "../../foundation/index.ts";
import type { Hash } from "../orchestrators/zones.ts";

/** Signatures of the right length whose first bytes are a hash of key, context and message. */
export function modelledSignatures(
  hash: Hash,
): Pick<MlDsa, "verify"> & { readonly signer: (seed: Uint8Array) => MlDsaSigner } {
  const tagOf = (publicKey: Uint8Array, message: Uint8Array, context: Uint8Array): Uint8Array =>
    hash(concatBytes(publicKey.subarray(0, 32), context, message));
  return {
    signer(seed) {
      const publicKey = new Uint8Array(ML_DSA_65.publicKeyBytes);
      publicKey.set(hash(seed));
      return {
        publicKey,
        sign(message, context) {
          const signature = new Uint8Array(ML_DSA_65.signatureBytes);
          signature.set(tagOf(publicKey, message, context));
          return signature;
        },
        destroy: () => undefined,
      };
    },
    verify: (publicKey, message, signature, context) =>
      tagOf(publicKey, message, context).every((byte, i) => byte === signature[i]),
  };
}
