// Verifies batches of signatures: on the main thread, or, when the batch is large and there is a second core, in threads,
// which end again when no such batch has come for a while.

import { availableParallelism } from "node:os";
import { VerificationPool } from "../adapters/wasm/verification-pool.ts";
import type { CryptoEngine, MlDsaVerification } from "../crypto/index.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import type { Logger, Meter } from "../ports/index.ts";

/** From here on a batch takes the main thread for 2 ms with prepared keys and 7 ms with new ones. */
export const POOLED_JOBS_MIN = 128;
/** A thread holds some 10 MB: none is kept for the next partition. */
const IDLE_MS = 30_000;

export interface SignatureVerifierDeps {
  readonly engine: CryptoEngine;
  readonly logger: Logger;
  readonly meter: Meter;
  /** @default a {@link VerificationPool} of two threads at most; undefined with one core or another engine than wasm */
  readonly makePool?: (() => Pick<VerificationPool, "verify" | "stop">) | undefined;
}

export class SignatureVerifier {
  readonly #deps: SignatureVerifierDeps;
  #pool: Pick<VerificationPool, "verify" | "stop"> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(deps: SignatureVerifierDeps) {
    const { engine, meter } = deps;
    const cores = availableParallelism();
    const makePool =
      engine.name === "wasm" && cores > 1
        ? () => new VerificationPool({ meter }, { workers: Math.min(2, cores) })
        : undefined;
    this.#deps = { makePool, ...deps };
  }

  /** What the engine says of each job, in their order. Never rejects. */
  verify(jobs: readonly MlDsaVerification[]): boolean[] | Promise<boolean[]> {
    const { makePool, engine } = this.#deps;
    if (makePool === undefined || this.#stopped || jobs.length < POOLED_JOBS_MIN) {
      return engine.mlDsa65.verifyBatch(jobs);
    }
    this.#pool ??= makePool();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
    return this.#pool.verify(jobs).catch((error: unknown) => {
      this.#deps.logger.debug(
        { code: errorCode(error), error: errorMessage(error) },
        "signatures are verified on the main thread",
      );
      return engine.mlDsa65.verifyBatch(jobs);
    });
  }

  /** Ends the threads; later batches stay on the main thread. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.stop();
  }
}
