// Compiles kernels that come out of the bundle itself as base64, so that no file path is involved, after their bytes were checked against
// the digest baked in beside them.

import { hash } from "node:crypto";
import { ok, type Result, refuse } from "../../foundation/index.ts";

/** The bytes and the digest they must have. */
export interface KernelsBinary {
  readonly base64: string;
  readonly sha256: string;
}

/** Shared or not; the typed arrays over it are dead, or end too early, after the next `grow`. */
export interface WasmMemory<Bytes extends ArrayBufferLike> {
  readonly buffer: Bytes;
  /** @throws RangeError when the host has no more, or the maximum is reached */
  grow(pages: number): number;
}

/** What is used of WebAssembly's interface, which TypeScript declares for browsers alone. */
interface WebAssemblyFace {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  readonly Memory: new (limits: object) => WasmMemory<SharedArrayBuffer>;
  /** A subclass of Error. */
  readonly CompileError: new () => Error;
}

export const PAGE_BYTES = 65_536;

/**
 * Why kernels cannot run: `damaged` when the bytes are not those that were built (detail: their digest), `unavailable` when this host runs no
 * WebAssembly with what they need.
 */
export type CompileFailure = "damaged" | "unavailable";

/** A compiled module. */
export function compileKernels({ base64, sha256 }: KernelsBinary): Result<object, CompileFailure> {
  const binary = Buffer.from(base64, "base64");
  const digest = hash("sha256", binary);
  if (digest !== sha256) return refuse("damaged", digest);
  const face = webAssembly();
  if (face === undefined) return refuse("unavailable", "WebAssembly is switched off");
  try {
    return ok(new face.Module(binary));
  } catch (cause) {
    // The digest is right, so what is refused is a feature: 128-bit SIMD is the newest that the kernels need.
    if (cause instanceof face.CompileError) return refuse("unavailable", "no 128-bit SIMD");
    throw cause;
  }
}

/** An instance of a compiled module: its exports. */
export function instantiate(module: object, imports: object = {}): object {
  const face = webAssembly();
  if (face === undefined) throw new TypeError("a module was compiled without WebAssembly");
  return new face.Instance(module, imports).exports;
}

/** Memory that threads can share, of no pages yet. */
export function sharedMemory(pagesMax: number): WasmMemory<SharedArrayBuffer> {
  const face = webAssembly();
  if (face === undefined) throw new TypeError("memory is wanted without WebAssembly");
  return new face.Memory({ initial: 0, maximum: pagesMax, shared: true });
}

function webAssembly(): WebAssemblyFace | undefined {
  return (globalThis as unknown as { WebAssembly?: WebAssemblyFace }).WebAssembly;
}
