// A bounded least-recently-used cache of imported public keys: a mesh verifies the same few hundred keys
// again and again, and importing one costs a good part of a verification.

import { createPublicKey, type KeyObject } from "node:crypto";
import type { Meter } from "../../ports/index.ts";

export interface PublicKeyCacheOptions {
  readonly algorithm: "ml-dsa-65" | "ed25519";
  /** Most keys held, >= 1; when full, the one used longest ago goes. */
  readonly keysMax: number;
  readonly meter?: Meter | undefined;
}

/** Imported keys by their raw bytes. Keys that fail to import are not remembered. */
export class PublicKeyCache {
  // A Map iterates in insertion order, so the first entry is the one used longest ago.
  readonly #keys = new Map<string, KeyObject>();
  readonly #options: PublicKeyCacheOptions;

  constructor(options: PublicKeyCacheOptions) {
    this.#options = options;
  }

  /** How many keys are held. */
  get size(): number {
    return this.#keys.size;
  }

  /**
   * The key object of raw public key bytes.
   * @throws Error of node:crypto when the bytes are no key
   */
  get(raw: Uint8Array): KeyObject {
    const id = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString("latin1");
    const held = this.#keys.get(id);
    if (held !== undefined) {
      this.#keys.delete(id);
      this.#keys.set(id, held);
      return held;
    }
    return this.#import(id, raw);
  }

  #import(id: string, raw: Uint8Array): KeyObject {
    const { algorithm, keysMax, meter } = this.#options;
    const key = importPublicKey(raw, algorithm);
    meter?.count("meshd_crypto_public_key_imports_total", { algorithm });
    this.#keys.set(id, key);
    if (this.#keys.size > keysMax) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
      meter?.count("meshd_crypto_public_key_evictions_total", { algorithm });
    }
    return key;
  }
}

/**
 * Imports raw public key bytes.
 * @throws Error of node:crypto when the bytes are no key of the algorithm
 */
export function importPublicKey(
  raw: Uint8Array,
  algorithm: "ml-dsa-65" | "ed25519" | "ml-kem-768",
): KeyObject {
  return createPublicKey({
    key: Buffer.from(raw),
    format: "raw-public",
    asymmetricKeyType: algorithm,
  });
}
