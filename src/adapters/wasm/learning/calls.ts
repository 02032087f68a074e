// Calls of kernels as plain data, so that the same list runs here or in a thread.

import type { LearningExports } from "./instance.ts";

/** A kernel's name and its arguments. */
export type KernelCall = readonly [
  name: Exclude<keyof LearningExports, "canonical" | "dequantise" | "dequantiseHalves">,
  ...addressesAndCounts: number[],
];

/** What a thread does for one request. */
export interface ThreadRequest {
  readonly module: object;
  /** A shared `WebAssembly.Memory`. */
  readonly memory: object;
  readonly calls: readonly KernelCall[];
}

/** Makes the calls, in their order. */
export function makeCalls(exports: LearningExports, calls: readonly KernelCall[]): void {
  for (const [name, ...args] of calls) exports[name](...args);
}
