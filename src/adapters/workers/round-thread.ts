// The thread of a task's certified rounds, as the daemon sees it. What goes in and out is copied, but for what is given away.

import type { Worker } from "node:worker_threads";
import { MeshError } from "../../foundation/index.ts";
import {
  type ComputedRound,
  type RoundComputation,
  type TaskManifest,
  taskSpec,
  updatesHereMax,
} from "../../learning/index.ts";
import { countAsWork } from "../heap-size.ts";
import { startWorker } from "./start-worker.ts";

export interface RoundSetup {
  readonly task: TaskManifest;
  readonly self: string;
  readonly adversary: boolean;
  /** Of the learning kernels, tested; without it the plain ones compute, to the same bits. */
  readonly kernels?: object | undefined;
}

/** What the coding of a round's updates goes by. */
export interface UpdateCoding {
  readonly stepSize: number;
  readonly seed: string;
}

type Update = Omit<RoundComputation["updates"][number], "row"> & { readonly update: string };

/** What names an update's row: the same bytes mean another row from another base. */
export type RowName = Pick<Update, "update" | "baseRound">;

interface Requests {
  encode: {
    readonly round: number;
    readonly weights: Float32Array;
    readonly base: Float32Array;
    readonly coding: UpdateCoding;
  };
  /** `update` is the digest of the bytes. */
  open: RowName & {
    readonly bytes: Uint8Array;
    readonly coding: UpdateCoding;
  };
  aggregate: Omit<RoundComputation, "updates"> & { readonly updates: readonly Update[] };
  /** A round is over: the rows of all but these updates are dropped. */
  forget: { readonly kept: readonly RowName[] };
}

export type RoundRequest<Kind extends keyof Requests = keyof Requests> = {
  [K in Kind]: { readonly kind: K } & Requests[K];
}[Kind];

export type RoundAnswer =
  | { readonly kind: "encoded"; readonly bytes: Uint8Array }
  | { readonly kind: "opened"; readonly refused: string | undefined }
  | ({ readonly kind: "aggregated" } & ComputedRound)
  | { readonly kind: "forgotten" }
  | { readonly kind: "failed"; readonly code: string };

/** Bytes that the rows of updates take in the thread. */
export function roundRowsBytes(task: TaskManifest): number {
  return 4 * updatesHereMax(task) * taskSpec(task).parameters;
}

/** A task that needs more memory than this fails, and the daemon goes on. */
const HEAP_MB_MAX = 512;

export class RoundThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: RoundAnswer) => void>();
  #lastId = 0;
  #isOver = false;

  constructor(setup: RoundSetup) {
    this.#worker = startWorker(new URL("./round-worker.ts", import.meta.url), {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
      name: "rounds",
    });
    countAsWork(this.#worker);
    this.#worker.on("message", ({ id, answer }: { id: number; answer: RoundAnswer }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    this.#worker.on("error", () => this.#fail());
    this.#worker.on("exit", () => this.#fail());
  }

  /** Whether it was stopped, or died: nothing can be asked of it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The own update's bytes. @throws MeshError `learning/round-thread-failed` and what the compression throws */
  async encode(work: Requests["encode"]): Promise<Uint8Array> {
    return (await this.#ask({ kind: "encode", ...work }, "encoded")).bytes;
  }

  /** Keeps an update as a row; why not, if it is not sound. */
  async open(work: Requests["open"]): Promise<string | undefined> {
    return (await this.#ask({ kind: "open", ...work }, "opened")).refused;
  }

  /** Computes the round from rows that were opened. */
  aggregate(work: Requests["aggregate"]): Promise<ComputedRound> {
    return this.#ask({ kind: "aggregate", ...work }, "aggregated");
  }

  /** Drops all rows but these; who is dead has forgotten them. */
  async forget(kept: readonly RowName[]): Promise<void> {
    await this.#send({ kind: "forget", kept });
  }

  /** Ends the thread at once. Idempotent. */
  async stop(): Promise<void> {
    this.#fail();
    await this.#worker.terminate();
  }

  async #ask<Kind extends RoundAnswer["kind"]>(
    request: RoundRequest,
    kind: Kind,
  ): Promise<Extract<RoundAnswer, { kind: Kind }>> {
    const answer = await this.#send(request);
    if (answer.kind === kind) return answer as Extract<RoundAnswer, { kind: Kind }>;
    const code = answer.kind === "failed" ? answer.code : "internal/invariant";
    throw new MeshError(code, `The thread of certified rounds could not ${request.kind}: ${code}.`);
  }

  #send(request: RoundRequest): Promise<RoundAnswer> {
    if (this.#isOver) return Promise.resolve(FAILED);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#worker.postMessage({ id, request });
    });
  }

  #fail(): void {
    this.#isOver = true;
    for (const tell of this.#waiting.values()) tell(FAILED);
    this.#waiting.clear();
  }
}

const FAILED: RoundAnswer = { kind: "failed", code: "learning/round-thread-failed" };
