// An engine that counts its operations on keys, for whichever engine runs. Hashes are not counted: counting would cost as much as hashing.

import type { Meter } from "../ports/index.ts";
import type { CryptoEngine, EngineName } from "./engine.ts";

/** Values of the label `operation`. */
export const countedOperations = [
  "ml-kem-768/generate",
  "ml-kem-768/encapsulate",
  "ml-kem-768/decapsulate",
  "ml-dsa-65/load",
  "ml-dsa-65/sign",
  "ml-dsa-65/verify",
  "ed25519/load",
  "ed25519/sign",
  "ed25519/verify",
] as const;

type Operation = (typeof countedOperations)[number];

type Counted = <T>(operation: Operation, result: T, by?: number) => T;

/** The same engine; every operation that ends without an error is counted once. */
export function countedEngine(engine: CryptoEngine, meter: Meter): CryptoEngine {
  const labels = new Map(countedOperations.map((name) => [name, labelsOf(engine.name, name)]));
  const counted: Counted = (operation, result, by = 1) => {
    meter.count("meshd_crypto_operations_total", labels.get(operation), by);
    return result;
  };
  return {
    ...engine,
    mlKem768: countedKem(engine.mlKem768, counted),
    mlDsa65: countedMlDsa(engine.mlDsa65, counted),
    ed25519: countedEd25519(engine.ed25519, counted),
  };
}

/** Made once an operation, because a verification is short enough to notice. */
function labelsOf(engine: EngineName, operation: Operation): { engine: string; operation: string } {
  return { engine, operation };
}

function countedKem(kem: CryptoEngine["mlKem768"], counted: Counted): CryptoEngine["mlKem768"] {
  return {
    generate(seed) {
      const pair = counted("ml-kem-768/generate", kem.generate(seed));
      return {
        encapsulationKey: pair.encapsulationKey,
        decapsulate: (text) => counted("ml-kem-768/decapsulate", pair.decapsulate(text)),
        destroy: () => pair.destroy(),
      };
    },
    encapsulate: (key, message) => counted("ml-kem-768/encapsulate", kem.encapsulate(key, message)),
  };
}

function countedMlDsa(mlDsa: CryptoEngine["mlDsa65"], counted: Counted): CryptoEngine["mlDsa65"] {
  return {
    signer(seed) {
      const signer = counted("ml-dsa-65/load", mlDsa.signer(seed));
      return {
        publicKey: signer.publicKey,
        sign: (message, context, randomizer) =>
          counted("ml-dsa-65/sign", signer.sign(message, context, randomizer)),
        destroy: () => signer.destroy(),
      };
    },
    verify: (key, message, signature, context) =>
      counted("ml-dsa-65/verify", mlDsa.verify(key, message, signature, context)),
    verifyBatch: (jobs) => counted("ml-dsa-65/verify", mlDsa.verifyBatch(jobs), jobs.length),
  };
}

function countedEd25519(
  ed25519: CryptoEngine["ed25519"],
  counted: Counted,
): CryptoEngine["ed25519"] {
  return {
    signer(seed) {
      const signer = counted("ed25519/load", ed25519.signer(seed));
      return {
        publicKey: signer.publicKey,
        sign: (message) => counted("ed25519/sign", signer.sign(message)),
        destroy: () => signer.destroy(),
      };
    },
    verify: (key, message, signature) =>
      counted("ed25519/verify", ed25519.verify(key, message, signature)),
  };
}
