// One task's training, in a thread of its own. Weights are copied in and out: a model is small beside its training.

import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { errorMessage, MeshError, ok, refuse, type Result } from "../../foundation/index.ts";
import {
  allFinite,
  type Measured,
  type RoundTrainer,
  type TaskManifest,
  type TelemetrySamples,
  type TrainedRound,
  type TrainerFailureCode,
  type TrainingOrder,
  unmeasured,
} from "../../learning/index.ts";
import { countAsWork } from "../heap-size.ts";
import { startWorker } from "./start-worker.ts";
import { watchHeap } from "./thread-heaps.ts";

/** What the thread needs to make its data. */
export interface TrainerSetup {
  readonly task: TaskManifest;
  readonly self: string;
  readonly adversary: boolean;
  /** The CSV file's text, for a CSV task. */
  readonly csvText?: string;
}

/** Where new samples come from, for a task on telemetry. */
export type SampleSource = () => TelemetrySamples;

/** `id` rises; answers carry it. */
export type TrainerRequest = {
  readonly id: number;
  readonly samples?: TelemetrySamples | undefined;
} & (
  | ({ readonly kind: "train"; readonly budgetMs: number } & Omit<TrainingOrder, "deadlineMs">)
  | { readonly kind: "evaluate"; readonly weights: Float32Array }
);

export type TrainerAnswer =
  | { readonly kind: "ready"; readonly initialWeights: Float32Array }
  | ({ readonly kind: "trained"; readonly id: number } & TrainedRound)
  /** There was nothing to train on. */
  | { readonly kind: "untrained"; readonly id: number }
  | ({ readonly kind: "evaluated"; readonly id: number } & Measured)
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** A task that needs more memory than this fails, and the daemon goes on. */
const HEAP_MB_MAX = 512;
/** Of the time of an order: what is left is for the last batch and the way back. */
const BUDGET_RATIO = 0.9;
/** Between two looks for samples, of which there is one a second. */
const SAMPLES_PAUSE_MS = 500;

/**
 * The embedded trainer. A thread that dies (out of memory, say) fails what it was asked, the daemon goes on, and the next request
 * starts another one.
 */
export class TrainingThread implements RoundTrainer {
  readonly #setup: TrainerSetup;
  /** Undefined after its death. */
  #worker: Worker | undefined;
  readonly #samples: SampleSource | undefined;
  readonly #initialWeights = Promise.withResolvers<Float32Array>();
  /** Who waits for the answer of a request. */
  readonly #waiting = new Map<number, (answer: TrainerAnswer | undefined) => void>();
  #lastId = 0;
  /** Stopped, or the task's data cannot be made here. */
  #isOver = false;

  constructor(setup: TrainerSetup, samples?: SampleSource) {
    this.#setup = setup;
    this.#samples = samples;
    // Who asks hears of it; nobody may have asked yet.
    this.#initialWeights.promise.catch(() => undefined);
    this.#worker = this.#start();
  }

  #start(): Worker {
    const worker = startWorker(new URL("./trainer-worker.ts", import.meta.url), {
      workerData: this.#setup,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
      name: "trainer",
    });
    countAsWork(worker);
    watchHeap(worker, HEAP_MB_MAX * 1024 ** 2);
    const died = (why: string): void => {
      if (this.#worker === worker) this.#died(why);
    };
    worker.on("message", (answer: TrainerAnswer) => this.#answered(answer));
    worker.on("error", (error) => died(errorMessage(error)));
    worker.on("exit", () => died("The training thread ended."));
    return worker;
  }

  initialWeights(): Promise<Float32Array> {
    return this.#initialWeights.promise;
  }

  async train(order: TrainingOrder): Promise<Result<TrainedRound, TrainerFailureCode>> {
    const { deadlineMs, ...work } = order;
    const late = Promise.withResolvers<"late">();
    const endMs = performance.now() + deadlineMs;
    const timer = setTimeout(() => late.resolve("late"), deadlineMs);
    const answer = await Promise.race([this.#trained(work, endMs), late.promise]);
    clearTimeout(timer);
    if (answer === "late") return refuse("learning/trainer-late");
    if (answer?.kind !== "trained") return refuse("learning/trainer-failed");
    const { weights, loss } = answer;
    return allFinite(weights) ? ok({ weights, loss }) : refuse("learning/trainer-failed");
  }

  /** Without enough samples yet it asks again: they come with time. */
  async #trained(
    work: Omit<TrainingOrder, "deadlineMs">,
    endMs: number,
  ): Promise<TrainerAnswer | "late" | undefined> {
    for (;;) {
      const budgetMs = BUDGET_RATIO * (endMs - performance.now());
      if (budgetMs <= 0) return "late";
      const answer = await this.#ask({ kind: "train", id: ++this.#lastId, budgetMs, ...work });
      if (answer?.kind !== "untrained") return answer;
      await setTimeoutAsync(SAMPLES_PAUSE_MS, undefined, { ref: false });
    }
  }

  async evaluate(weights: Float32Array): Promise<Measured> {
    const answer = await this.#ask({ kind: "evaluate", id: ++this.#lastId, weights });
    if (answer?.kind !== "evaluated") return unmeasured;
    const { loss, accuracy } = answer;
    return { loss, accuracy };
  }

  /** Ends the thread at once. Idempotent. */
  async stop(): Promise<void> {
    this.#fail("learning/trainer-failed", "The trainer was stopped.");
    await this.#worker?.terminate();
  }

  #ask(request: TrainerRequest): Promise<TrainerAnswer | undefined> {
    if (this.#isOver) return Promise.resolve(undefined);
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      this.#waiting.set(request.id, resolve);
      worker.postMessage({ ...request, samples: this.#samples?.() });
    });
  }

  #answered(answer: TrainerAnswer): void {
    if (answer.kind === "failed") this.#fail(answer.code, answer.message);
    else if (answer.kind === "ready") this.#initialWeights.resolve(answer.initialWeights);
    else {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    }
  }

  #fail(code: string, message: string): void {
    this.#isOver = true;
    this.#died(message, code);
  }

  /** Whoever waits for it waits no longer; a task that never had its first weights cannot begin. */
  #died(message: string, code = "learning/trainer-failed"): void {
    if (!this.#isOver) this.#worker = undefined;
    this.#initialWeights.reject(new MeshError(code, message));
    for (const tell of this.#waiting.values()) tell(undefined);
    this.#waiting.clear();
  }
}
