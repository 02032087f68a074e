// One task's training, in a thread of its own. Weights are copied in and out: a model is small beside its training.

import type { Worker } from "node:worker_threads";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import type { TaskManifest } from "../../learning/index.ts";
import { startWorker } from "./start-worker.ts";

/** What the thread needs to make its data. */
export interface TrainerSetup {
  readonly task: TaskManifest;
  readonly self: string;
  readonly adversary: boolean;
  /** The CSV file's text, for a CSV task. */
  readonly csvText?: string;
}

export type TrainerRequest =
  | { readonly kind: "train"; readonly round: number; readonly weights: Float32Array }
  | { readonly kind: "evaluate"; readonly round: number; readonly weights: Float32Array };

export type TrainerAnswer =
  | { readonly kind: "ready"; readonly samples: number; readonly initialWeights: Float32Array }
  | {
      readonly kind: "trained";
      readonly round: number;
      readonly weights: Float32Array;
      readonly loss: number;
    }
  | {
      readonly kind: "evaluated";
      readonly round: number;
      readonly loss: number;
      readonly accuracy: number;
    }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** A task that needs more memory than this fails, and the daemon goes on. */
const HEAP_MB_MAX = 512;

export class TrainingThread {
  readonly #worker: Worker;
  #stopped = false;

  /**
   * Starts the thread; everything it says, its failure included, comes to `onAnswer`, nothing after {@link stop}.
   */
  constructor(setup: TrainerSetup, onAnswer: (answer: TrainerAnswer) => void) {
    const tell = (answer: TrainerAnswer): void => {
      if (!this.#stopped) onAnswer(answer);
    };
    this.#worker = startWorker(new URL("./trainer-worker.ts", import.meta.url), {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
      name: "trainer",
    });
    this.#worker.on("message", tell);
    this.#worker.on("error", (error) =>
      tell({ kind: "failed", code: "learning/trainer-failed", message: errorMessage(error) }),
    );
  }

  request(request: TrainerRequest): void {
    if (this.#stopped)
      throw new MeshError("internal/invariant", "The training thread was stopped.");
    this.#worker.postMessage(request);
  }

  /** Ends the thread at once. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker.terminate();
  }
}
