// The kernels of wasm/ as one instance with its memory. The bytes come out of the bundle itself (module.ts), so no file path is involved,
// and are checked against the digest baked in beside them before anything of them is compiled.
//
// Memory above the module's own is handed out once and never taken back: buffers when the engine is made, slots as keys need them
// (prepared-keys.ts). That is all the allocation there is.

import { hash } from "node:crypto";
import type { CryptoErrorCode } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import { kernelsBase64, kernelsSha256 } from "./module.ts";

/** What is used of WebAssembly's interface, which TypeScript declares for browsers alone. */
interface Memory {
  readonly buffer: ArrayBuffer;
  /** @throws RangeError when the host has no more, or the module's maximum (256 MiB) is reached */
  grow(pages: number): number;
}
interface WebAssemblyFace {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  /** A subclass of Error. */
  readonly CompileError: new () => Error;
}
interface Global {
  readonly value: number;
}

/** The exports that the engine uses; arguments are addresses and lengths in bytes. Documented where they are written, in wasm/. */
interface KernelExports {
  readonly memory: Memory;
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

const PAGE_BYTES = 65_536;
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

/** The bytes and the digest they must have; the built-in ones unless a test gives others. */
export interface KernelsBinary {
  readonly base64: string;
  readonly sha256: string;
}

/**
 * Compiles and instantiates the kernels.
 * @throws MeshError `crypto/self-test-failed` when the bytes are not those that were built,
 * `crypto/engine-unavailable` when this host runs no WebAssembly with 128-bit SIMD
 */
export function loadKernels(
  { base64, sha256 }: KernelsBinary = { base64: kernelsBase64, sha256: kernelsSha256 },
): Kernels {
  const binary = Buffer.from(base64, "base64");
  const digest = hash("sha256", binary);
  if (digest !== sha256) {
    throw new MeshError<CryptoErrorCode>(
      "crypto/self-test-failed",
      `Cannot trust the crypto engine 'wasm': its kernels have the SHA-256 ${digest}, not ${sha256}. Reinstall the package.`,
      { engine: "wasm", algorithm: "kernels", check: "digest" },
    );
  }
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: WebAssemblyFace };
  if (WebAssembly === undefined) throw unavailable("WebAssembly is switched off");
  let module: object;
  try {
    module = new WebAssembly.Module(binary);
  } catch (cause) {
    // The digest is right, so what is refused is a feature: 128-bit SIMD is all that the kernels need beyond the first version.
    if (cause instanceof WebAssembly.CompileError) throw unavailable("no 128-bit SIMD", cause);
    throw cause;
  }
  return new Kernels(new WebAssembly.Instance(module, {}).exports as KernelExports);
}

function unavailable(reason: string, cause?: unknown): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/engine-unavailable",
    `Cannot use the engine 'wasm': ${reason} on this host. Choose the engine 'native' or 'auto'.`,
    { reason },
    { cause },
  );
}
