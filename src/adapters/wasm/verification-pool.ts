// ML-DSA-65 verification in threads, so that a burst of beacons neither waits for one core nor holds up the event loop.
//
// Each thread has its own wasm instance and its own ring of jobs (job-ring.ts). A key goes to the same thread each time, where it is prepared,
// unless that one is well behind the others. A thread starts with its first job; one that fails takes its jobs with it and starts anew with
// the next, so threads that cannot run at all cost one start a request and no more.

import { availableParallelism } from "node:os";
import { type CryptoErrorCode, ML_DSA_65, type MlDsaVerification } from "../../crypto/index.ts";
import { assert, MeshError } from "../../foundation/index.ts";
import type { Meter } from "../../ports/index.ts";
import { startWorker } from "../workers/start-worker.ts";
import { createRingMemory, type RingLimit, type RingMemory, RingProducer } from "./job-ring.ts";

/** A thread so many jobs ahead of another is relieved: about what preparing six keys takes. */
const LEAD_MAX = 32;

/** What the pool uses of a `Worker`. */
export interface PoolWorker {
  on(event: "message" | "exit", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  terminate(): Promise<unknown>;
}

export interface VerificationPoolDeps {
  /** Counts refusals and failures. */
  readonly meter?: Meter;
  /**
   * Starts a thread.
   * @default verification-worker.ts in a `Worker`
   */
  readonly startWorker?: (memory: RingMemory) => PoolWorker;
}

export interface VerificationPoolOptions {
  /**
   * How many threads, >= 1.
   * @default os.availableParallelism()
   */
  readonly workers?: number;
  /**
   * Most jobs that wait for one thread. At 15 microseconds each, 1024 of them take 15 ms.
   * @default 1024
   */
  readonly jobsMax?: number;
  /**
   * Most bytes of jobs that wait for one thread; a job has 5261 and its message and context.
   * @default 8 MiB
   */
  readonly bytesMax?: number;
}

export class VerificationPool {
  readonly #meter: Meter | undefined;
  readonly #lanes: readonly Lane[];
  #stopped = false;

  /** Starts no thread yet. Threads that were started keep the process running until `stop`. */
  constructor(deps: VerificationPoolDeps = {}, options: VerificationPoolOptions = {}) {
    const { meter, startWorker = startThread } = deps;
    const {
      workers = availableParallelism(),
      jobsMax = 1024,
      bytesMax = 8 * 1024 * 1024,
    } = options;
    assert(Number.isInteger(workers) && workers >= 1, "a pool has a thread");
    this.#meter = meter;
    const start = (): PoolThread => {
      const memory = createRingMemory({ jobsMax, bytesMax });
      return { ring: new RingProducer(memory), worker: startWorker(memory) };
    };
    this.#lanes = Array.from({ length: workers }, () => new Lane(start, meter));
  }

  /**
   * What `MlDsa.verify` says of each job, in their order. All jobs of a call are taken or none.
   * @throws MeshError (as a rejection) `crypto/pool-full`, `crypto/pool-failed` (a thread ended; the jobs may be tried again),
   * `crypto/pool-stopped`
   */
  verify(jobs: readonly MlDsaVerification[]): Promise<boolean[]> {
    if (this.#stopped) return Promise.reject(stoppedError());
    return new Promise((resolve, reject) => {
      const request = new Request(jobs.length, resolve, reject);
      const used = new Set<Lane>();
      let refusal: Error | undefined;
      try {
        refusal = this.#put(jobs, request, used);
      } catch (cause) {
        refusal = failedError(cause);
      }
      for (const lane of used) {
        if (refusal === undefined) lane.publish();
        else lane.revert();
      }
      if (refusal !== undefined) reject(refusal);
      request.settleIfDone();
    });
  }

  /** Ends all threads; what they had not answered is rejected with `crypto/pool-stopped`. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes.map((lane) => lane.end(stoppedError())));
  }

  /** Puts jobs until one does not fit; `used` are the lanes that have some, whatever happens. */
  #put(
    jobs: readonly MlDsaVerification[],
    request: Request,
    used: Set<Lane>,
  ): MeshError<CryptoErrorCode> | undefined {
    for (const [place, job] of jobs.entries()) {
      if (!hasRightLengths(job)) {
        request.answer(place, false);
        continue;
      }
      const lane = this.#laneOf(job.publicKey);
      used.add(lane);
      const limit = lane.put(job, { request, place });
      if (limit !== undefined) return this.#refuse(limit);
    }
    return undefined;
  }

  /** Whoever makes keys for one thread gains nothing: it is relieved. */
  #laneOf(publicKey: Uint8Array): Lane {
    const home = this.#lanes[(publicKey[0] ?? 0) % this.#lanes.length];
    assert(home !== undefined, "a pool has a thread");
    const least = this.#lanes.reduce((one, other) => (other.size < one.size ? other : one));
    return home.size > least.size + LEAD_MAX ? least : home;
  }

  #refuse(limit: RingLimit): MeshError<CryptoErrorCode> {
    this.#meter?.count("meshd_crypto_verification_pool_refusals_total", { limit });
    return new MeshError(
      "crypto/pool-full",
      `Cannot take the signatures: too many ${limit} wait for verification. Try again when some are done.`,
      { limit },
    );
  }
}

function startThread(memory: RingMemory): PoolWorker {
  return startWorker(new URL("./verification-worker.ts", import.meta.url), {
    workerData: memory,
    name: "verification",
  });
}

/** One call of `verify`. */
class Request {
  readonly #answers: boolean[];
  readonly #resolve: (answers: boolean[]) => void;
  readonly reject: (error: Error) => void;
  #missing: number;

  constructor(size: number, resolve: (answers: boolean[]) => void, reject: (error: Error) => void) {
    this.#answers = new Array<boolean>(size).fill(false);
    this.#missing = size;
    this.#resolve = resolve;
    this.reject = reject;
  }

  answer(place: number, valid: boolean): void {
    this.#answers[place] = valid;
    this.#missing--;
  }

  settleIfDone(): void {
    if (this.#missing === 0) this.#resolve(this.#answers);
  }
}

interface PoolThread {
  readonly ring: RingProducer;
  readonly worker: PoolWorker;
}

/** Where an answer goes. */
interface Waiting {
  readonly request: Request;
  readonly place: number;
}

/** One thread after the other, each begun by the first job that finds none. */
class Lane {
  readonly #start: () => PoolThread;
  readonly #meter: Meter | undefined;
  #thread: PoolThread | undefined;
  /** For each job in the ring, in their order. */
  #waiting: Waiting[] = [];
  /** How many of them the thread knows of. */
  #published = 0;

  constructor(start: () => PoolThread, meter: Meter | undefined) {
    this.#start = start;
    this.#meter = meter;
  }

  get size(): number {
    return this.#waiting.length;
  }

  put(job: MlDsaVerification, waiting: Waiting): RingLimit | undefined {
    this.#thread ??= this.#begin();
    const limit = this.#thread.ring.put(job);
    if (limit === undefined) this.#waiting.push(waiting);
    return limit;
  }

  publish(): void {
    this.#thread?.ring.publish();
    this.#published = this.#waiting.length;
  }

  revert(): void {
    this.#thread?.ring.revert();
    this.#waiting.length = this.#published;
  }

  /** Ends the thread and rejects what it had not answered. */
  async end(error: Error): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    this.#published = 0;
    for (const { request } of this.#waiting.splice(0)) request.reject(error);
    await thread?.worker.terminate();
  }

  #begin(): PoolThread {
    const thread = this.#start();
    const fail = (cause?: unknown): void => {
      if (this.#thread !== thread) return;
      this.#meter?.count("meshd_crypto_verification_pool_failures_total");
      void this.end(failedError(cause));
    };
    thread.worker.on("message", () => {
      if (this.#thread === thread) this.#collect(thread.ring);
    });
    thread.worker.on("error", fail);
    thread.worker.on("exit", () => {
      fail();
    });
    return thread;
  }

  #collect(ring: RingProducer): void {
    const answers = ring.collect();
    this.#published -= answers.length;
    for (const [i, { request, place }] of this.#waiting.splice(0, answers.length).entries()) {
      request.answer(place, answers[i] === true);
      request.settleIfDone();
    }
  }
}

function hasRightLengths({ publicKey, signature, context }: MlDsaVerification): boolean {
  return (
    publicKey.length === ML_DSA_65.publicKeyBytes &&
    signature.length === ML_DSA_65.signatureBytes &&
    context.length <= ML_DSA_65.contextBytesMax
  );
}

function failedError(cause: unknown): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/pool-failed",
    "Cannot say whether the signatures are valid: the thread that verified them ended. Try again; another one starts.",
    {},
    { cause },
  );
}

function stoppedError(): MeshError<CryptoErrorCode> {
  return new MeshError(
    "crypto/pool-stopped",
    "Cannot verify signatures: the pool was stopped. Make a new one.",
  );
}
