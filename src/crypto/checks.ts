// Checks on arguments that every engine makes before it touches its library.

import { MeshError } from "../foundation/index.ts";
import { type CryptoErrorCode, ML_DSA_65 } from "./engine.ts";

/**
 * Demands an exact length; `what` names the argument in the message.
 * @throws MeshError `crypto/bad-length`
 */
export function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length === length) return;
  throw new MeshError<CryptoErrorCode>(
    "crypto/bad-length",
    `Cannot use ${what} of ${bytes.length} bytes: it must have exactly ${length}.`,
    { what, length: bytes.length, expected: length },
  );
}

/**
 * The bytes of each of `count` messages of one length that lie one after the other.
 * @throws MeshError `crypto/bad-length` when `messages` does not divide into so many
 */
export function requireCount(messages: Uint8Array, count: number): number {
  const { length } = messages;
  const bytes = count === 0 ? 0 : length / count;
  if (Number.isInteger(count) && count >= 0 && Number.isInteger(bytes) && bytes * count === length)
    return bytes;
  throw new MeshError<CryptoErrorCode>(
    "crypto/bad-length",
    `Cannot hash ${count} messages of one length in ${length} bytes: they must divide evenly.`,
    { length, count },
  );
}

/**
 * Demands a signature context of 0..255 bytes (FIPS 204 algorithm 2, line 1).
 * @throws MeshError `crypto/bad-context`
 */
export function requireContext(context: Uint8Array): void {
  if (context.length <= ML_DSA_65.contextBytesMax) return;
  throw new MeshError<CryptoErrorCode>(
    "crypto/bad-context",
    `Cannot use a context of ${context.length} bytes: it must have at most ${ML_DSA_65.contextBytesMax}.`,
    { length: context.length },
  );
}

/** The error of a key that was used after `destroy()`. */
export function destroyedError(what: string): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/destroyed",
    `Cannot use ${what}: it was destroyed. Load the key again.`,
  );
}

/** The error of a public key that its algorithm's input checks refuse. */
export function badKeyError(what: string, cause: unknown): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/bad-key",
    `Cannot use ${what}: it fails the algorithm's input checks. Ask the peer for a valid key.`,
    {},
    { cause },
  );
}
