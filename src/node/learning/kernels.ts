// The learning kernels of this daemon: those of wasm/learning where they run and pass their self-test, else the plain ones, which give the same
// bits more slowly. Opened by the first task: a daemon that trains nothing needs no memory for them.

import { compileLearningKernels } from "../../adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../../adapters/wasm/learning/vector-kernels.ts";
import { isMeshError, type MeshError } from "../../foundation/index.ts";
import { plainKernels, selfTestKernels, type VectorKernels } from "../../learning/index.ts";
import type { Logger } from "../../ports/index.ts";

interface OpenedKernels {
  readonly kernels: VectorKernels;
  readonly module: object | undefined;
}

export class LearningKernels {
  readonly #logger: Logger;
  readonly #compile: () => object;
  #opened: OpenedKernels | undefined;
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
    return this.#open().kernels;
  }

  /** The tested module, for threads that make kernels of their own from it; `undefined`: use the plain ones. */
  module(): object | undefined {
    return this.#open().module;
  }

  #open(): OpenedKernels {
    this.#opened ??= this.#choose();
    return this.#opened;
  }

  #choose(): OpenedKernels {
    try {
      const module = this.#compile();
      const kernels = createWasmVectorKernels(module);
      selfTestKernels(kernels, plainKernels);
      return { kernels, module };
    } catch (error) {
      if (!isMeshError(error, "learning/kernels-unavailable")) throw error;
      this.#problem = error;
      this.#logger.warn({ code: error.code, ...error.details }, "learning uses plain kernels");
      return { kernels: plainKernels, module: undefined };
    }
  }
}
