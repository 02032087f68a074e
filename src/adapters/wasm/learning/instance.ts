// The learning kernels (wasm/learning) as an instance over memory of its own: never that of the crypto kernels, which holds keys.
//
// Each instance brings its memory, and gives it back as a whole when nobody holds the instance any more. Within it addresses are handed out
// upwards, and taken back by `reset` alone.

import { MeshError } from "../../../foundation/index.ts";
import type { LearningErrorCode } from "../../../learning/index.ts";
import {
  compileKernels,
  instantiate,
  type KernelsBinary,
  PAGE_BYTES,
  sharedMemory,
  type WasmMemory,
} from "../compile.ts";
import { kernelsBase64, kernelsSha256 } from "./module.ts";

/** A kernel: documented where it is written, in wasm/learning. */
export type Kernel = (...addressesAndCounts: number[]) => void;

/** What the module exports. */
export interface LearningExports {
  readonly canonical: (row: number) => number;
  readonly dequantise: (...addressesAndCounts: number[]) => number;
  readonly dequantiseHalves: (...addressesAndCounts: number[]) => number;
  readonly products: Kernel;
  readonly distances: Kernel;
  readonly int8Products: Kernel;
  readonly productsAgainst: Kernel;
  readonly int8ProductsAgainst: Kernel;
  readonly wideProductsAgainst: Kernel;
  readonly wideDistancesAgainst: Kernel;
  readonly weightedSum: Kernel;
  readonly int8WeightedSum: Kernel;
  readonly meanColumns: Kernel;
  readonly trimmedMean: Kernel;
  readonly widened: Kernel;
  readonly sketchTile: Kernel;
  readonly quantise: Kernel;
  readonly packHalves: Kernel;
}

/** Memory as the module declares it: 4 GiB of addresses. */
const PAGES_MAX = 65_536;
/** A vector of 128 bits begins at a multiple of its size. */
const ALIGNMENT = 16;

/**
 * Compiles the kernels.
 * @param binary the built-in ones unless a test gives others
 * @throws MeshError `learning/kernels-unavailable`
 */
export function compileLearningKernels(
  binary: KernelsBinary = { base64: kernelsBase64, sha256: kernelsSha256 },
): object {
  const compiled = compileKernels(binary);
  if (compiled.ok) return compiled.value;
  const { code, detail = "" } = compiled;
  throw new MeshError<LearningErrorCode>(
    "learning/kernels-unavailable",
    code === "damaged"
      ? `Cannot use the learning kernels: their SHA-256 is ${detail}, not ${binary.sha256}. Reinstall the package.`
      : `Cannot use the learning kernels: ${detail} on this host. Training goes on with plain ones, more slowly.`,
    { reason: code },
  );
}

/** One instance and its memory. */
export class LearningInstance {
  readonly exports: LearningExports;
  readonly memory: WasmMemory<SharedArrayBuffer>;
  #next = 0;

  /** @param module what {@link compileLearningKernels} gave */
  constructor(module: object) {
    this.memory = sharedMemory(PAGES_MAX);
    this.exports = instantiate(module, { env: { memory: this.memory } }) as LearningExports;
  }

  /**
   * The address of `length` bytes; what they hold is not said, but zero at first.
   * @throws RangeError when memory cannot grow; nothing is reserved then
   */
  reserve(length: number): number {
    const address = Math.ceil(this.#next / ALIGNMENT) * ALIGNMENT;
    const missing = address + length - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#next = address + length;
    return address;
  }

  /** Where the next address would be, to go back there. */
  get mark(): number {
    return this.#next;
  }

  /** Takes back all that was reserved since `mark`. */
  reset(mark = 0): void {
    this.#next = mark;
  }

  /** Views, dead after the next `reserve`. */
  bytes(address: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, count);
  }

  float32(address: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, count);
  }

  float64(address: number, count: number): Float64Array {
    return new Float64Array(this.memory.buffer, address, count);
  }

  words(address: number, count: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, count);
  }
}
