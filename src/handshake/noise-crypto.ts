// The classical primitives of Noise, as a port: X25519, SHA-256, HKDF-SHA256, ChaCha20-Poly1305.

/** An X25519 key pair, 32 bytes each. */
export interface X25519KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

export const X25519_BYTES = 32;
export const TAG_BYTES = 16;
export const HASH_BYTES = 32;

/** Synchronous and without state. Returned arrays are fresh: the caller may wipe them. */
export interface NoiseCrypto {
  sha256(data: Uint8Array): Uint8Array;
  /** The first two outputs of Noise's HKDF, 32 bytes each. */
  hkdf(chainingKey: Uint8Array, input: Uint8Array): readonly [Uint8Array, Uint8Array];
  /** The pair of a 32-byte private key, which is copied. */
  x25519KeyPair(privateKey: Uint8Array): X25519KeyPair;
  /** The 32-byte shared secret; undefined for a point of low order (where the primitive notices). */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  /** ChaCha20-Poly1305: ciphertext and tag. `nonce` has 12 bytes, `key` 32. */
  seal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** The plaintext, or undefined if the tag does not match. `ciphertext` has at least 16 bytes and is not changed. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    ciphertext: Uint8Array,
  ): Uint8Array | undefined;
}
