// SHA-256 of short messages over the wasm kernels, for hash chains: one call into OpenSSL costs more than two blocks take to hash.

import { type CryptoEngine, requireCount } from "../../crypto/index.ts";
import type { Kernels } from "./kernels.ts";

const DIGEST_BYTES = 32;
/**
 * Two blocks with their padding. One core, medians of one run, in microseconds: 0.65 (wasm, copies and wiping
 * included) against 1.1 (node:crypto) for 64 bytes, 0.68 against 0.96 for 100; the kernel alone 1.5 against 1.5 for 256 and 4.8 against 2.0
 * for 1024, where OpenSSL's SHA instructions win.
 */
const SHORT_BYTES_MAX = 119;

/** SHA-256 that takes short messages itself and leaves the others to `long`. */
export function createWasmSha256(
  kernels: Kernels,
  long: (data: Uint8Array) => Uint8Array,
): (data: Uint8Array) => Uint8Array {
  const input = kernels.reserve(SHORT_BYTES_MAX);
  const digest = kernels.reserve(DIGEST_BYTES);
  return (data) => {
    if (data.length > SHORT_BYTES_MAX) return long(data);
    kernels.write(input, data);
    kernels.exports.sha256(digest, input, data.length);
    const result = kernels.read(digest, DIGEST_BYTES);
    // Links of a chain that are not revealed yet are secret.
    kernels.wipe(input, data.length);
    kernels.wipe(digest, DIGEST_BYTES);
    return result;
  };
}

/** Most messages of one call: of two blocks they fill 8 KiB of wasm memory. */
const BATCH_MAX = 64;
/** The four-way kernel reads so many bytes past a message. */
const OVERREAD_BYTES = 15;

/** Batched SHA-256 that takes short messages itself, four side by side, and leaves the others to `long`. */
export function createWasmSha256Batch(
  kernels: Kernels,
  long: CryptoEngine["sha256Batch"],
): CryptoEngine["sha256Batch"] {
  const { exports } = kernels;
  const inputs = kernels.reserve(BATCH_MAX * SHORT_BYTES_MAX + OVERREAD_BYTES);
  const digests = kernels.reserve(BATCH_MAX * DIGEST_BYTES);
  return (messages, count) => {
    const bytes = requireCount(messages, count);
    if (bytes > exports.SHA256_BATCH_BYTES_MAX.value) return long(messages, count);
    const results = new Uint8Array(count * DIGEST_BYTES);
    for (let at = 0; at < count; at += BATCH_MAX) {
      const size = Math.min(BATCH_MAX, count - at);
      kernels.write(inputs, messages.subarray(at * bytes, (at + size) * bytes));
      exports.sha256Batch(digests, inputs, bytes, bytes, size);
      const made = kernels.memory.subarray(digests, digests + size * DIGEST_BYTES);
      results.set(made, at * DIGEST_BYTES);
    }
    const used = Math.min(BATCH_MAX, count);
    kernels.wipe(inputs, used * bytes);
    kernels.wipe(digests, used * DIGEST_BYTES);
    return results;
  };
}
