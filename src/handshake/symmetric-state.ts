// Noise's SymmetricState (Noise rev. 34 section 5.2) for a cipher with 32-byte keys and SHA-256.

import { concatBytes, MeshError, utf8Bytes } from "../foundation/index.ts";
import { CipherState } from "./cipher-state.ts";
import type { HandshakeErrorCode } from "./codes.ts";
import { HASH_BYTES, type NoiseCrypto } from "./noise-crypto.ts";

const EMPTY = new Uint8Array(0);

/**
 * Handshake hash, chaining key and current cipher key. A `decryptAndHash` that fails leaves hash and chaining
 * key as they were but kills the cipher: the handshake is over and `destroy` is due.
 */
export class SymmetricState {
  readonly #crypto: NoiseCrypto;
  #h: Uint8Array;
  #chainingKey: Uint8Array;
  #cipher: CipherState | undefined;

  /** Starts from the protocol name and mixes the prologue, an empty one too. */
  constructor(crypto: NoiseCrypto, protocolName: string, prologue: Uint8Array) {
    this.#crypto = crypto;
    const name = utf8Bytes(protocolName);
    // A name that fits is padded with zeros; a longer one is hashed.
    this.#h =
      name.length <= HASH_BYTES
        ? concatBytes(name, new Uint8Array(HASH_BYTES - name.length))
        : crypto.sha256(name);
    this.#chainingKey = this.#h.slice();
    this.mixHash(prologue);
  }

  /** A copy of the handshake hash so far, 32 bytes. */
  get handshakeHash(): Uint8Array {
    return this.#h.slice();
  }

  mixHash(data: Uint8Array): void {
    this.#h = this.#crypto.sha256(concatBytes(this.#h, data));
  }

  /** Mixes a secret into the chaining key; the new cipher counts from zero. The caller wipes `input`. */
  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#crypto.hkdf(this.#chainingKey, input);
    this.#chainingKey.fill(0);
    this.#chainingKey = chainingKey;
    this.#cipher?.destroy();
    this.#cipher = new CipherState(this.#crypto, key);
  }

  /** Plain bytes before the first key. Always mixes what is sent, an empty payload too. */
  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sent = this.#cipher === undefined ? plaintext : this.#cipher.seal(plaintext, this.#h);
    this.mixHash(sent);
    return sent;
  }

  /** @throws MeshError `handshake/bad-length`, `handshake/bad-tag` */
  decryptAndHash(received: Uint8Array): Uint8Array {
    const plaintext = this.#cipher === undefined ? received : this.#cipher.open(received, this.#h);
    this.mixHash(received);
    return plaintext;
  }

  /**
   * The two transport ciphers: the initiator's first, then the responder's. The state is wiped.
   * @throws MeshError `handshake/wrong-state` before the first key
   */
  split(): readonly [CipherState, CipherState] {
    if (this.#cipher === undefined) {
      throw new MeshError<HandshakeErrorCode>(
        "handshake/wrong-state",
        "Cannot split before any key is mixed.",
      );
    }
    const [first, second] = this.#crypto.hkdf(this.#chainingKey, EMPTY);
    this.destroy();
    return [new CipherState(this.#crypto, first), new CipherState(this.#crypto, second)];
  }

  /** Wipes chaining key and cipher key; the hash, which is no secret, stays readable. */
  destroy(): void {
    this.#chainingKey.fill(0);
    this.#cipher?.destroy();
  }
}
