// The face that every crypto engine has: ML-KEM-768 (FIPS 203), ML-DSA-65 (FIPS 204), Ed25519 (RFC 8032)
// and the SHA-2 hashes. Callers see no engine-specific handle: a key is an object with the operations
// that its secret allows, so an engine may keep it prepared in its own memory.

/** The engines there are. */
export type EngineName = "wasm" | "native" | "noble";

export const ML_KEM_768 = {
  seedBytes: 64,
  encapsulationKeyBytes: 1184,
  ciphertextBytes: 1088,
  sharedSecretBytes: 32,
  messageBytes: 32,
} as const;

export const ML_DSA_65 = {
  seedBytes: 32,
  publicKeyBytes: 1952,
  signatureBytes: 3309,
  contextBytesMax: 255,
} as const;

export const ED25519 = { seedBytes: 32, publicKeyBytes: 32, signatureBytes: 64 } as const;

/** Codes of the errors that engines throw. */
export type CryptoErrorCode =
  | "crypto/bad-length"
  | "crypto/bad-key"
  | "crypto/bad-context"
  | "crypto/destroyed"
  | "crypto/unsupported"
  | "crypto/engine-unavailable"
  | "crypto/self-test-failed"
  | "crypto/chain-bad-options"
  | "crypto/pool-full"
  | "crypto/pool-failed"
  | "crypto/pool-stopped";

/** A decapsulation key with its public half. */
export interface KemKeyPair {
  /** 1184 bytes. */
  readonly encapsulationKey: Uint8Array;
  /**
   * The 32-byte shared secret of a 1088-byte ciphertext. Never fails on a wrong ciphertext of the
   * right length: implicit rejection (FIPS 203 algorithm 18) gives a pseudo-random secret.
   * @throws MeshError `crypto/bad-length`, `crypto/destroyed`
   */
  decapsulate(ciphertext: Uint8Array): Uint8Array;
  /** Wipes what can be wiped; every later use throws `crypto/destroyed`. */
  destroy(): void;
}

/** ML-KEM-768. */
export interface Kem {
  /**
   * A key pair; from `seed` (64 bytes, `d || z`) when given, else fresh.
   * @throws MeshError `crypto/bad-length`
   */
  generate(seed?: Uint8Array): KemKeyPair;
  /**
   * Encapsulates to a peer's key after the checks of FIPS 203 section 7.2 (length, every coefficient < 3329).
   * `message` (32 bytes, FIPS 203's m) is for published vectors only.
   * @throws MeshError `crypto/bad-length`, `crypto/bad-key`, `crypto/unsupported` (an engine that cannot take `message`)
   */
  encapsulate(
    encapsulationKey: Uint8Array,
    message?: Uint8Array,
  ): { readonly ciphertext: Uint8Array; readonly sharedSecret: Uint8Array };
}

/** An ML-DSA-65 key that can sign. */
export interface MlDsaSigner {
  /** 1952 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * Pure ML-DSA (FIPS 204 algorithm 2), hedged unless `randomizer` (32 bytes; all zero = deterministic) is given.
   * @param context 0..255 bytes
   * @throws MeshError `crypto/bad-context`, `crypto/bad-length`, `crypto/destroyed`, `crypto/unsupported` (randomizer)
   */
  sign(message: Uint8Array, context: Uint8Array, randomizer?: Uint8Array): Uint8Array;
  destroy(): void;
}

/** A signature and what it is said to sign. */
export interface MlDsaVerification {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly context: Uint8Array;
}

/** ML-DSA-65. */
export interface MlDsa {
  /**
   * The key of a 32-byte seed (FIPS 204's xi).
   * @throws MeshError `crypto/bad-length`
   */
  signer(seed: Uint8Array): MlDsaSigner;
  /** True only for a valid signature; false for anything else, wrong lengths included. Never throws. */
  verify(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array,
  ): boolean;
  /** What {@link verify} says of each job, in their order. Never throws; one call costs an engine less than many. */
  verifyBatch(jobs: readonly MlDsaVerification[]): boolean[];
}

/** An Ed25519 key that can sign. */
export interface Ed25519Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** @throws MeshError `crypto/destroyed` */
  sign(message: Uint8Array): Uint8Array;
  destroy(): void;
}

/** Ed25519. */
export interface Ed25519 {
  /** @throws MeshError `crypto/bad-length` */
  signer(seed: Uint8Array): Ed25519Signer;
  /** True only for a valid signature; never throws. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** One engine. Synchronous: it is the caller that moves bulk work to worker threads. */
export interface CryptoEngine {
  readonly name: EngineName;
  readonly mlKem768: Kem;
  readonly mlDsa65: MlDsa;
  readonly ed25519: Ed25519;
  sha256(data: Uint8Array): Uint8Array;
  /**
   * The digests, one after the other, of `count` messages of one length that lie one after the other in `messages`.
   * @throws MeshError `crypto/bad-length` when `messages` does not divide into so many
   */
  sha256Batch(messages: Uint8Array, count: number): Uint8Array;
  sha512(data: Uint8Array): Uint8Array;
}
