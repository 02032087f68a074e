// One task with certified rounds on this node: events go into the round machine, its actions are carried out here. What the
// machine wants on disk is there before anything after it is done; when the disk refuses, the run pauses and begins again
// from what the disk has, as after a crash.

import { TrainingThread } from "../../adapters/workers/training-thread.ts";
import type { GossipDecision } from "../../adapters/libp2p/gossip.ts";
import type { Network } from "../../adapters/libp2p/network.ts";
import type { StateStore, StoredTask } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  equalBytes,
  errorCode,
  errorMessage,
  isMeshError,
  toHex,
  uint32be,
  unreachable,
} from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import {
  encodeTask,
  FIRST_STEP,
  genesisDigest,
  type HeldContent,
  orchestratorOf,
  type RoundAction,
  type RoundEvent,
  RoundMachine,
  type RoundOrchestrator,
  type RoundStatus,
  type RoundTimerId,
  ruleDigest,
  type TaskManifest,
  type Sha256,
  type UpdateHeader,
  type UpdateRefusalCode,
} from "../../learning/index.ts";
import type { LearningStatus } from "../../mesh/index.ts";
import type { Clock, Logger, Meter, Tracer } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import { RoundTrace } from "../round-trace.ts";
import { ContentFetcher, type ContentFetcherDeps } from "./content-fetcher.ts";
import { ContentStore } from "./content-store.ts";
import type { LearningRun } from "./learning-run.ts";
import type { ViewedTask } from "./learning-view.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import { RoundHistory } from "./round-history.ts";
import { type ModelOfRound, type RoundTerms, RoundWork } from "./round-work.ts";

/** What a participant lacks of a round, asked of another: `RoundMachine.answer`. */
export const ROUND_SYNC_PROTOCOL = "/x0tta6bl4/fl-sync/1";
export const ROUND_SYNC_REQUEST_BYTES_MAX = 20 * 1024;
/** Two megabytes of messages, each with its length. */
const SYNC_ANSWER_BYTES_MAX = 2 * 1024 * 1024 + 64 * 1024;
const SYNC_TIMEOUT_MS = 10_000;
/** After a refusal of the disk, the run begins again from what is there. */
const RESTART_MS = 5_000;

type ActionOf<Kind extends RoundAction["kind"]> = Extract<RoundAction, { kind: Kind }>;

export interface CertifiedRunDeps {
  readonly network: Pick<
    Network,
    "request" | "openStream" | "publish" | "subscribe" | "unsubscribe"
  >;
  readonly store: StateStore;
  readonly identities: NodeIdentities;
  readonly engine: Pick<CryptoEngine, "mlDsa65" | "sha256">;
  readonly signer: MlDsaSigner;
  readonly budget: MemoryBudget;
  /** Members that the DHT names as holders of a content. */
  readonly findHolders: ContentFetcherDeps["findHolders"];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly self: PeerIdentity;
  /** May this node take part in the rounds of a task? */
  readonly maySpeak: (nodeId: NodeId) => boolean;
  readonly onLearning: (status: LearningStatus | null) => void;
  readonly onEquivocation: (nodeId: NodeId, proof: Uint8Array) => void;
}

export interface CertifiedRunOptions {
  readonly task: TaskManifest;
  readonly signed: Uint8Array;
  readonly adversary: boolean;
  readonly resume: StoredTask | undefined;
  readonly csvText: string | undefined;
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
  /** Digest of the manifest. */
  readonly #digest: string;
  readonly #policy: RoundOrchestrator;
  readonly #history: RoundHistory;
  readonly #trace: RoundTrace;
  readonly #timers = new Map<RoundTimerId | "restart", NodeJS.Timeout>();
  /** Contents on their way, by digest, with those who are known to hold them. */
  readonly #fetching = new Map<
    string,
    { holders: readonly NodeId[]; readonly end: AbortController }
  >();
  #machine: RoundMachine | undefined;
  #initial = "";
  readonly #refusals: { readonly nodeId: string; readonly code: UpdateRefusalCode }[] = [];
  #computed: (ModelOfRound & { readonly round: number }) | undefined;
  #state: StoredTask["state"] = "running";
  #halted = false;
  #phase:
    | { readonly name: RoundStatus["phase"]; readonly round: number; readonly sinceMs: number }
    | undefined;
  #roundSinceMs = 0;

  /** @throws MeshError `learning/bad-task` when the task's rounds cannot be certified so */
  constructor(deps: CertifiedRunDeps, options: CertifiedRunOptions) {
    const { task, adversary, csvText } = options;
    this.task = task;
    this.#deps = deps;
    this.#options = options;
    const { engine, store, network, tracer } = deps;
    this.#sha256 = (bytes) => engine.sha256(bytes);
    this.#digest = toHex(engine.sha256(encodeTask(task)));
    const policy = orchestratorOf({ hash: this.#sha256 }, task);
    if (policy === undefined) throw new TypeError("an epidemic task has no certified rounds");
    this.#policy = policy;
    this.#history = new RoundHistory(store.rounds, task);
    this.#save();
    this.#trace = new RoundTrace(tracer, task);
    const { nodeId: self } = deps.self;
    const csv = csvText === undefined ? {} : { csvText };
    const trainer = new TrainingThread({ task, self, adversary, ...csv });
    const sha256 = this.#sha256;
    const contents = (this.#contents = new ContentStore(sha256, deps.budget));
    const openStream: Network["openStream"] = (...wanted) => network.openStream(...wanted);
    const fetcher = new ContentFetcher({ ...deps, openStream, sha256, store: contents });
    const work = { trainer, contents, fetcher, store: store.rounds, sha256 };
    this.#work = new RoundWork(work, { task, self, adversary });
    deps.network.subscribe(options.topic, (from, bytes) => this.#gossiped(from, bytes));
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
    this.#deps.network.unsubscribe(this.#options.topic);
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

  /** What a participant lacks of what this node has: each message as `uint32 length || bytes`. */
  answerSync(status: Uint8Array): Uint8Array {
    const lacking = this.#machine?.answer(status) ?? [];
    return concatBytes(...lacking.flatMap((message) => [uint32be(message.length), message]));
  }

  #start(): void {
    if (this.#halted || this.#state === "failed") return;
    const { engine, signer, meter, identities, store, self } = this.#deps;
    const { taskId, participants, byzantine, rounds, aggregator } = this.task;
    const last = store.rounds.certificateAt(taskId, this.#history.last?.round ?? 0);
    this.#machine = new RoundMachine(
      {
        ...{ sha256: this.#sha256, signer, meter, mlDsa: engine.mlDsa65 },
        publicKeyOf: (nodeId) =>
          this.#deps.maySpeak(nodeId as NodeId)
            ? identities.lookup(nodeId as NodeId)?.mldsa65
            : undefined,
        certificateAt: (round) => store.rounds.certificateAt(taskId, round),
      },
      {
        ...{ self: self.nodeId, participants, byzantine, rounds, policy: this.#policy },
        task: this.#digest,
        initialModel: this.#initial,
        updateBytesMax: this.#work.updateBytes,
        rule: toHex(ruleDigest(engine, { aggregator, byzantine })),
        resume: {
          ...(last === undefined ? {} : { certificate: last }),
          journal: store.rounds.journalOf(taskId, (this.#history.last?.round ?? 0) + 1),
          proofs: store.rounds.proofs(taskId),
        },
      },
    );
    this.#roundSinceMs = this.#deps.clock.now().monoMs;
    this.#handle({ kind: "started" });
  }

  #handle(event: RoundEvent): void {
    const machine = this.#machine;
    if (machine === undefined) return;
    this.#run(machine.handle(event, this.#deps.clock.now()));
  }

  /** Carries actions out in their order. The first that the disk refuses ends it: nothing after it may be done. */
  #run(actions: readonly RoundAction[]): void {
    for (const action of actions) {
      if (this.#machine === undefined) return;
      try {
        this.#carryOut(action);
      } catch (error) {
        if (!isMeshError(error)) throw error;
        return this.#restartLater(error);
      }
    }
    this.#observePhase();
  }

  #carryOut(action: RoundAction): void {
    const { network, store, logger } = this.#deps;
    const { taskId } = this.task;
    switch (action.kind) {
      case "publish":
        return this.#inBackground("publish", network.publish(this.#options.topic, action.bytes));
      case "persist":
        return store.rounds.journal(taskId, action.round, action.messages);
      case "train":
        this.#deps.onLearning({ taskId, round: action.round });
        return this.#inBackground("train", this.#train(action));
      case "fetch-update":
        return this.#fetchUpdate(action);
      case "fetch-model":
        return this.#fetchModel(action);
      case "aggregate":
        return this.#inBackground("aggregate", this.#aggregate(action));
      case "certified":
        return this.#certified(action);
      case "evidence":
        store.rounds.saveProof(taskId, action.nodeId, action.proof);
        logger.warn(
          { code: "learning/equivocation", taskId, nodeId: action.nodeId },
          "participant contradicted itself",
        );
        return this.#deps.onEquivocation(action.nodeId as NodeId, action.proof);
      case "sync":
        return this.#inBackground("sync", this.#sync(action));
      case "set-timer":
        return this.#setTimer(action.id, action.delayMs);
      case "split":
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

  /** What updates of the open round are coded by. */
  #terms(round: number): RoundTerms {
    const { last } = this.#history;
    return {
      round,
      model: last?.model ?? this.#initial,
      stepSize: this.#history.stepSize ?? FIRST_STEP,
      seed: last?.certificate ?? genesisDigest(this.#sha256, this.#digest, this.#initial),
    };
  }

  async #train({ round }: ActionOf<"train">): Promise<void> {
    this.#trace.begin(round);
    const terms = this.#terms(round);
    await this.#measure(terms.model);
    const facts = await this.#trace.within(() => this.#work.train(terms, this.#policy.deadlineMs));
    if (facts === undefined) {
      this.#deps.logger.warn(
        { code: "learning/trainer-failed", taskId: this.task.taskId, round },
        "round without an own update",
      );
      return;
    }
    this.#trace.phase("exchange");
    this.#handle({ kind: "trained", baseRound: round - 1, facts });
  }

  #fetchUpdate({ header, holders }: ActionOf<"fetch-update">): void {
    this.#fetch(header.update, [header.nodeId, ...holders], async (known, signal) => {
      const terms = this.#terms(header.round);
      const refused = await this.#work.fetchUpdate(header, terms, known, signal);
      const { meter } = this.#deps;
      if (refused === undefined) meter.count("meshd_learning_updates_received_total");
      else this.#refuse(header, refused);
      const kind = refused === undefined ? "update-available" : "update-refused";
      this.#handle({ kind, header: header.digest });
    });
  }

  #refuse({ nodeId, round }: UpdateHeader, code: UpdateRefusalCode): void {
    this.#refusals.push({ nodeId, code });
    this.#deps.meter.count("meshd_learning_updates_rejected_total", { code });
    this.#deps.logger.warn({ code, taskId: this.task.taskId, round, nodeId }, "update refused");
  }

  #fetchModel({ round, model, holders }: ActionOf<"fetch-model">): void {
    this.#fetch(model, holders, async (known, signal) => {
      await this.#work.fetchModel(round, model, known, signal);
      this.#handle({ kind: "model-available", model });
      if (this.#state !== "running") await this.#measure(model);
    });
  }

  /** One fetch a content; a repeated wish brings new holders. */
  #fetch(
    digest: string,
    holders: readonly string[],
    work: (known: () => readonly NodeId[], signal: AbortSignal) => Promise<void>,
  ): void {
    const others = holders.filter((nodeId) => nodeId !== this.#deps.self.nodeId) as NodeId[];
    const running = this.#fetching.get(digest);
    if (running !== undefined) {
      running.holders = others;
      return;
    }
    const fetch = { holders: others, end: new AbortController() };
    this.#fetching.set(digest, fetch);
    const done = work(() => fetch.holders, fetch.end.signal).finally(() => {
      if (this.#fetching.get(digest) === fetch) this.#fetching.delete(digest);
    });
    this.#inBackground("fetch", done);
  }

  async #aggregate({ round, headers }: ActionOf<"aggregate">): Promise<void> {
    this.#trace.phase("aggregate");
    const terms = this.#terms(round);
    const computed = await this.#work.aggregate(terms, headers);
    const { model } = computed.result;
    if (this.#history.last?.round === round && this.#history.last.model === model) {
      // The others were faster: the round is certified already.
      this.#history.explained(computed.influences);
      this.#handle({ kind: "model-available", model });
      return;
    }
    this.#computed = { ...computed, round };
    this.#handle({ kind: "aggregated", round, result: computed.result });
  }

  #certified({ certificate, bytes, own }: ActionOf<"certified">): void {
    const { meter, logger, clock } = this.#deps;
    const { taskId } = this.task;
    const { round, decision, result } = certificate;
    const computed = own === "same" && this.#computed?.round === round ? this.#computed : undefined;
    const durationMs = clock.now().monoMs - this.#roundSinceMs;
    const refusals = this.#refusals.splice(0);
    const influences = computed?.influences ?? [];
    const report = this.#history.add(certificate, bytes, { influences, refusals, durationMs });
    this.#computed = undefined;
    this.#roundSinceMs = clock.now().monoMs;
    for (const { end } of this.#fetching.values()) end.abort();
    this.#fetching.clear();
    this.#inBackground("forget", this.#work.endRound());
    this.#contents.keepOnly(this.#history.models(this.#initial));
    meter.count("meshd_learning_rounds_total", { result: report.result });
    meter.observe("meshd_learning_round_duration_seconds", durationMs / 1000);
    meter.set("meshd_learning_round", round);
    if (own === "other")
      logger.error(
        { code: "learning/diverged", taskId, round },
        "this node computed another result than was certified",
      );
    logger.info(
      {
        taskId,
        round,
        result: report.result,
        own,
        contributors: decision.kind === "set" ? decision.entries.length : 0,
        model: result.model,
        durationMs,
      },
      "training round certified",
    );
    this.#trace.end(decision.kind === "void" ? "learning/void" : undefined);
  }

  /** Loss and accuracy of the newest model, for status and for this node's next header. */
  async #measure(model: string): Promise<void> {
    const evaluation = await this.#work.measure(model);
    if (evaluation === undefined || this.#halted) return;
    const { loss, accuracy } = evaluation;
    this.#deps.meter.set("meshd_learning_loss", loss);
    this.#deps.meter.set("meshd_learning_accuracy_ratio", accuracy);
    this.#history.measured(model, loss, accuracy);
  }

  async #sync({ nodeId, bytes }: ActionOf<"sync">): Promise<void> {
    try {
      const answer = await this.#deps.network.request(
        nodeId as NodeId,
        ROUND_SYNC_PROTOCOL,
        bytes,
        {
          timeoutMs: SYNC_TIMEOUT_MS,
          responseBytesMax: SYNC_ANSWER_BYTES_MAX,
        },
      );
      const reader = new ByteReader(answer);
      while (reader.remaining > 0) this.#receive(reader.take(reader.uint32be()).slice());
    } finally {
      this.#handle({ kind: "synced", nodeId });
    }
  }

  #receive(bytes: Uint8Array): GossipDecision {
    const machine = this.#machine;
    if (machine === undefined) return "ignore";
    const { verdict, actions } = machine.receive(bytes, this.#deps.clock.now());
    this.#run(actions);
    return verdict;
  }

  #gossiped(from: NodeId, bytes: Uint8Array): Promise<GossipDecision> {
    if (!this.task.participants.includes(from) || !this.#deps.maySpeak(from)) {
      return Promise.resolve("ignore");
    }
    return Promise.resolve(this.#receive(bytes.slice()));
  }

  #setTimer(id: RoundTimerId, delayMs: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        this.#handle({ kind: "timer", id });
      }, delayMs),
    );
  }

  /** How long each phase of a round took. */
  #observePhase(): void {
    const status = this.#machine?.status();
    if (status === undefined) return;
    const { phase: name, round } = status;
    const before = this.#phase;
    if (before?.name === name && before.round === round) return;
    const nowMs = this.#deps.clock.now().monoMs;
    if (before !== undefined && before.name !== "finished") {
      const seconds = (nowMs - before.sinceMs) / 1000;
      this.#deps.meter.observe("meshd_learning_phase_duration_seconds", seconds, {
        phase: before.name,
      });
    }
    this.#phase = { name, round, sinceMs: nowMs };
  }

  /** What fails here is tried again by the machine's repetitions; a refusal of the disk is more than that. */
  #inBackground(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (this.#halted) return;
      if (isMeshError(error, "state/write-failed")) return this.#restartLater(error);
      const level = isMeshError(error) ? "debug" : "error";
      const fields = {
        code: errorCode(error),
        taskId: this.task.taskId,
        error: errorMessage(error),
      };
      this.#deps.logger[level](fields, `${what} failed`);
    });
  }

  /** Forgets what is in memory of the rounds, and goes on from the disk after a while. */
  #restartLater(error: unknown): void {
    if (this.#machine === undefined) return;
    this.#pause();
    this.#deps.meter.count("meshd_learning_pauses_total");
    this.#deps.logger.error(
      { code: errorCode(error), taskId: this.task.taskId, error: errorMessage(error) },
      "training paused: its state cannot be kept",
    );
    this.#timers.set(
      "restart",
      setTimeout(() => this.#start(), RESTART_MS),
    );
  }

  #pause(): void {
    this.#machine = undefined;
    this.#trace.end("learning/halted");
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const { end } of this.#fetching.values()) end.abort();
    this.#fetching.clear();
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
    if (state === "finished" && last !== undefined) {
      this.#inBackground("evaluate", this.#measure(last.model));
    } else void this.halt();
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
