// The learning kernels of this daemon: those of wasm/learning where they run and pass their self-test, else the plain ones, which give the same
// bits more slowly. Opened by the first task: a daemon that trains nothing needs no memory for them.

import { compileLearningKernels } from "../../adapters/wasm/learning/instance.ts";
import { openVectorKernels } from "../../adapters/wasm/learning/open-kernels.ts";
import { isMeshError, type MeshError } from "../../foundation/index.ts";
import { plainKernels, type VectorKernels } from "../../learning/index.ts";
import type { Logger } from "../../ports/index.ts";

export class LearningKernels {
  readonly #logger: Logger;
  readonly #compile: () => object;
  #opened: VectorKernels | undefined;
  #problem: MeshError | undefined;

  /** @param compile gives the module of the kernels; a test gives another */
  constructor(logger: Logger, compile: () => object = compileLearningKernels) {
    this.#logger = logger;
    this.#compile = compile;
  }

  /** Why the plain kernels are in use; undefined when they are not, or nothing was opened yet. */
  get problem(): MeshError | undefined {
    return this.#problem;
  }

  /** The kernels to use. */
  open(): VectorKernels {
    this.#opened ??= this.#choose();
    return this.#opened;
  }

  #choose(): VectorKernels {
    try {
      return openVectorKernels(this.#compile);
    } catch (error) {
      if (!isMeshError(error, "learning/kernels-unavailable")) throw error;
      this.#problem = error;
      this.#logger.warn({ code: error.code, ...error.details }, "learning uses plain kernels");
      return plainKernels;
    }
  }
}
