// Noise's CipherState (Noise rev. 34 section 5.1): one key, one counter.

import { MeshError } from "../foundation/index.ts";
import type { HandshakeErrorCode } from "./codes.ts";
import { type NoiseCrypto, TAG_BYTES } from "./noise-crypto.ts";

/** The largest plaintext of one frame: 65535 less the tag. */
export const TRANSPORT_PLAINTEXT_BYTES_MAX = 65535 - TAG_BYTES;

/** No nonce beyond this is used: the largest exact integer, far below Noise's own bound of 2^64 - 2. */
export const NONCE_MAX = Number.MAX_SAFE_INTEGER;

const EMPTY = new Uint8Array(0);

/** The 12 bytes of a ChaCha20-Poly1305 nonce: four zero bytes, then `n` as 64 bits little-endian. */
export function nonceBytes(n: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, n % 2 ** 32, true);
  view.setUint32(8, Math.floor(n / 2 ** 32), true);
  return bytes;
}

/**
 * One direction of a connection. After a failed `open`, after {@link NONCE_MAX} and after `destroy` the object
 * is dead: the key is wiped and every call throws `handshake/wrong-state`.
 */
export class CipherState {
  readonly #crypto: NoiseCrypto;
  readonly #key: Uint8Array;
  #n: number;
  #dead = false;

  /** Owns `key` (32 bytes). `firstNonce` is for tests of the limit. */
  constructor(crypto: NoiseCrypto, key: Uint8Array, firstNonce = 0) {
    this.#crypto = crypto;
    this.#key = key;
    this.#n = firstNonce;
  }

  /** A copy of the key, for published vectors. */
  exportKey(): Uint8Array {
    return this.#key.slice();
  }

  /**
   * Ciphertext and tag of the next message.
   * @throws MeshError `handshake/nonces-exhausted`, `handshake/wrong-state`
   */
  seal(plaintext: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array {
    const nonce = this.#nextNonce();
    const ciphertext = this.#crypto.seal(this.#key, nonce, ad, plaintext);
    this.#n++;
    return ciphertext;
  }

  /**
   * The plaintext of the next message.
   * @throws MeshError `handshake/bad-length` (no room for a tag), `handshake/bad-tag`,
   *   `handshake/nonces-exhausted`, `handshake/wrong-state`
   */
  open(ciphertext: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array {
    if (ciphertext.length < TAG_BYTES) {
      throw this.#fail(
        "handshake/bad-length",
        `Cannot open ${ciphertext.length} bytes: a tag has 16.`,
      );
    }
    const nonce = this.#nextNonce();
    const plaintext = this.#crypto.open(this.#key, nonce, ad, ciphertext);
    if (plaintext === undefined) {
      throw this.#fail(
        "handshake/bad-tag",
        "Cannot open a message: the tag does not match. Dial again.",
      );
    }
    this.#n++;
    return plaintext;
  }

  /** Wipes the key. */
  destroy(): void {
    this.#dead = true;
    this.#key.fill(0);
  }

  #nextNonce(): Uint8Array {
    if (this.#dead) {
      throw new MeshError<HandshakeErrorCode>(
        "handshake/wrong-state",
        "Cannot use a cipher that has failed or was destroyed. Dial again.",
      );
    }
    if (this.#n > NONCE_MAX) {
      throw this.#fail(
        "handshake/nonces-exhausted",
        "All nonces of the connection are used. Dial again.",
      );
    }
    return nonceBytes(this.#n);
  }

  #fail(code: HandshakeErrorCode, message: string): MeshError<HandshakeErrorCode> {
    this.destroy();
    return new MeshError(code, message);
  }
}
