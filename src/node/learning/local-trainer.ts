// A task's trainer that is another program on this host: orders go out and updates come in by the control API. The task sees a
// RoundTrainer like any other; when no program takes the order, dies with it, hangs or gives nonsense, the deadline ends it.

import type { CryptoEngine } from "../../crypto/index.ts";
import { MeshError, ok, refuse, type Result } from "../../foundation/index.ts";
import {
  encodeOrder,
  type LocalOrder,
  type LocalRefusalCode,
  type Measured,
  type ModelSpec,
  modelDigest,
  openLocalUpdate,
  type RoundTrainer,
  type TaskManifest,
  type TrainedRound,
  type TrainerFailureCode,
  type TrainingOrder,
  unmeasured,
} from "../../learning/index.ts";
import type { Clock, Logger, Meter } from "../../ports/index.ts";
import type { TrainerNext, TrainerUpdated } from "../../control/index.ts";

export interface LocalTrainerDeps {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** An order came, was lost by its trainer, or the task is over. */
  readonly onChange: () => void;
}

/** A trainer that is not heard of for so long counts as lost. A batch of training should not take longer. */
const LEASE_MS = 30_000;

export interface LocalTrainerOptions {
  readonly task: TaskManifest;
  readonly spec: ModelSpec;
  readonly initialWeights: Float32Array;
  /** Measures models when the task has data; without it the trainer's own words count. */
  readonly evaluator?: RoundTrainer;
  /** @default 30 s */
  readonly leaseMs?: number;
}

/** A round that waits for its update. */
interface Work {
  readonly order: LocalOrder;
  readonly learningRateFactor: number;
  readonly endsAtMs: number;
  readonly settle: (result: Result<TrainedRound, TrainerFailureCode>) => void;
  readonly deadline: NodeJS.Timeout;
  /** How often the order was given: the last one that got it holds the lease. */
  grants: number;
  /** Runs while a trainer holds the order. */
  lease: NodeJS.Timeout | undefined;
}

/** What a trainer is told to do about a refusal. */
const advice: Readonly<Partial<Record<LocalRefusalCode, string>>> = {
  "learning/no-order": "No round waits for an update now: ask for the next one",
  "learning/wrong-task": "It is of another task: send the metadata of the order",
  "learning/wrong-round": "It is of another round, which may be over: ask for the next one",
  "learning/wrong-base": "It was not trained from this round's model: fetch the model anew",
  "learning/not-finite": "It holds numbers that are not finite: lower the learning rate",
  "learning/wrong-shape":
    "Its tensors are not those of the model: send float32 in the model's shapes",
};

export class LocalTrainer implements RoundTrainer {
  readonly task: TaskManifest;
  readonly spec: ModelSpec;
  readonly #deps: LocalTrainerDeps;
  readonly #options: LocalTrainerOptions;
  #work: Work | undefined;
  #told: Measured = unmeasured;
  #isStopped = false;

  constructor(deps: LocalTrainerDeps, options: LocalTrainerOptions) {
    this.task = options.task;
    this.spec = options.spec;
    this.#deps = deps;
    this.#options = options;
  }

  async initialWeights(): Promise<Float32Array> {
    // The evaluator's refusal of the task is this trainer's, too.
    await this.#options.evaluator?.initialWeights();
    return this.#options.initialWeights;
  }

  train(order: TrainingOrder): Promise<Result<TrainedRound, TrainerFailureCode>> {
    this.#close(refuse("learning/trainer-late"));
    if (this.#isStopped) return Promise.resolve(refuse("learning/trainer-failed"));
    const { round, weights, learningRateFactor, deadlineMs } = order;
    const { taskId } = this.task;
    const base = modelDigest((data) => this.#deps.engine.sha256(data), weights);
    return new Promise((settle) => {
      this.#work = {
        order: { taskId, round, spec: this.spec, weights, base },
        learningRateFactor,
        endsAtMs: this.#nowMs() + deadlineMs,
        settle,
        deadline: setTimeout(() => this.#close(refuse("learning/trainer-late")), deadlineMs),
        grants: 0,
        lease: undefined,
      };
      this.#deps.onChange();
    });
  }

  evaluate(weights: Float32Array): Promise<Measured> {
    return this.#options.evaluator?.evaluate(weights) ?? Promise.resolve(this.#told);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#close(refuse("learning/trainer-failed"));
    this.#deps.onChange();
    await this.#options.evaluator?.stop();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether a program works on the order. */
  get isLeased(): boolean {
    return this.#work?.lease !== undefined;
  }

  /** Gives the order to one who asks, unless it is given or there is none. */
  take(): NonNullable<TrainerNext["order"]> | undefined {
    const work = this.#work;
    if (work === undefined || work.lease !== undefined) return undefined;
    work.grants++;
    this.#watch(work);
    const { taskId, round, base } = work.order;
    const { learningRateFactor } = work;
    return {
      ...{ taskId, round, base, learningRateFactor },
      deadlineMs: this.#leftMs(work),
      lease: leaseOf(work),
      leaseMs: this.#leaseMs,
    };
  }

  /** The model of the round under way. @throws MeshError `learning/no-order` */
  model(): Uint8Array {
    return encodeOrder(this.#required().order);
  }

  /** The trainer lives; gives what is left of the round's time. A lease that ran out is good until another one took the order. @throws MeshError `learning/no-order`, `learning/lease-lost` */
  renew(lease: string): number {
    const work = this.#required();
    if (work.grants === 0 || lease !== leaseOf(work)) {
      throw new MeshError(
        "learning/lease-lost",
        "The order was given to another trainer, or its round is over. Leave it and ask for the next one.",
      );
    }
    this.#watch(work);
    return this.#leftMs(work);
  }

  /** Takes an update, or throws the code that refuses it; then the order stands, and another update may come. */
  update(bytes: Uint8Array): TrainerUpdated {
    const work = this.#work;
    if (work === undefined) throw this.refusal("learning/no-order");
    const opened = openLocalUpdate(work.order, bytes);
    if (!opened.ok) throw this.refusal(opened.code, opened.detail);
    this.#count("accepted");
    const { loss, accuracy } = opened.value;
    this.#told = { loss, accuracy };
    this.#close(ok(opened.value));
    return { taskId: work.order.taskId, round: work.order.round };
  }

  /** A refused update, counted and logged; says what to do about it. */
  refusal(code: LocalRefusalCode, detail?: string): MeshError {
    const { taskId } = this.task;
    this.#count(code);
    this.#deps.logger.warn({ code, taskId }, "update of the local trainer refused");
    return new MeshError(
      code,
      `Cannot take the update${detail === undefined ? "" : ` (${detail})`}. ${advice[code] ?? "Correct the file"}; docs/trainers.md describes it.`,
      { taskId },
    );
  }

  /** Notices when the trainer is not heard of any more: somebody else may have the order then. */
  #watch(work: Work): void {
    clearTimeout(work.lease);
    work.lease = setTimeout(() => {
      work.lease = undefined;
      const { taskId, round } = work.order;
      this.#deps.meter.count("meshd_learning_trainers_lost_total");
      this.#deps.logger.warn({ taskId, round }, "local trainer not heard of any more");
      this.#deps.onChange();
    }, this.#leaseMs);
  }

  #close(result: Result<TrainedRound, TrainerFailureCode>): void {
    const work = this.#work;
    if (work === undefined) return;
    this.#work = undefined;
    clearTimeout(work.deadline);
    clearTimeout(work.lease);
    work.settle(result);
    this.#deps.onChange();
  }

  #required(): Work {
    if (this.#work !== undefined) return this.#work;
    throw new MeshError(
      "learning/no-order",
      `${advice["learning/no-order"] ?? ""}; docs/trainers.md describes how.`,
    );
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? LEASE_MS;
  }

  #leftMs({ endsAtMs }: Work): number {
    return Math.max(0, endsAtMs - this.#nowMs());
  }

  #nowMs(): number {
    return this.#deps.clock.now().monoMs;
  }

  #count(result: "accepted" | LocalRefusalCode): void {
    this.#deps.meter.count("meshd_learning_trainer_updates_total", { result });
  }
}

function leaseOf({ order, grants }: Work): string {
  return `${order.taskId}/${order.round}/${grants}`;
}
