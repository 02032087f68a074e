// Batches for the engines that gain nothing from them: one operation after the other.

import { requireCount } from "./checks.ts";
import type { CryptoEngine, MlDsa } from "./engine.ts";

const DIGEST_BYTES = 32;

/** `MlDsa.verifyBatch` over `verify`. */
export function verifyEach(verify: MlDsa["verify"]): MlDsa["verifyBatch"] {
  return (jobs) =>
    jobs.map(({ publicKey, message, signature, context }) =>
      verify(publicKey, message, signature, context),
    );
}

/** `CryptoEngine.sha256Batch` over `sha256`. */
export function hashEach(sha256: CryptoEngine["sha256"]): CryptoEngine["sha256Batch"] {
  return (messages, count) => {
    const bytes = requireCount(messages, count);
    const digests = new Uint8Array(count * DIGEST_BYTES);
    for (let i = 0; i < count; i++) {
      digests.set(sha256(messages.subarray(i * bytes, (i + 1) * bytes)), i * DIGEST_BYTES);
    }
    return digests;
  };
}
