// ML-KEM-768 over the wasm kernels. A key pair is its 64-byte seed here and a prepared key in wasm memory; both are wiped by `destroy`.

import {
  badKeyError,
  destroyedError,
  type Kem,
  type KemKeyPair,
  ML_KEM_768,
  requireLength,
} from "../../crypto/index.ts";
import type { Meter, Random } from "../../ports/index.ts";
import type { Kernels } from "./kernels.ts";
import { PreparedKeys } from "./prepared-keys.ts";

const { seedBytes, encapsulationKeyBytes, ciphertextBytes, sharedSecretBytes, messageBytes } =
  ML_KEM_768;
/** FIPS 203 table 3. */
const DECAPSULATION_KEY_BYTES = 2400;

export interface WasmKemDeps {
  readonly kernels: Kernels;
  readonly random: Random;
  readonly meter: Meter | undefined;
}

/** Makes ML-KEM-768; at most `keysMax` decapsulation keys stay prepared. */
export function createWasmKem(deps: WasmKemDeps, keysMax: number): Kem {
  const work = new KemWork(deps, keysMax);
  return {
    generate(seed) {
      if (seed === undefined) return kemKeyPair(work, deps.random.bytes(seedBytes));
      requireLength("an ML-KEM-768 seed", seed, seedBytes);
      return kemKeyPair(work, new Uint8Array(seed));
    },
    encapsulate(encapsulationKey, message) {
      requireLength("an ML-KEM-768 encapsulation key", encapsulationKey, encapsulationKeyBytes);
      if (message !== undefined) requireLength("m", message, messageBytes);
      const m = message ?? deps.random.bytes(messageBytes);
      try {
        return work.encapsulate(encapsulationKey, m);
      } finally {
        if (message === undefined) m.fill(0);
      }
    },
  };
}

/** Takes the seed over. */
function kemKeyPair(work: KemWork, seed: Uint8Array): KemKeyPair {
  let live = true;
  return {
    encapsulationKey: work.generate(seed),
    decapsulate(ciphertext) {
      if (!live) throw destroyedError("an ML-KEM-768 key");
      requireLength("an ML-KEM-768 ciphertext", ciphertext, ciphertextBytes);
      return work.decapsulate(seed, ciphertext);
    },
    destroy() {
      live = false;
      work.release(seed);
      seed.fill(0);
    },
  };
}

/** Buffers in wasm memory and the prepared keys, by the array that holds their seed. Secrets leave the buffers before a call ends. */
class KemWork {
  readonly #kernels: Kernels;
  readonly #keys: PreparedKeys<Uint8Array>;
  readonly #seed: number;
  readonly #ek: number;
  readonly #dk: number;
  readonly #m: number;
  readonly #ct: number;
  readonly #secret: number;

  constructor({ kernels, meter }: WasmKemDeps, keysMax: number) {
    const slotBytes = kernels.exports.ML_KEM_PREPARED_BYTES.value;
    this.#kernels = kernels;
    this.#keys = new PreparedKeys(
      { kernels, meter },
      { kind: "decapsulation", slotBytes, keysMax },
    );
    this.#seed = kernels.reserve(seedBytes);
    this.#ek = kernels.reserve(encapsulationKeyBytes);
    this.#dk = kernels.reserve(DECAPSULATION_KEY_BYTES);
    this.#m = kernels.reserve(messageBytes);
    this.#ct = kernels.reserve(ciphertextBytes);
    this.#secret = kernels.reserve(sharedSecretBytes);
  }

  /** Prepares the key of a seed; gives its encapsulation key. */
  generate(seed: Uint8Array): Uint8Array {
    this.#prepared(seed);
    return this.#kernels.read(this.#ek, encapsulationKeyBytes);
  }

  decapsulate(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    const prepared = this.#prepared(seed);
    this.#kernels.write(this.#ct, ciphertext);
    this.#kernels.exports.mlKem768Decapsulate(this.#secret, prepared, this.#ct);
    return this.#takeSecret();
  }

  encapsulate(
    encapsulationKey: Uint8Array,
    m: Uint8Array,
  ): { ciphertext: Uint8Array; sharedSecret: Uint8Array } {
    const { exports } = this.#kernels;
    this.#kernels.write(this.#ek, encapsulationKey);
    this.#kernels.write(this.#m, m);
    const code = exports.mlKem768Encapsulate(this.#ct, this.#secret, this.#ek, this.#m);
    this.#kernels.wipe(this.#m, messageBytes);
    if (code !== exports.ML_KEM_OK.value) {
      throw badKeyError("the ML-KEM-768 encapsulation key", new RangeError("a coefficient >= q"));
    }
    const ciphertext = this.#kernels.read(this.#ct, ciphertextBytes);
    return { ciphertext, sharedSecret: this.#takeSecret() };
  }

  release(seed: Uint8Array): void {
    this.#keys.release(seed);
  }

  #takeSecret(): Uint8Array {
    const secret = this.#kernels.read(this.#secret, sharedSecretBytes);
    this.#kernels.wipe(this.#secret, sharedSecretBytes);
    return secret;
  }

  #prepared(seed: Uint8Array): number {
    return this.#keys.get(seed, (slot) => {
      this.#kernels.write(this.#seed, seed);
      this.#kernels.exports.mlKem768Keygen(this.#ek, this.#dk, slot, this.#seed);
      this.#kernels.wipe(this.#seed, seedBytes);
      this.#kernels.wipe(this.#dk, DECAPSULATION_KEY_BYTES);
    });
  }
}
