// The engine "native": node:crypto over OpenSSL 3.5 or newer, which has ML-KEM and ML-DSA (FIPS 203, FIPS 204).
// Seeds and secrets live inside OpenSSL's key objects. OpenSSL makes its own randomness, so a caller-chosen `m` or
// `randomizer` is refused with `crypto/unsupported`. Its modulus check of FIPS 203 section 7.2 happens on import.

import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import {
  badKeyError,
  type CryptoEngine,
  type CryptoErrorCode,
  destroyedError,
  ED25519,
  type Ed25519,
  hashEach,
  isStrictEd25519Key,
  type Kem,
  type KemKeyPair,
  ML_DSA_65,
  ML_KEM_768,
  type MlDsa,
  requireContext,
  requireLength,
  verifyEach,
} from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { Meter } from "../../ports/index.ts";
import { importPublicKey, PublicKeyCache } from "./public-key-cache.ts";

const PUBLIC_KEYS_MAX = 512;

export interface NativeEngineOptions {
  /**
   * Most imported public keys held per algorithm, about 10 KiB each for ML-DSA-65. Lower saves memory; below the number
   * of peers in a zone every verification imports its key again.
   * @default 512
   */
  readonly publicKeysMax?: number | undefined;
  /** Counts imports and evictions. */
  readonly meter?: Meter | undefined;
}

/**
 * Makes the engine.
 * @throws MeshError `crypto/engine-unavailable` when this Node's OpenSSL lacks ML-KEM-768 or ML-DSA-65
 */
export function createNativeEngine(options: NativeEngineOptions = {}): CryptoEngine {
  probe();
  const { publicKeysMax: keysMax = PUBLIC_KEYS_MAX, meter } = options;
  return {
    name: "native",
    mlKem768: nativeKem,
    mlDsa65: nativeMlDsa(new PublicKeyCache({ algorithm: "ml-dsa-65", keysMax, meter })),
    ...createClassicalAlgorithms(options),
  };
}

/** The part of the engine that every OpenSSL has: what other engines take from it. */
export function createClassicalAlgorithms(
  options: NativeEngineOptions = {},
): Pick<CryptoEngine, "ed25519" | "sha256" | "sha256Batch" | "sha512"> {
  const { publicKeysMax: keysMax = PUBLIC_KEYS_MAX, meter } = options;
  const sha256 = (data: Uint8Array): Uint8Array => plain(hash("sha256", data, "buffer"));
  return {
    ed25519: nativeEd25519(new PublicKeyCache({ algorithm: "ed25519", keysMax, meter })),
    sha256,
    sha256Batch: hashEach(sha256),
    sha512: (data) => plain(hash("sha512", data, "buffer")),
  };
}

/** Fails early, where a missing algorithm can still be told from a bad argument. */
function probe(): void {
  try {
    importSeed(new Uint8Array(ML_KEM_768.seedBytes), "ml-kem-768");
    importSeed(new Uint8Array(ML_DSA_65.seedBytes), "ml-dsa-65");
  } catch (cause) {
    throw new MeshError<CryptoErrorCode>(
      "crypto/engine-unavailable",
      `Cannot use the engine 'native': Node ${process.version} with OpenSSL ${process.versions.openssl} lacks ML-KEM-768 or ML-DSA-65. Run Node 26, or choose the engine 'noble'.`,
      { node: process.version, openssl: process.versions.openssl },
      { cause },
    );
  }
}

const nativeKem: Kem = {
  generate(seed) {
    if (seed === undefined) return kemKeyPair(generateKeyPairSync("ml-kem-768").privateKey);
    requireLength("an ML-KEM-768 seed", seed, ML_KEM_768.seedBytes);
    return kemKeyPair(importSeed(seed, "ml-kem-768"));
  },
  encapsulate(encapsulationKey, message) {
    requireLength(
      "an ML-KEM-768 encapsulation key",
      encapsulationKey,
      ML_KEM_768.encapsulationKeyBytes,
    );
    if (message !== undefined) throw unsupported("a chosen m for ML-KEM-768");
    let key: KeyObject;
    try {
      key = importPublicKey(encapsulationKey, "ml-kem-768");
    } catch (cause) {
      throw badKeyError("the ML-KEM-768 encapsulation key", cause);
    }
    const { ciphertext, sharedKey } = encapsulate(key);
    return { ciphertext: plain(ciphertext), sharedSecret: plain(sharedKey) };
  },
};

function kemKeyPair(privateKey: KeyObject): KemKeyPair {
  let key: KeyObject | undefined = privateKey;
  return {
    encapsulationKey: rawPublicKey(privateKey),
    decapsulate(ciphertext) {
      if (key === undefined) throw destroyedError("an ML-KEM-768 key");
      requireLength("an ML-KEM-768 ciphertext", ciphertext, ML_KEM_768.ciphertextBytes);
      return plain(decapsulate(key, ciphertext));
    },
    destroy() {
      key = undefined;
    },
  };
}

function nativeMlDsa(cache: PublicKeyCache): MlDsa {
  const verifyOne: MlDsa["verify"] = (publicKey, message, signature, context) => {
    if (publicKey.length !== ML_DSA_65.publicKeyBytes) return false;
    if (signature.length !== ML_DSA_65.signatureBytes) return false;
    if (context.length > ML_DSA_65.contextBytesMax) return false;
    try {
      return verify(null, message, { key: cache.get(publicKey), context }, signature);
    } catch {
      return false; // OpenSSL refuses to import the key: no signature of it is valid
    }
  };
  return {
    signer(seed) {
      requireLength("an ML-DSA-65 seed", seed, ML_DSA_65.seedBytes);
      let key: KeyObject | undefined = importSeed(seed, "ml-dsa-65");
      return {
        publicKey: rawPublicKey(key),
        sign(message, context, randomizer) {
          if (key === undefined) throw destroyedError("an ML-DSA-65 key");
          requireContext(context);
          if (randomizer !== undefined) throw unsupported("a chosen randomizer for ML-DSA-65");
          return plain(sign(null, message, { key, context }));
        },
        destroy() {
          key = undefined;
        },
      };
    },
    verify: verifyOne,
    verifyBatch: verifyEach(verifyOne),
  };
}

function nativeEd25519(cache: PublicKeyCache): Ed25519 {
  return {
    signer(seed) {
      requireLength("an Ed25519 seed", seed, ED25519.seedBytes);
      let key: KeyObject | undefined = importSeed(seed, "ed25519");
      return {
        publicKey: rawPublicKey(key),
        sign(message) {
          if (key === undefined) throw destroyedError("an Ed25519 key");
          return plain(sign(null, message, key));
        },
        destroy() {
          key = undefined;
        },
      };
    },
    verify(publicKey, message, signature) {
      // OpenSSL 3.5.8 refuses weak keys by itself; which ones count is not left to its version.
      if (signature.length !== ED25519.signatureBytes || !isStrictEd25519Key(publicKey))
        return false;
      try {
        return verify(null, message, cache.get(publicKey), signature);
      } catch {
        return false; // OpenSSL refuses to import the key: no signature of it is valid
      }
    },
  };
}

function importSeed(
  seed: Uint8Array,
  asymmetricKeyType: "ml-kem-768" | "ml-dsa-65" | "ed25519",
): KeyObject {
  const key = Buffer.from(seed);
  // For Ed25519 the seed is the private key of RFC 8032, and node names the form accordingly.
  const format = asymmetricKeyType === "ed25519" ? "raw-private" : "raw-seed";
  try {
    return createPrivateKey({ key, format, asymmetricKeyType });
  } finally {
    key.fill(0);
  }
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  return plain(createPublicKey(privateKey).export({ format: "raw-public" }));
}

/** The same memory as a plain Uint8Array, so that no caller meets Buffer's different slice(). */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function unsupported(what: string): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/unsupported",
    `Cannot take ${what}: OpenSSL draws its own randomness. Use the engine 'noble' for published vectors.`,
  );
}
