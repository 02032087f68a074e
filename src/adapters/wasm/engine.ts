// The engine "wasm": ML-KEM-768 and ML-DSA-65 in the AssemblyScript kernels of wasm/, with prepared keys (design, section 4).
//
// Ed25519, SHA-512 and the SHA-256 of anything long are node:crypto's: OpenSSL has all three in assembly, a mesh spends little time on the
// first two, and the classical half of every hybrid stays independent of our code. No operation of the kernels is left to another engine:
// measured on one core in one run against OpenSSL 3.5's, keys prepared where they can be, they take a half (ML-KEM key generation and
// encapsulation), a quarter (decapsulation), a sixth (signing) and a tenth (verification) of the time.

import type { CryptoEngine } from "../../crypto/index.ts";
import type { Meter, Random } from "../../ports/index.ts";
import { createClassicalAlgorithms } from "../crypto/native.ts";
import { type Kernels, loadKernels } from "./kernels.ts";
import { createWasmMlDsa } from "./ml-dsa.ts";
import { createWasmKem } from "./ml-kem.ts";
import { createWasmSha256, createWasmSha256Batch } from "./sha256.ts";

export interface WasmEngineDeps {
  /** Draws keys, encapsulations and the hedge of signatures. */
  readonly random: Random;
  /** Counts uses and evictions of prepared keys. */
  readonly meter?: Meter;
  /** @default the built-in ones */
  readonly kernels?: Kernels;
}

/** All of them: more saves time, less saves memory. What a set cannot hold is prepared again at its next use. */
export interface WasmEngineOptions {
  /**
   * Most verification keys held prepared, 36 KiB each and reserved only as keys come. Below the number of peers in a zone every
   * verification prepares its key again, which takes longer than the verification itself.
   * @default 512
   */
  readonly verificationKeysMax?: number;
  /**
   * Most signing keys held prepared, 47 KiB each. A node has one of its own, an issuer two more.
   * @default 8
   */
  readonly signingKeysMax?: number;
  /**
   * Most decapsulation keys held prepared, 8 KiB each: handshakes under way.
   * @default 64
   */
  readonly decapsulationKeysMax?: number;
}

/**
 * Makes the engine.
 * @throws MeshError `crypto/engine-unavailable` without WebAssembly SIMD, `crypto/self-test-failed` when the kernels' digest is wrong
 */
export function createWasmEngine(
  deps: WasmEngineDeps,
  options: WasmEngineOptions = {},
): CryptoEngine {
  const { random, meter, kernels = loadKernels() } = deps;
  const { verificationKeysMax = 512, signingKeysMax = 8, decapsulationKeysMax = 64 } = options;
  const classical = createClassicalAlgorithms({ meter });
  return {
    name: "wasm",
    mlKem768: createWasmKem({ kernels, random, meter }, decapsulationKeysMax),
    mlDsa65: createWasmMlDsa({ kernels, random, meter }, { verificationKeysMax, signingKeysMax }),
    ...classical,
    sha256: createWasmSha256(kernels, classical.sha256),
    sha256Batch: createWasmSha256Batch(kernels, classical.sha256Batch),
  };
}
