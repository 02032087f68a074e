// The wasm kernels under test: compiled from their sources for the run, and called through their raw exports.

import { createHash } from "node:crypto";

type Exports = Readonly<Record<string, unknown>>;
type RawCall = (...values: number[]) => number;

/** What is used of WebAssembly's interface, which TypeScript declares for browsers alone. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { instantiate(binary: Uint8Array): Promise<{ instance: { exports: Exports } }> };
};

const built = (await import(
  new URL("../../../packaging/build-wasm.mjs", import.meta.url).href
)) as {
  buildWasm(options?: {
    entry?: string;
    source?: string;
  }): Promise<{ binary: Uint8Array; text: string }>;
};

/** The whole module as WebAssembly text. */
export const builtText = async (): Promise<string> => (await built.buildWasm()).text;

/** An instance and a bump allocator over its memory; a test run frees nothing. */
export class Kernels {
  readonly #exports: Exports;
  readonly #memory: Memory;
  #next: number;

  private constructor(exports: Exports) {
    this.#exports = exports;
    this.#memory = exports["memory"] as Memory;
    this.#next = this.call("heapBase");
  }

  /** The whole module, or a probe: an entry given as AssemblyScript text that must export `heapBase`. */
  static async load(source?: string): Promise<Kernels> {
    const options = source === undefined ? {} : { entry: "probe.ts", source };
    const { binary } = await built.buildWasm(options);
    const { instance } = await WebAssembly.instantiate(new Uint8Array(binary));
    return new Kernels(instance.exports);
  }

  /** Reserves `length` bytes at a multiple of 16. */
  reserve(length: number): number {
    const pointer = Math.ceil(this.#next / 16) * 16;
    this.#next = pointer + length;
    const missing = this.#next - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / 65_536));
    return pointer;
  }

  raw(name: string): RawCall {
    return this.#exports[name] as RawCall;
  }

  call(name: string, ...values: number[]): number {
    return this.raw(name)(...values);
  }

  constant(name: string): number {
    return (this.#exports[name] as { value: number }).value;
  }

  write(pointer: number, bytes: Uint8Array): void {
    new Uint8Array(this.#memory.buffer).set(bytes, pointer);
  }

  read(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer).slice(pointer, pointer + length);
  }

  words(pointer: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, pointer, length);
  }
}

const MESSAGE_BYTES_MAX = 131_072;
const none = new Uint8Array(0);

/** ML-DSA-65 over the raw exports, one buffer each. */
export class MlDsaKernels {
  readonly kernels: Kernels;
  readonly signingKey: number;
  readonly verificationKey: number;
  readonly mu: number;
  readonly signature: number;
  readonly random: number;
  readonly publicKey: number;
  readonly expandedKey: number;
  readonly #seed: number;
  readonly #context: number;
  readonly #message: number;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
    const reserve = (name: string): number => kernels.reserve(kernels.constant(name));
    this.signingKey = reserve("ML_DSA_SIGNING_KEY_BYTES");
    this.verificationKey = reserve("ML_DSA_VERIFICATION_KEY_BYTES");
    this.publicKey = reserve("ML_DSA_PUBLIC_KEY_BYTES");
    this.expandedKey = reserve("ML_DSA_EXPANDED_KEY_BYTES");
    this.signature = reserve("ML_DSA_SIGNATURE_BYTES");
    this.mu = reserve("ML_DSA_MU_BYTES");
    this.random = kernels.reserve(32);
    this.#seed = kernels.reserve(32);
    this.#context = kernels.reserve(256);
    this.#message = kernels.reserve(MESSAGE_BYTES_MAX);
  }

  /** Prepares the signing key of a seed; gives the public key and the expanded encoding. */
  fromSeed(seed: Uint8Array): { publicKey: Uint8Array; expandedKey: Uint8Array } {
    const { kernels } = this;
    kernels.write(this.#seed, seed);
    kernels.call(
      "mlDsaPrepareSigningKey",
      this.signingKey,
      this.#seed,
      this.publicKey,
      this.expandedKey,
    );
    return {
      publicKey: kernels.read(this.publicKey, 1952),
      expandedKey: kernels.read(this.expandedKey, 4032),
    };
  }

  fromExpanded(expandedKey: Uint8Array): boolean {
    this.kernels.write(this.expandedKey, expandedKey);
    return this.kernels.call("mlDsaPrepareExpandedKey", this.signingKey, this.expandedKey) === 1;
  }

  fromPublicKey(publicKey: Uint8Array): void {
    this.kernels.write(this.publicKey, publicKey);
    this.kernels.call("mlDsaPrepareVerificationKey", this.verificationKey, this.publicKey);
  }

  /** mu under the prepared signing or verification key, left in place for `sign` and `verify`. */
  #mu(tr: number, message: Uint8Array, context: Uint8Array | "internal"): void {
    if (message.length > MESSAGE_BYTES_MAX) throw new RangeError("the message is too long");
    this.kernels.write(this.#message, message);
    if (context === "internal") {
      this.kernels.call("mlDsaMuInternal", this.mu, tr, this.#message, message.length);
      return;
    }
    this.kernels.write(this.#context, context);
    this.kernels.call(
      "mlDsaMu",
      this.mu,
      tr,
      this.#context,
      context.length,
      this.#message,
      message.length,
    );
  }

  signMu(mu: Uint8Array, random: Uint8Array): Uint8Array {
    this.kernels.write(this.mu, mu);
    return this.#sign(random);
  }

  sign(
    message: Uint8Array,
    context: Uint8Array | "internal" = none,
    random = new Uint8Array(32),
  ): Uint8Array {
    const tr = this.signingKey + this.kernels.constant("ML_DSA_SIGNING_KEY_TR");
    this.#mu(tr, message, context);
    return this.#sign(random);
  }

  #sign(random: Uint8Array): Uint8Array {
    this.kernels.write(this.random, random);
    const rounds = this.kernels.call(
      "mlDsaSign",
      this.signingKey,
      this.mu,
      this.random,
      this.signature,
    );
    if (rounds === 0) throw new Error("signing gave up");
    return this.kernels.read(this.signature, 3309);
  }

  verifyMu(mu: Uint8Array, signature: Uint8Array): boolean {
    this.kernels.write(this.mu, mu);
    return this.#verify(signature);
  }

  verify(
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array | "internal" = none,
  ): boolean {
    const tr = this.verificationKey + this.kernels.constant("ML_DSA_VERIFICATION_KEY_TR");
    this.#mu(tr, message, context);
    return this.#verify(signature);
  }

  #verify(signature: Uint8Array): boolean {
    this.kernels.write(this.signature, signature);
    const { verificationKey, mu } = this;
    return this.kernels.call("mlDsaVerify", verificationKey, mu, this.signature) === 1;
  }
}

/** SHA-256 of bytes as hex. */
export const sha256Hex = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");
