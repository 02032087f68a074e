// One task with certified rounds on this node: begins it from its manifest or from the disk, brings it messages and peers, and ends it.
// What the machine wants on disk is there before anything after it is done; when the disk refuses, the run pauses and begins
// again from what the disk has, as after a crash.

import type { Network } from "../../adapters/libp2p/network.ts";
import type { StateStore, StoredTask } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import {
  equalBytes,
  errorCode,
  errorMessage,
  isMeshError,
  toHex,
  unreachable,
} from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import {
  decodeSummary,
  encodeRoundEvidence,
  type HeldContent,
  orchestratorOf,
  type RoundAction,
  RoundMachine,
  type RoundOrchestrator,
  type RoundProgress,
  ruleDigest,
  taskDigest,
  type TaskManifest,
  type Sha256,
} from "../../learning/index.ts";
import type { LearningStatus } from "../../mesh/index.ts";
import type { Clock, Logger, Meter, Tracer } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import { RoundTrace } from "../round-trace.ts";
import { ContentFetcher } from "./content-fetcher.ts";
import { ContentStore } from "./content-store.ts";
import type { LearningRun } from "./learning-run.ts";
import type { ViewedTask } from "./learning-view.ts";
import { type CarriedAction, MachineLoop } from "./machine-loop.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ModelShelf } from "./model-shelf.ts";
import { openTrainer, type TrainerPlace } from "./open-trainer.ts";
import { RoundActions } from "./round-actions.ts";
import { RoundExchange } from "./round-exchange.ts";
import { RoundFetches } from "./round-fetches.ts";
import { RoundHistory } from "./round-history.ts";
import { type InitialModel, RoundWork } from "./round-work.ts";
import { TaskProviders } from "./task-providers.ts";

/** After a refusal of the disk, the run begins again from what is there. */
const RESTART_MS = 5_000;

export interface CertifiedRunDeps {
  readonly network: Pick<
    Network,
    | "isConnected"
    | "request"
    | "openStream"
    | "publish"
    | "subscribe"
    | "unsubscribe"
    | "providers"
    | "dial"
    | "peerId"
  >;
  readonly store: StateStore;
  readonly identities: NodeIdentities;
  readonly engine: Pick<CryptoEngine, "mlDsa65" | "sha256">;
  readonly signer: MlDsaSigner;
  readonly budget: MemoryBudget;
  readonly shelf: ModelShelf;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly self: PeerIdentity;
  /** May this node take part in the rounds of a task? */
  readonly maySpeak: (nodeId: NodeId) => boolean;
  readonly onLearning: (status: LearningStatus | null) => void;
  /** For the whole mesh: {@link encodeRoundEvidence}. */
  readonly onEvidence: (evidence: Uint8Array) => void;
}

export interface CertifiedRunOptions {
  readonly task: TaskManifest;
  readonly signed: Uint8Array;
  readonly adversary: boolean;
  readonly resume: StoredTask | undefined;
  readonly csvText: string | undefined;
  readonly trainers: TrainerPlace;
  /** The module of the learning kernels; `undefined`: the plain ones compute. */
  readonly kernels: object | undefined;
  /** The gossip topic of the task's rounds. */
  readonly topic: string;
  readonly onEnded: () => void;
}

export class CertifiedRun implements LearningRun {
  readonly task: TaskManifest;
  readonly #deps: CertifiedRunDeps;
  readonly #options: CertifiedRunOptions;
  readonly #work: RoundWork;
  readonly #contents: ContentStore;
  readonly #sha256: Sha256;
  /** The task in signed messages. */
  readonly #digest: string;
  readonly #policy: RoundOrchestrator;
  readonly #history: RoundHistory;
  readonly #trace: RoundTrace;
  readonly #fetches: RoundFetches;
  readonly #providers: TaskProviders;
  readonly #loop: MachineLoop;
  readonly #actions: RoundActions;
  readonly #exchange: RoundExchange;
  #restart: NodeJS.Timeout | undefined;
  #initial: InitialModel = { digest: "", here: false };
  #state: StoredTask["state"] = "running";
  #halted = false;
  #splitRound: number | undefined;

  /**
   * @throws MeshError `learning/bad-task` when the task's rounds cannot be certified so, `learning/memory-budget` when their rows
   * do not fit
   */
  constructor(deps: CertifiedRunDeps, options: CertifiedRunOptions) {
    const { task } = options;
    this.task = task;
    this.#deps = deps;
    this.#options = options;
    const { engine, store, tracer, self } = deps;
    this.#sha256 = (bytes) => engine.sha256(bytes);
    this.#digest = taskDigest(this.#sha256, task);
    const policy = orchestratorOf({ hash: this.#sha256 }, task);
    if (policy === undefined) throw new TypeError("an epidemic task has no certified rounds");
    this.#policy = policy;
    this.#history = new RoundHistory(store.rounds, task);
    this.#save();
    this.#trace = new RoundTrace(tracer, task);
    this.#fetches = new RoundFetches(self.nodeId);
    const others = task.participants.filter((nodeId) => nodeId !== self.nodeId) as NodeId[];
    this.#providers = new TaskProviders(deps, { digest: this.#digest, others });
    this.#contents = new ContentStore(this.#sha256, deps.budget);
    this.#work = this.#openWork();
    this.#loop = new MachineLoop(deps, {
      carryOut: (action) => this.#carryOut(action),
      onRefused: (error) => this.#restartLater(error),
    });
    this.#actions = this.#openActions();
    this.#exchange = this.#openExchange();
    this.#exchange.open();
    this.#work.begin().then(
      (initial) => {
        this.#initial = initial;
        this.#start();
      },
      (error: unknown) => this.#unable(error),
    );
  }

  stop(): void {
    if (this.#state === "running") this.#end("stopped");
  }

  async halt(): Promise<void> {
    this.#pause();
    this.#halted = true;
    this.#exchange.close();
    this.#providers.stop();
    this.#contents.keepOnly(new Set());
    await this.#work.stop();
  }

  isSame(signed: Uint8Array): boolean {
    return equalBytes(signed, this.#options.signed);
  }

  /** Rounds close without those that are gone: the machine needs no word of it. */
  peerGone(): void {}

  /** Newest rounds in a row that brought no new model. */
  get voidRounds(): number {
    return this.#state === "running" ? this.#history.voidRounds : 0;
  }

  /** The open round, when all its results are in and none has a quorum. */
  get splitRound(): number | undefined {
    const open = (this.#history.last?.round ?? 0) + 1;
    return this.#state === "running" && this.#splitRound === open ? open : undefined;
  }

  /** Whether participants can follow it here: a finished run goes on answering, a stopped one is silent. */
  get isServed(): boolean {
    return this.#state === "running" || this.#state === "finished";
  }

  get viewed(): ViewedTask {
    return { task: this.task, state: this.#state, history: this.#history.reports };
  }

  get model(): Uint8Array | undefined {
    const { last } = this.#history;
    return last && this.#contents.get(last.model)?.bytes;
  }

  /** The task as its creator signed it. */
  get signed(): Uint8Array {
    return this.#options.signed;
  }

  /** A content of the task that is held here. */
  held(digest: string): HeldContent | undefined {
    return this.#contents.get(digest);
  }

  /** What a participant lacks of what this node has. */
  answerSync(status: Uint8Array): Uint8Array {
    return this.#exchange.answer(status);
  }

  #openWork(): RoundWork {
    const { network, store, self, budget, shelf } = this.#deps;
    const { task, adversary, csvText, kernels, trainers } = this.#options;
    const csv = csvText === undefined ? {} : { csvText };
    const setup = { task, self: self.nodeId, adversary, ...csv };
    const openStream: Network["openStream"] = (...wanted) => network.openStream(...wanted);
    const held = { sha256: this.#sha256, contents: this.#contents };
    const fetcher = new ContentFetcher({
      ...this.#deps,
      ...{ openStream, sha256: this.#sha256, store: this.#contents },
    });
    return new RoundWork(
      {
        ...{ ...held, fetcher, providers: this.#providers, store: store.rounds, budget, shelf },
        openTrainer: () => openTrainer(trainers, setup),
      },
      { task, self: self.nodeId, adversary, kernels },
    );
  }

  #openActions(): RoundActions {
    const { clock, logger, meter } = this.#deps;
    return new RoundActions(
      {
        ...{ work: this.#work, contents: this.#contents, history: this.#history },
        ...{
          fetches: this.#fetches,
          providers: this.#providers,
          trace: this.#trace,
          policy: this.#policy,
        },
        ...{ sha256: this.#sha256, clock, logger, meter },
        headers: () => this.#loop.headers,
        handle: (event) => this.#loop.handle(event),
        state: () => (this.#halted ? "halted" : this.#state === "running" ? "running" : "ended"),
      },
      this.task,
      this.#digest,
    );
  }

  #openExchange(): RoundExchange {
    const { self } = this.#deps;
    const participants = this.task.participants as NodeId[];
    return new RoundExchange(
      {
        ...this.#deps,
        loop: this.#loop,
        inBackground: (what, work) => this.#inBackground(what, work),
      },
      { self: self.nodeId, participants, topic: this.#options.topic },
    );
  }

  #start(): void {
    if (this.#halted || this.#state === "failed") return;
    const progress = this.#history.progress();
    // The mesh may have missed what an earlier process was killed over.
    for (const proof of this.#deps.store.rounds.proofs(this.task.taskId)) this.#accuse(proof);
    const machine = this.#openMachine(progress);
    this.#actions.begin(this.#initial.digest, progress);
    this.#loop.start(machine);
  }

  /** The round machine, from what is on disk of the task. */
  #openMachine(progress: RoundProgress): RoundMachine {
    const { engine, signer, meter, identities, store, self } = this.#deps;
    const { taskId, participants, byzantine, rounds, aggregator } = this.task;
    const round = this.#history.last?.round ?? 0;
    const last = store.rounds.certificateAt(taskId, round);
    return new RoundMachine(
      {
        ...{ sha256: this.#sha256, signer, meter, mlDsa: engine.mlDsa65 },
        publicKeyOf: (nodeId) =>
          this.#deps.maySpeak(nodeId as NodeId)
            ? identities.lookup(nodeId as NodeId)?.mldsa65
            : undefined,
        certificateAt: (at) => store.rounds.certificateAt(taskId, at),
      },
      {
        ...{ self: self.nodeId, participants, byzantine, rounds, policy: this.#policy },
        task: this.#digest,
        initialModel: this.#initial.digest,
        initialHere: this.#contents.get(this.#initial.digest) !== undefined,
        updateBytesMax: this.#work.updateBytes,
        rule: toHex(ruleDigest(engine, { aggregator, byzantine })),
        isLast: ({ round: at, decision, result }) => {
          const summary = decision.kind === "set" ? decodeSummary(result.summary) : undefined;
          progress.observe(at, summary?.ok === true ? summary.value : undefined);
          return progress.hasConverged;
        },
        resume: {
          ...(last === undefined ? {} : { certificate: last }),
          journal: store.rounds.journalOf(taskId, round + 1),
          proofs: store.rounds.proofs(taskId),
        },
      },
    );
  }

  #carryOut(action: CarriedAction): void {
    const { store, logger, meter } = this.#deps;
    const { taskId } = this.task;
    switch (action.kind) {
      case "publish":
        return this.#inBackground("publish", this.#exchange.publish(action.bytes));
      case "persist":
        return store.rounds.journal(taskId, action.round, action.messages);
      case "train":
        this.#deps.onLearning({ taskId, round: action.round });
        return this.#inBackground("train", this.#actions.train(action), action.round);
      case "fetch-update":
        return this.#inBackground("fetch", this.#actions.fetchUpdate(action));
      case "fetch-model":
        return this.#inBackground("fetch", this.#actions.fetchModel(action));
      case "aggregate":
        return this.#inBackground("aggregate", this.#actions.aggregate(action), action.round);
      case "certified":
        return this.#inBackground("forget", this.#actions.certified(action));
      case "evidence":
        return this.#convicted(action);
      case "sync":
        return this.#inBackground(
          "sync",
          this.#exchange.sync(action.nodeId as NodeId, action.bytes),
        );
      case "split":
        this.#splitRound = action.round;
        meter.count("meshd_learning_splits_total");
        return logger.error(
          { code: "learning/split", taskId, round: action.round },
          "no result of the round has a quorum",
        );
      case "finished":
        return this.#end("finished");
      default:
        unreachable(action);
    }
  }

  #convicted({ nodeId, proof }: Extract<RoundAction, { kind: "evidence" }>): void {
    const { taskId } = this.task;
    this.#deps.store.rounds.saveProof(taskId, nodeId, proof);
    this.#deps.logger.warn(
      { code: "learning/equivocation", taskId, nodeId },
      "participant contradicted itself",
    );
    this.#accuse(proof);
  }

  #accuse(proof: Uint8Array): void {
    this.#deps.onEvidence(encodeRoundEvidence(this.#sha256, this.task, proof));
  }

  /**
   * What fails here is tried again by the machine's repetitions, work of a round (`round`) when it is told so. A refusal of the
   * disk is more than that, and so is the death of the thread that holds what came in of the round.
   */
  #inBackground(what: string, work: Promise<unknown>, round?: number): void {
    work.catch((error: unknown) => {
      if (this.#halted) return;
      if (isMeshError(error, "state/write-failed")) return this.#restartLater(error);
      // The thread of a run that has ended was stopped: who still asked it for something needs no answer.
      if (this.#state === "running" && isMeshError(error, "learning/round-thread-failed"))
        return this.#restartLater(error);
      if (round !== undefined && (what === "train" || what === "aggregate"))
        this.#loop.handle({ kind: "work-failed", work: what, round });
      const level = isMeshError(error) ? "debug" : "error";
      const fields = {
        code: errorCode(error),
        taskId: this.task.taskId,
        error: errorMessage(error),
      };
      this.#deps.logger[level](fields, `${what} failed`);
    });
  }

  /** Forgets what is in memory of the rounds, and goes on from the disk after a while: as after a crash. */
  #restartLater(error: unknown): void {
    if (!this.#loop.isRunning) return;
    this.#pause();
    this.#deps.meter.count("meshd_learning_pauses_total");
    this.#deps.logger.error(
      { code: errorCode(error), taskId: this.task.taskId, error: errorMessage(error) },
      "training paused: it goes on from what is on disk",
    );
    this.#restart = setTimeout(() => this.#start(), RESTART_MS);
    this.#inBackground("reset", this.#work.reset());
  }

  #pause(): void {
    this.#loop.pause();
    clearTimeout(this.#restart);
    this.#trace.end("learning/halted");
    this.#fetches.end();
  }

  #unable(error: unknown): void {
    if (this.#halted) return;
    this.#deps.logger.error(
      { code: errorCode(error), taskId: this.task.taskId, error: errorMessage(error) },
      "training failed",
    );
    this.#end("failed");
  }

  /** A finished run goes on answering those that lag; any other end is one. */
  #end(state: Exclude<StoredTask["state"], "running">): void {
    if (this.#state !== "running") return;
    this.#state = state;
    this.#save();
    const { last } = this.#history;
    this.#deps.logger.info(
      { taskId: this.task.taskId, state, rounds: last?.round ?? 0 },
      "training task ended",
    );
    if (state === "finished") this.#inBackground("evaluate", this.#actions.measureLast());
    else void this.halt();
    this.#options.onEnded();
  }

  /** The table of tasks knows that this one runs, or how it ended; its rounds have tables of their own. */
  #save(): void {
    const { store, clock } = this.#deps;
    const { signed } = this.#options;
    const round = this.#history.last?.round ?? 0;
    const task = { taskId: this.task.taskId, signed, state: this.#state, round };
    store.saveTask({ ...task, model: undefined, history: "[]" }, clock.now().wallMs);
  }
}
