// Threads for the kernels that take long: the Gram matrix and the median of many rows. They work in the store's own memory, each on rows or tiles
// that no other writes, so nothing is copied and the result has the same bits whatever their number.

import { availableParallelism } from "node:os";
import { assert, MeshError } from "../../../foundation/index.ts";
import type { LearningErrorCode } from "../../../learning/index.ts";
import { countAsWork } from "../../heap-size.ts";
import { startWorker } from "../../workers/start-worker.ts";
import type { KernelCall, ThreadRequest } from "./calls.ts";

/** What is used of a `Worker`. */
export interface KernelWorker {
  on(event: "message" | "exit", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  postMessage(request: ThreadRequest): void;
  terminate(): Promise<unknown>;
}

export interface KernelThreadsOptions {
  /**
   * How many, >= 1.
   * @default os.availableParallelism()
   */
  readonly count?: number;
  /** @default kernel-worker.ts in a `Worker` */
  readonly start?: () => KernelWorker;
}

interface Pending {
  /** Threads that are not done. */
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class KernelThreads {
  readonly count: number;
  readonly #start: () => KernelWorker;
  #workers: KernelWorker[] = [];
  /** The request under way. */
  #pending: Pending | undefined;

  /** Starts no thread yet. Threads that were started keep the process running until `stop`. */
  constructor({ count = availableParallelism(), start = startThread }: KernelThreadsOptions = {}) {
    assert(Number.isInteger(count) && count >= 1, "there is a thread");
    this.count = count;
    this.#start = start;
  }

  /**
   * Makes the calls of each list in a thread of its own; one request at a time.
   * @throws MeshError (as a rejection) `learning/threads-failed`: a thread ended, or `stop` was called; the results are not to be used, and the
   * next request begins new threads
   */
  run(
    request: Omit<ThreadRequest, "calls">,
    lists: readonly (readonly KernelCall[])[],
  ): Promise<void> {
    assert(this.#pending === undefined, "one request at a time");
    assert(lists.length >= 1 && lists.length <= this.count, "there is a thread for each list");
    return new Promise((resolve, reject) => {
      this.#pending = { left: lists.length, resolve, reject };
      while (this.#workers.length < lists.length) this.#workers.push(this.#begin());
      for (const [i, calls] of lists.entries()) {
        this.#workers[i]?.postMessage({ ...request, calls });
      }
    });
  }

  /** Ends the threads, and the request under way. Idempotent. */
  async stop(): Promise<void> {
    await this.#end();
  }

  /** The request is settled when no thread writes any more. */
  async #end(cause?: unknown): Promise<void> {
    const [workers, pending] = [this.#workers, this.#pending];
    this.#workers = [];
    this.#pending = undefined;
    await Promise.all(workers.map((worker) => worker.terminate()));
    pending?.reject(failed(cause));
  }

  #begin(): KernelWorker {
    const worker = this.#start();
    const ended = (cause?: unknown): void => {
      if (this.#workers.includes(worker)) void this.#end(cause);
    };
    worker.on("message", () => {
      if (this.#workers.includes(worker)) this.#made();
    });
    worker.on("error", ended);
    worker.on("exit", () => {
      ended();
    });
    return worker;
  }

  #made(): void {
    if (this.#pending === undefined || --this.#pending.left > 0) return;
    this.#pending.resolve();
    this.#pending = undefined;
  }
}

function startThread(): KernelWorker {
  const worker = startWorker(new URL("./kernel-worker.ts", import.meta.url), { name: "kernels" });
  countAsWork(worker);
  return worker;
}

function failed(cause: unknown): MeshError<LearningErrorCode> {
  return new MeshError(
    "learning/threads-failed",
    "Cannot aggregate in threads: one of them ended. Try again; new ones start.",
    {},
    { cause },
  );
}
