// One task on this node: carries out what the epidemic machine asks, and remembers its rounds.

import type { StateStore, StoredTask } from "../adapters/sqlite/state-store.ts";
import type { Network } from "../adapters/libp2p/network.ts";
import {
  concatBytes,
  equalBytes,
  errorCode,
  errorMessage,
  isMeshError,
  MeshError,
  unreachable,
  utf8Bytes,
  utf8Text,
} from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import {
  decodeSafetensors,
  type EpidemicAction,
  type EpidemicEvent,
  EpidemicMachine,
  modelBytesMax,
  type PullFailure,
  type PullRound,
  type RoundReport,
  type RoundTrainer,
  taskSpec,
  type TaskManifest,
  type TrainingOrder,
  type VectorKernels,
} from "../learning/index.ts";
import type { LearningStatus } from "../mesh/index.ts";
import type { Clock, Logger, Meter, Tracer } from "../ports/index.ts";
import type { ViewedTask } from "./learning/learning-view.ts";
import type { LearningRun } from "./learning/learning-run.ts";
import { openTrainer, type TrainerPlace } from "./learning/open-trainer.ts";
import { RoundTrace } from "./round-trace.ts";

/** `taskId newline round-or-newest`; the answer is a status byte and, for an update, its safetensors. */
export const PULL_PROTOCOL = "/x0tta6bl4/fl-pull/1";
export const PULL_REQUEST_BYTES_MAX = 128;

const PULL_STATUS = ["update", "gone", "unreachable", "timeout", "refused"] as const;
type PullStatus = (typeof PULL_STATUS)[number];

/** A puller waits at most so long for a model that is still in training; then it asks again. */
const SERVE_WAIT_MS = 60_000;

export interface TaskRunDeps {
  readonly network: Network;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly self: PeerIdentity;
  readonly kernels: VectorKernels;
  readonly onLearning: (status: LearningStatus | null) => void;
}

export interface TaskRunOptions {
  readonly task: TaskManifest;
  readonly signed: Uint8Array;
  readonly adversary: boolean;
  /** What an earlier process left of it. */
  readonly resume: StoredTask | undefined;
  readonly csvText: string | undefined;
  readonly trainers: TrainerPlace;
  readonly onEnded: () => void;
}

export class TaskRun implements LearningRun {
  readonly task: TaskManifest;
  readonly #deps: TaskRunDeps;
  readonly #options: TaskRunOptions;
  readonly #trainer: RoundTrainer;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Wakes pulls that wait for an offer. */
  readonly #waiting = new Set<() => void>();
  readonly #history: RoundReport[];
  readonly #trace: RoundTrace;
  #machine: EpidemicMachine | undefined;
  #state: StoredTask["state"] = "running";
  #model: Uint8Array | undefined;
  #halted = false;

  constructor(deps: TaskRunDeps, options: TaskRunOptions) {
    const { task, adversary, csvText, resume } = options;
    this.task = task;
    this.#deps = deps;
    this.#options = options;
    this.#trace = new RoundTrace(deps.tracer, task);
    this.#history = resume === undefined ? [] : (JSON.parse(resume.history) as RoundReport[]);
    this.#model = resume?.model;
    this.#save();
    this.#trainer = openTrainer(options.trainers, {
      task,
      self: deps.self.nodeId,
      adversary,
      ...(csvText === undefined ? {} : { csvText }),
    });
    this.#trainer.initialWeights().then(
      (weights) => this.#begin(weights),
      (error: unknown) => this.#unable(error),
    );
  }

  /** Ends this node's part: an operator's wish. */
  stop(): void {
    this.#handle({ type: "stop" });
    if (this.#state === "running") this.#end("stopped");
  }

  /** Ends the thread and timers and leaves the task as it is on disk, to be resumed. */
  async halt(): Promise<void> {
    this.#wake();
    this.#halted = true;
    this.#trace.end("learning/halted");
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.#trainer.stop();
  }

  /** Whether these are the very bytes of this task. */
  isSame(signed: Uint8Array): boolean {
    return equalBytes(signed, this.#options.signed);
  }

  peerGone(nodeId: NodeId): void {
    this.#handle({ type: "peer-gone", nodeId });
  }

  /** The task with what is known of its rounds. */
  get viewed(): ViewedTask {
    return { task: this.task, state: this.#state, history: this.#history };
  }

  /** The model after the last round, as safetensors; `undefined` before the first. */
  get model(): Uint8Array | undefined {
    return this.#model;
  }

  /**
   * Answers a pull, waiting while the round's model is in training.
   * @throws MeshError `learning/bad-pull` for a request that does not parse
   */
  static async answerPull(
    find: (taskId: string) => TaskRun | undefined,
    { nodeId }: PeerIdentity,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const match = /^([a-z0-9-]{1,64})\n(newest|[1-9][0-9]{0,5})$/.exec(utf8Text(request));
    if (match === null) throw new MeshError("learning/bad-pull", "The pull does not parse.");
    const run = find(match[1] ?? "");
    // Not here yet: the task itself may still be on its way to this node.
    if (run === undefined) return pullAnswer("unreachable");
    if (!run.task.participants.includes(nodeId))
      throw new MeshError("learning/not-allowed", "The peer takes no part in the task.");
    return run.#serve(match[2] === "newest" ? "newest" : Number(match[2]), signal);
  }

  async #serve(round: PullRound, signal: AbortSignal): Promise<Uint8Array> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(SERVE_WAIT_MS)]);
    for (;;) {
      const served =
        this.#machine?.serve(round) ?? (this.#state === "running" ? "pending" : "gone");
      if (served === "gone") return pullAnswer("gone");
      if (served === "none") return pullAnswer("refused");
      if (served !== "pending") return pullAnswer("update", served);
      if (end.aborted) return pullAnswer("timeout");
      await new Promise<void>((resume) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          end.removeEventListener("abort", wake);
          resume();
        };
        this.#waiting.add(wake);
        end.addEventListener("abort", wake);
      });
    }
  }

  /** The trainer cannot take part in this task. */
  #unable(error: unknown): void {
    if (this.#state !== "running" || this.#halted) return;
    this.#deps.logger.error(
      { code: errorCode(error), taskId: this.task.taskId, error: errorMessage(error) },
      "training failed",
    );
    this.#end("failed");
  }

  #begin(initialWeights: Float32Array): void {
    const spec = taskSpec(this.task);
    const { resume } = this.#options;
    const model = resume?.model === undefined ? undefined : decodeSafetensors(spec, resume.model);
    this.#machine = new EpidemicMachine(
      { meter: this.#deps.meter, spec, initialWeights, kernels: this.#deps.kernels },
      {
        task: this.task,
        self: this.#deps.self.nodeId,
        adversary: this.#options.adversary,
        ...(resume !== undefined && model?.ok === true
          ? { resume: { round: resume.round, weights: model.value.weights } }
          : {}),
      },
    );
    this.#handle({ type: "start" });
  }

  #handle(event: EpidemicEvent): void {
    if (this.#state !== "running" || this.#halted) return;
    const now = this.#deps.clock.now();
    const actions = this.#machine?.handle(event, now) ?? [];
    // The machine aggregates before it asks for the evaluation.
    if (actions.some(({ type }) => type === "evaluate")) this.#trace.phase("aggregate", now.wallMs);
    for (const action of actions) this.#carryOut(action);
  }

  #carryOut(action: EpidemicAction): void {
    switch (action.type) {
      case "train":
        this.#deps.onLearning({ taskId: this.task.taskId, round: action.round });
        this.#trace.begin(action.round);
        void this.#train(action);
        return;
      case "evaluate":
        this.#trace.phase("evaluate");
        void this.#evaluate(action.round, action.weights);
        return;
      case "pull":
        void this.#trace.within(() => this.#pull(action.round, action.nodeId, action.timeoutMs));
        return;
      case "set-timer":
        return this.#setTimer(action.id, action.delayMs);
      case "offer":
        this.#trace.phase("exchange");
        return this.#wake();
      case "persist":
        this.#model = action.bytes;
        return;
      case "round-finished":
        return this.#finishRound(action);
      case "finished":
        return this.#end(action.reason === "completed" ? "finished" : "stopped");
      default:
        unreachable(action);
    }
  }

  async #train(order: TrainingOrder): Promise<void> {
    const { round } = order;
    const trained = await this.#trainer.train(order);
    if (!trained.ok) {
      const { code } = trained;
      const fields = { code, taskId: this.task.taskId, round };
      if (!this.#halted) this.#deps.logger.warn(fields, "round without an own update");
      this.#handle({ type: "not-trained", round, code });
    } else this.#handle({ type: "trained", round, ...trained.value });
  }

  async #evaluate(round: number, weights: Float32Array): Promise<void> {
    this.#handle({ type: "evaluated", round, ...(await this.#trainer.evaluate(weights)) });
  }

  /** Lets pulls that wait look again. */
  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #setTimer(id: string, delayMs: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        this.#handle({ type: "timer", id });
      }, delayMs),
    );
  }

  /** Pulls until the peer has the round or its time is over: a peer in training answers `timeout` after a while. */
  async #pull(round: PullRound, nodeId: string, timeoutMs: number): Promise<void> {
    const endMs = this.#deps.clock.now().monoMs + timeoutMs;
    for (;;) {
      const leftMs = Math.ceil(endMs - this.#deps.clock.now().monoMs);
      const { status, update } = await this.#ask(round, nodeId, Math.max(1, leftMs));
      if (status === "timeout" && leftMs > 1_000 && this.#state === "running") continue;
      if (status === "update") this.#handle({ type: "pulled", round, nodeId, bytes: update });
      else this.#handle({ type: "pull-failed", round, nodeId, code: status });
      return;
    }
  }

  async #ask(
    round: PullRound,
    nodeId: string,
    timeoutMs: number,
  ): Promise<{ readonly status: PullFailure | "update"; readonly update: Uint8Array }> {
    try {
      const request = utf8Bytes(`${this.task.taskId}\n${round}`);
      const answer = await this.#deps.network.request(nodeId as NodeId, PULL_PROTOCOL, request, {
        timeoutMs,
        responseBytesMax: 1 + modelBytesMax(taskSpec(this.task)),
      });
      return { status: PULL_STATUS[answer[0] ?? -1] ?? "refused", update: answer.subarray(1) };
    } catch (error) {
      const expected = isMeshError(error);
      const fields = { code: errorCode(error), round, nodeId, error: errorMessage(error) };
      this.#deps.logger[expected ? "debug" : "error"](fields, "pull failed");
      return { status: expected ? "unreachable" : "refused", update: new Uint8Array(0) };
    }
  }

  /** Model and report of a round go to disk together: a restart finds both or neither. */
  #finishRound({ type, ...report }: Extract<EpidemicAction, { type: "round-finished" }>): void {
    this.#history.push(report);
    this.#trace.finish(report);
    this.#save();
    const { round, loss, accuracy, result, rejected, durationMs } = report;
    this.#deps.logger.info(
      {
        taskId: this.task.taskId,
        round,
        result,
        loss,
        accuracy,
        contributors: report.contributors.length,
        rejected,
        durationMs,
      },
      "training round finished",
    );
  }

  #end(state: Exclude<StoredTask["state"], "running">): void {
    if (this.#state !== "running") return;
    this.#state = state;
    this.#save();
    this.#deps.logger.info(
      { taskId: this.task.taskId, state, rounds: this.#history.length },
      "training task ended",
    );
    void this.halt();
    this.#options.onEnded();
  }

  /** A full disk does not end the training: the model is in memory, the health says what is wrong. */
  #save(): void {
    try {
      this.#store();
    } catch (error) {
      this.#deps.logger.error(
        { code: errorCode(error), taskId: this.task.taskId, error: errorMessage(error) },
        "training state not kept",
      );
    }
  }

  #store(): void {
    this.#deps.store.saveTask(
      {
        taskId: this.task.taskId,
        signed: this.#options.signed,
        state: this.#state,
        round: this.#history.at(-1)?.round ?? 0,
        model: this.#model,
        history: JSON.stringify(this.#history),
      },
      this.#deps.clock.now().wallMs,
    );
  }
}

function pullAnswer(status: PullStatus, update: Uint8Array = new Uint8Array(0)): Uint8Array {
  return concatBytes(Uint8Array.of(PULL_STATUS.indexOf(status)), update);
}
