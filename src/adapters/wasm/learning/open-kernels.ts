// The learning kernels, tested on this host before anything is computed with them.

import { plainKernels, selfTestKernels, type VectorKernels } from "../../../learning/index.ts";
import { compileLearningKernels } from "./instance.ts";
import { createWasmVectorKernels } from "./vector-kernels.ts";

/**
 * Opens the kernels of wasm/learning over memory of their own.
 * @param compile gives the module; a test gives another
 * @throws MeshError `learning/kernels-unavailable`: the plain kernels give the same bits, more slowly
 */
export function openVectorKernels(compile: () => object = compileLearningKernels): VectorKernels {
  const kernels = createWasmVectorKernels(compile());
  selfTestKernels(kernels, plainKernels);
  return kernels;
}
