// The kernels of wasm/ as one instance with its memory. compile.ts checks their bytes before anything of them is compiled.
//
// Memory above the module's own is handed out once and never taken back: buffers when the engine is made, slots as keys need them
// (prepared-keys.ts). That is all the allocation there is.

import type { CryptoErrorCode } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import {
  compileKernels,
  instantiate,
  type KernelsBinary,
  PAGE_BYTES,
  type WasmMemory,
} from "./compile.ts";
import { kernelsBase64, kernelsSha256 } from "./module.ts";

interface Global {
  readonly value: number;
}

/** The exports that the engine uses; arguments are addresses and lengths in bytes. Documented where they are written, in wasm/. */
interface KernelExports {
  /** Grows up to the module's maximum, 256 MiB. */
  readonly memory: WasmMemory<ArrayBuffer>;
  heapBase(): number;
  spongeInit(sponge: number): void;
  spongeAbsorb(sponge: number, rate: number, input: number, length: number): void;
  spongeFinish(sponge: number, rate: number, suffix: number): void;
  spongeSqueeze(sponge: number, rate: number, output: number, length: number): void;
  readonly SPONGE_BYTES: Global;
  readonly RATE_SHAKE256: Global;
  readonly SUFFIX_SHAKE: Global;
  sha256(out: number, input: number, length: number): void;
  sha256Batch(out: number, input: number, stride: number, length: number, count: number): void;
  readonly SHA256_BATCH_BYTES_MAX: Global;
  mlKem768Keygen(ek: number, dk: number, prepared: number, seed: number): void;
  /** 0, or the code of a key whose coefficients are not reduced. */
  mlKem768Encapsulate(ct: number, secret: number, ek: number, m: number): number;
  mlKem768Decapsulate(secret: number, prepared: number, ct: number): void;
  readonly ML_KEM_OK: Global;
  readonly ML_KEM_PREPARED_BYTES: Global;
  mlDsaPrepareVerificationKey(slot: number, publicKey: number): void;
  mlDsaPrepareSigningKey(slot: number, seed: number, publicKey: number, expandedKey: number): void;
  mlDsaSign(key: number, mu: number, random: number, signature: number): number;
  mlDsaVerify(key: number, mu: number, signature: number): number;
  /** Jobs of four words: key, mu, signature, answer. */
  mlDsaVerifyBatch(jobs: number, count: number): number;
  readonly ML_DSA_VERIFICATION_KEY_BYTES: Global;
  readonly ML_DSA_VERIFICATION_KEY_TR: Global;
  readonly ML_DSA_SIGNING_KEY_BYTES: Global;
  readonly ML_DSA_SIGNING_KEY_TR: Global;
}

/** v128 loads are fastest at multiples of their size, and prepared keys demand it. */
const ALIGNMENT = 16;

/** An instance and its memory. Addresses are byte offsets; every copy in or out goes through here. */
export class Kernels {
  readonly exports: KernelExports;
  #next: number;
  #bytes: Uint8Array;

  constructor(exports: KernelExports) {
    this.exports = exports;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#next = exports.heapBase();
  }

  /** All of the memory; the array is dead after the next `reserve`. */
  get memory(): Uint8Array {
    return this.#bytes;
  }

  /**
   * The address of `length` fresh bytes, zeroed and aligned for v128.
   * @throws RangeError when memory cannot grow; nothing is reserved then
   */
  reserve(length: number): number {
    const address = Math.ceil(this.#next / ALIGNMENT) * ALIGNMENT;
    const missing = address + length - this.#bytes.length;
    if (missing > 0) {
      this.exports.memory.grow(Math.ceil(missing / PAGE_BYTES));
      this.#bytes = new Uint8Array(this.exports.memory.buffer);
    }
    this.#next = address + length;
    return address;
  }

  write(address: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, address);
  }

  /** Words of 32 bits, in wasm's order of bytes. */
  writeWords(address: number, ...words: readonly number[]): void {
    const view = new DataView(this.#bytes.buffer);
    for (const [i, word] of words.entries()) view.setUint32(address + 4 * i, word, true);
  }

  /** A copy. */
  read(address: number, length: number): Uint8Array {
    return this.#bytes.slice(address, address + length);
  }

  wipe(address: number, length: number): void {
    this.#bytes.fill(0, address, address + length);
  }
}

/**
 * Compiles and instantiates the kernels.
 * @param binary the built-in ones unless a test gives others
 * @throws MeshError `crypto/self-test-failed` when the bytes are not those that were built,
 * `crypto/engine-unavailable` when this host runs no WebAssembly with 128-bit SIMD
 */
export function loadKernels(
  binary: KernelsBinary = { base64: kernelsBase64, sha256: kernelsSha256 },
): Kernels {
  const compiled = compileKernels(binary);
  if (compiled.ok) return new Kernels(instantiate(compiled.value) as KernelExports);
  const { code, detail = "" } = compiled;
  if (code === "unavailable") {
    throw new MeshError<CryptoErrorCode>(
      "crypto/engine-unavailable",
      `Cannot use the engine 'wasm': ${detail} on this host. Choose the engine 'native' or 'auto'.`,
      { reason: detail },
    );
  }
  throw new MeshError<CryptoErrorCode>(
    "crypto/self-test-failed",
    `Cannot trust the crypto engine 'wasm': its kernels have the SHA-256 ${detail}, not ${binary.sha256}. Reinstall the package.`,
    { engine: "wasm", algorithm: "kernels", check: "digest" },
  );
}
