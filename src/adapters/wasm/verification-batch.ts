// Verifications that wait in wasm memory for one call of the kernels, which does them all.

import { ML_DSA_65 } from "../../crypto/index.ts";
import { assert } from "../../foundation/index.ts";
import type { Kernels } from "./kernels.ts";

/** Most verifications of one call: the call is a small part of even one, so more would only take memory. */
const JOBS_MAX = 16;
/** wasm/ml-dsa/verify.ts: the addresses of key, mu and signature, and the answer. */
const JOB_BYTES = 16;
const ANSWER_OFFSET = 12;
const MU_BYTES = 64;

/** Up to {@link JOBS_MAX} verifications. */
export class VerificationBatch {
  readonly #kernels: Kernels;
  readonly #jobs: number;
  readonly #mus: number;
  readonly #signatures: number;
  /** For each job, where its answer goes. */
  readonly #places: number[] = [];

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#jobs = kernels.reserve(JOBS_MAX * JOB_BYTES);
    this.#mus = kernels.reserve(JOBS_MAX * MU_BYTES);
    this.#signatures = kernels.reserve(JOBS_MAX * ML_DSA_65.signatureBytes);
  }

  get full(): boolean {
    return this.#places.length === JOBS_MAX;
  }

  clear(): void {
    this.#places.length = 0;
  }

  /**
   * Takes a verification whose answer goes to `place`; gives the address of the 64 bytes where its mu is to be written before `run`.
   * `key` is the address of the prepared key, which must stay there until then.
   */
  add(job: {
    readonly place: number;
    readonly key: number;
    readonly signature: Uint8Array;
  }): number {
    assert(!this.full, "a batch of verifications is run when it is full");
    const index = this.#places.length;
    const mu = this.#mus + index * MU_BYTES;
    const signature = this.#signatures + index * ML_DSA_65.signatureBytes;
    this.#kernels.write(signature, job.signature);
    this.#kernels.writeWords(this.#jobs + index * JOB_BYTES, job.key, mu, signature, 0);
    this.#places.push(job.place);
    return mu;
  }

  /** Verifies what was added, writes the answers to their places and is empty again. */
  run(valid: boolean[]): void {
    this.#kernels.exports.mlDsaVerifyBatch(this.#jobs, this.#places.length);
    for (const [index, place] of this.#places.entries()) {
      valid[place] = this.#kernels.memory[this.#jobs + index * JOB_BYTES + ANSWER_OFFSET] === 1;
    }
    this.clear();
  }
}
