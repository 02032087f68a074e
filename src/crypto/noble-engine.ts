// The engine "noble": @noble/post-quantum, @noble/curves and @noble/hashes, pure JavaScript.
// It runs everywhere and is the reference that other engines are compared with. JavaScript gives no
// constant-time guarantee and no certain wiping; hosts with OpenSSL 3.5 should run "native".

import { ed25519 as curve } from "@noble/curves/ed25519.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import type { Random } from "../ports/index.ts";
import { hashEach, verifyEach } from "./batches.ts";
import { badKeyError, destroyedError, requireContext, requireLength } from "./checks.ts";
import { isStrictEd25519Key, verifyEd25519Strict } from "./ed25519-strict.ts";
import {
  type CryptoEngine,
  ED25519,
  type Ed25519,
  type Ed25519Signer,
  type Kem,
  type KemKeyPair,
  ML_DSA_65,
  ML_KEM_768,
  type MlDsa,
  type MlDsaSigner,
} from "./engine.ts";

/** Makes the engine; all randomness (keys, encapsulation, hedging) is drawn from `random`. */
export function createNobleEngine(random: Random): CryptoEngine {
  return {
    name: "noble",
    mlKem768: nobleKem(random),
    mlDsa65: nobleMlDsa(random),
    ed25519: nobleEd25519,
    sha256: (data) => sha256(data),
    sha256Batch: hashEach((data) => sha256(data)),
    sha512: (data) => sha512(data),
  };
}

function nobleKem(random: Random): Kem {
  return {
    generate(seed) {
      if (seed !== undefined) {
        requireLength("an ML-KEM-768 seed", seed, ML_KEM_768.seedBytes);
        return kemKeyPair(seed);
      }
      const fresh = random.bytes(ML_KEM_768.seedBytes);
      const pair = kemKeyPair(fresh);
      fresh.fill(0);
      return pair;
    },
    encapsulate(encapsulationKey, message) {
      requireLength(
        "an ML-KEM-768 encapsulation key",
        encapsulationKey,
        ML_KEM_768.encapsulationKeyBytes,
      );
      if (message !== undefined) requireLength("m", message, ML_KEM_768.messageBytes);
      const m = message ?? random.bytes(ML_KEM_768.messageBytes);
      try {
        // Lengths are right, so the modulus check of FIPS 203 section 7.2 is all that can refuse.
        const { cipherText, sharedSecret } = ml_kem768.encapsulate(encapsulationKey, m);
        return { ciphertext: cipherText, sharedSecret };
      } catch (cause) {
        throw badKeyError("the ML-KEM-768 encapsulation key", cause);
      } finally {
        if (message === undefined) m.fill(0);
      }
    },
  };
}

function kemKeyPair(seed: Uint8Array): KemKeyPair {
  const { publicKey, secretKey } = ml_kem768.keygen(seed);
  let live = true;
  return {
    encapsulationKey: publicKey,
    decapsulate(ciphertext) {
      if (!live) throw destroyedError("an ML-KEM-768 key");
      requireLength("an ML-KEM-768 ciphertext", ciphertext, ML_KEM_768.ciphertextBytes);
      return ml_kem768.decapsulate(ciphertext, secretKey);
    },
    destroy() {
      live = false;
      secretKey.fill(0);
    },
  };
}

function nobleMlDsa(random: Random): MlDsa {
  return {
    signer(seed) {
      requireLength("an ML-DSA-65 seed", seed, ML_DSA_65.seedBytes);
      return mlDsaSigner(seed, random);
    },
    verify: verifyMlDsa,
    verifyBatch: verifyEach(verifyMlDsa),
  };
}

function verifyMlDsa(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array,
): boolean {
  try {
    return ml_dsa65.verify(signature, message, publicKey, { context });
  } catch {
    return false; // the library throws on wrong lengths; to the caller that is "not valid"
  }
}

function mlDsaSigner(seed: Uint8Array, random: Random): MlDsaSigner {
  const { publicKey, secretKey } = ml_dsa65.keygen(seed);
  let live = true;
  return {
    publicKey,
    sign(message, context, randomizer) {
      if (!live) throw destroyedError("an ML-DSA-65 key");
      requireContext(context);
      if (randomizer !== undefined) requireLength("an ML-DSA randomizer", randomizer, 32);
      const extraEntropy = randomizer ?? random.bytes(32);
      const signature = ml_dsa65.sign(message, secretKey, { context, extraEntropy });
      if (randomizer === undefined) extraEntropy.fill(0);
      return signature;
    },
    destroy() {
      live = false;
      secretKey.fill(0);
    },
  };
}

const nobleEd25519: Ed25519 = {
  signer(seed) {
    requireLength("an Ed25519 seed", seed, ED25519.seedBytes);
    return ed25519Signer(new Uint8Array(seed));
  },
  verify(publicKey, message, signature) {
    if (signature.length !== ED25519.signatureBytes || !isStrictEd25519Key(publicKey)) return false;
    return verifyEd25519Strict(publicKey, message, signature);
  },
};

function ed25519Signer(seed: Uint8Array): Ed25519Signer {
  let live = true;
  return {
    publicKey: curve.getPublicKey(seed),
    sign(message) {
      if (!live) throw destroyedError("an Ed25519 key");
      return curve.sign(message, seed);
    },
    destroy() {
      live = false;
      seed.fill(0);
    },
  };
}
