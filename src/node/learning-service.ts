// Learning on this node: takes signed tasks from the mesh, carries them out (learning/task-queue.ts), and answers control
// requests.

import type { GossipDecision } from "../adapters/libp2p/gossip.ts";
import type { Network } from "../adapters/libp2p/network.ts";
import { roundsTopicOf, topicOf } from "../adapters/libp2p/topics.ts";
import type { StateStore, StoredTask } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type { FlRun, FlRunRequest } from "../control/index.ts";
import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import { errorCode, ok, MeshError, refuse, type Result, utf8Text } from "../foundation/index.ts";
import type { NodeId, PeerIdentity, Right } from "../identity/index.ts";
import {
  type Anomaly,
  decodeSignedTask,
  orchestratorOf,
  signTask,
  TASK_BYTES_MAX,
  type TaskManifest,
  type TaskOrder,
} from "../learning/index.ts";
import type { LearningStatus } from "../mesh/index.ts";
import type { Clock, Logger, Meter, Tracer } from "../ports/index.ts";
import type { NodeIdentities } from "./identity-directory.ts";
import { checkAvailable } from "./learning/availability.ts";
import { AnomalyJudge } from "./learning/anomaly-judge.ts";
import { CertifiedRun } from "./learning/certified-run.ts";
import { LearningKernels } from "./learning/kernels.ts";
import type { LearningRun } from "./learning/learning-run.ts";
import { TrainerDesk } from "./learning/trainer-desk.ts";
import { MemoryBudget } from "./learning/memory-budget.ts";
import { ModelShelf } from "./learning/model-shelf.ts";
import { identityOf, RoundServer } from "./learning/round-server.ts";
import { storedView } from "./learning/stored-task.ts";
import { decisionOn, TaskGate, type TaskRefusalCode } from "./learning/task-gate.ts";
import { TaskOrders } from "./learning/task-orders.ts";
import { TaskQueue, type TaskStart } from "./learning/task-queue.ts";
import { noTask, TaskReports } from "./learning/task-reports.ts";
import { type MeshReading, TelemetryWatch } from "./learning/telemetry-watch.ts";
import { csvTextOf, type ManifestContext, manifestOf } from "./task-manifest.ts";
import { PULL_PROTOCOL, PULL_REQUEST_BYTES_MAX, TaskRun } from "./task-run.ts";

/** A signed task, pushed to its participants; the answer is empty. */
const TASK_PROTOCOL = "/x0tta6bl4/fl-task/1";
/** Pulls that one peer may have waiting here. */
const PULLS_PER_PEER_MAX = 8;

export interface LearningServiceDeps {
  readonly network: Network;
  readonly store: StateStore;
  readonly identities: NodeIdentities;
  readonly engine: Pick<CryptoEngine, "mlDsa65" | "sha256">;
  readonly signer: MlDsaSigner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly self: PeerIdentity;
  readonly allows: (spiffeId: string, right: Right) => boolean;
  /** Members that may take part, this node included. Those that are away now do so only when they are named. */
  readonly members: () => ManifestContext["members"];
  /** For models of telemetry. */
  readonly mesh: () => MeshReading;
  /** The own beacon tells what this node learns. */
  readonly onLearning: (status: LearningStatus | null) => void;
  /** A participant signed two things where it may sign one: evidence for the whole mesh. */
  readonly onEvidence: (evidence: Uint8Array) => void;
}

export interface LearningServiceOptions {
  readonly learning: Config["learning"];
  /** Whether models may go through relays. @default false */
  readonly relayed?: boolean;
  readonly zone: string;
  readonly clockSkewMs: number;
}

export class LearningService {
  readonly #deps: LearningServiceDeps;
  readonly #config: Config["learning"];
  readonly #options: LearningServiceOptions;
  /** Where local trainers come. */
  readonly trainer: TrainerDesk;
  /** Models that operators give. */
  readonly shelf: ModelShelf;
  /** What operators are told. */
  readonly reports: TaskReports;
  readonly #kernels: LearningKernels;
  readonly #anomalies = new AnomalyJudge();
  readonly #watch: TelemetryWatch;
  readonly #orders: TaskOrders;
  readonly #budget: MemoryBudget;
  readonly #gate: TaskGate;
  readonly #tasks: TaskQueue;

  constructor(deps: LearningServiceDeps, options: LearningServiceOptions) {
    this.#deps = deps;
    this.trainer = new TrainerDesk(deps);
    this.shelf = new ModelShelf(deps.store.rounds, (bytes) => deps.engine.sha256(bytes));
    this.#config = options.learning;
    this.#options = options;
    this.#kernels = new LearningKernels(deps.logger);
    this.#watch = new TelemetryWatch({ ...deps, judge: (samples) => this.#judge(samples) });
    const knowsTask = (taskId: string): boolean => deps.store.knowsTask(taskId);
    this.#gate = new TaskGate({ ...deps, knowsTask }, options.clockSkewMs);
    this.#orders = new TaskOrders(deps, {
      clockSkewMs: options.clockSkewMs,
      taskOf: (taskId) => this.#taskOf(taskId),
      spend: (from) => this.#gate.spend(from),
      carryOut: (order) => this.#obey(order),
    });
    this.#budget = new MemoryBudget(deps.meter, options.learning.memoryBytes);
    this.#tasks = new TaskQueue({
      ...{ logger: deps.logger, meter: deps.meter },
      begin: (start, onEnded) => this.#begin(start, onEnded),
      onEnded: () => deps.onLearning(null),
    });
    this.reports = new TaskReports({
      ...{ ...deps, tasks: this.#tasks },
      anomaly: () => this.anomaly,
    });
  }

  /** Why training is slower than it need be. */
  get kernelProblem(): MeshError | undefined {
    return this.#kernels.problem;
  }

  /** What the learned detector makes of this node now; `undefined` without a model. */
  get anomaly(): Anomaly | undefined {
    return this.#watch.anomaly;
  }

  /** Serves the learning protocols and resumes a task that a restart interrupted. */
  async start(): Promise<void> {
    const { network, store } = this.#deps;
    network.subscribe(this.#topic(), (from, bytes) => this.#gossiped(from, bytes));
    await network.serve(
      TASK_PROTOCOL,
      { requestBytesMax: TASK_BYTES_MAX, streamsPerPeerMax: 2, relayed: true },
      async (peer, bytes) => {
        // The creator's signature is what counts: any participant may hand the task on to one that comes late.
        const from = this.#requireTrainer(identityOf(peer));
        const accepted = await this.#accept(bytes, from.nodeId);
        if (!accepted.ok) throw new MeshError(accepted.code, accepted.detail ?? accepted.code);
        return new Uint8Array(0);
      },
    );
    await network.serve(
      PULL_PROTOCOL,
      {
        requestBytesMax: PULL_REQUEST_BYTES_MAX,
        streamsPerPeerMax: PULLS_PER_PEER_MAX,
        relayed: this.#options.relayed ?? false,
      },
      (peer, request, signal) => {
        const asker = this.#requireTrainer(identityOf(peer));
        this.#orders.remind(asker.nodeId, utf8Text(request).split("\n", 1)[0] ?? "");
        return TaskRun.answerPull(
          (taskId) => this.#epidemicRun(taskId),
          ...[asker, request, signal],
        );
      },
    );
    await this.#serveRounds();
    await this.#orders.start();
    const last = storedView(store);
    if (last !== undefined) this.#anomalies.learn(last.task, last.model);
    this.#resume(store.latestTask());
    if (this.#config.enabled) this.#watch.start();
  }

  /** Ends the running task without forgetting it: the next start resumes it. */
  async stop(): Promise<void> {
    this.#watch.stop();
    await this.#tasks.stop();
  }

  /** Newest rounds in a row of the running task that brought no new model. */
  get voidRounds(): number {
    const { current } = this.#tasks;
    return current instanceof CertifiedRun ? current.voidRounds : 0;
  }

  /** The open round of the running task, when its results contradict each other. */
  get splitRound(): number | undefined {
    const { current } = this.#tasks;
    return current instanceof CertifiedRun ? current.splitRound : undefined;
  }

  /**
   * A member is connected: it may have missed the last task, or an order about it. A finished one counts too: who comes when
   * all is over follows its certificates to the same model.
   */
  peerHere(nodeId: NodeId): void {
    const task = this.reports.last?.task;
    if (task?.participants.includes(nodeId) !== true) return;
    this.#orders.remind(nodeId, task.taskId);
    const run = this.#tasks.get(task.taskId);
    if (run instanceof CertifiedRun && run.isServed) this.#handOver(nodeId, run.signed);
  }

  peerGone(nodeId: NodeId): void {
    this.#tasks.current?.peerGone(nodeId);
  }

  /**
   * Makes a task of what an operator wrote, signs it and hands it to its participants; a dry run only says what it would be.
   * @throws MeshError `control/disabled`, `control/task-running`, `control/unknown-participant`, `learning/bad-task`
   */
  async begin({ task: draft, dryRun }: FlRunRequest): Promise<FlRun> {
    const { clock, signer, self, engine } = this.#deps;
    this.#requireCoordinator();
    const members = this.#deps.members();
    const manifest = manifestOf(draft, {
      ...{ self, config: this.#config, members, engine },
      nowMs: clock.now().wallMs,
    });
    const available = checkAvailable(manifest);
    if (!available.ok) throw cannotStart(available.code, available.detail);
    // Refuses zones that its draws would too often lose.
    orchestratorOf({ hash: (bytes) => engine.sha256(bytes) }, manifest);
    this.shelf.require(manifest);
    const started = dryRun !== true;
    if (started) await this.#launch(manifest, signTask(signer, manifest));
    return {
      started,
      taskId: manifest.taskId,
      task: { ...manifest },
      participants: manifest.participants.map(this.reports.nameOf),
      absent:
        draft["participants"] === undefined
          ? members.filter(({ alive }) => !alive).map(({ name }) => name)
          : [],
    };
  }

  /**
   * Ends the running task, for all participants or for this node alone; the id of it.
   * @throws MeshError `control/disabled` without the right to end it for all
   */
  end(scope: "mesh" | "node"): string | null {
    const run = this.#tasks.current;
    if (scope === "mesh" && run !== undefined) this.#orders.issue(run.task, "stop");
    else this.#tasks.end();
    return run?.task.taskId ?? null;
  }

  /**
   * Goes on with the last task where it was stopped, on all participants or on this node alone; the id of it.
   * @throws MeshError `control/task-running`, `control/no-task`, `control/disabled`
   */
  goOn(scope: "mesh" | "node"): string {
    const { current } = this.#tasks;
    if (current !== undefined) throw taskRunning(current.task);
    const { task, state } = this.reports.last ?? noTask();
    if (state === "finished") {
      throw new MeshError(
        "control/no-task",
        `Task '${task.taskId}' is finished: there is nothing to go on with. Start another with meshctl fl run.`,
      );
    }
    if (scope === "mesh") this.#orders.issue(task, "resume");
    else this.#again(task.taskId);
    if (this.#tasks.refused !== undefined) throw this.#tasks.refused;
    return task.taskId;
  }

  /** Ends the threads of the running task and takes it up again from the disk; without a task there is nothing to do. */
  async restart(): Promise<void> {
    if (await this.#tasks.letGo()) this.#resume(this.#deps.store.latestTask());
  }

  #requireCoordinator(): void {
    if (!this.#config.enabled)
      throw new MeshError(
        "control/disabled",
        "Learning is off on this node. Set learning.enabled to true.",
      );
    const { spiffeId } = this.#deps.self;
    if (this.#deps.allows(spiffeId, "fl.coordinate")) return;
    throw new MeshError(
      "control/disabled",
      `The policy does not give ${spiffeId} the right fl.coordinate. Add it to the policy.`,
    );
  }

  async #launch({ participants }: TaskManifest, bytes: Uint8Array): Promise<void> {
    const { network, self } = this.#deps;
    const { current } = this.#tasks;
    if (current !== undefined) throw taskRunning(current.task);
    const accepted = await this.#accept(bytes, self.nodeId);
    if (!accepted.ok) throw cannotStart(accepted.code, accepted.detail);
    if (this.#tasks.refused !== undefined) throw this.#tasks.refused;
    await network.publish(this.#topic(), bytes);
    for (const nodeId of participants) {
      if (nodeId !== self.nodeId) this.#handOver(nodeId as NodeId, bytes);
    }
  }

  #handOver(nodeId: NodeId, task: Uint8Array): void {
    const { network, logger } = this.#deps;
    network
      .request(nodeId, TASK_PROTOCOL, task, { timeoutMs: 5_000, responseBytesMax: 16 })
      .catch((error: unknown) => {
        logger.debug(
          { code: errorCode(error), nodeId },
          "task not delivered directly; gossip may bring it",
        );
      });
  }

  /** How unlike the mesh's usual self this node behaves, once there is a model that can tell. */
  #judge(samples: readonly Float32Array[]): Anomaly | undefined {
    const run = this.#tasks.last;
    if (run !== undefined) this.#anomalies.learn(run.task, run.model);
    return this.#anomalies.judge(samples);
  }

  /** What participants of certified rounds ask each other for. */
  #serveRounds(): Promise<void> {
    const server = new RoundServer({
      network: this.#deps.network,
      runs: () => this.#tasks.all.filter((run) => run instanceof CertifiedRun),
      requireTrainer: (identity) => this.#requireTrainer(identity).nodeId,
      seen: (nodeId, taskId) => this.#orders.remind(nodeId, taskId),
    });
    return server.start(this.#options.relayed ?? false);
  }

  #epidemicRun(taskId: string): TaskRun | undefined {
    const run = this.#tasks.get(taskId);
    return run instanceof TaskRun ? run : undefined;
  }

  /** Goes on with a stopped task, if it is still the last one and no other has begun since. */
  #again(taskId: string): void {
    const stored = this.#deps.store.latestTask();
    if (stored?.taskId !== taskId || stored.state === "finished") return;
    if (this.#tasks.current !== undefined) return;
    this.#resume({ ...stored, state: "running" });
  }

  #obey({ taskId, action }: TaskOrder): void {
    if (action === "resume") return this.#again(taskId);
    this.#tasks.end(taskId);
  }

  /** The manifest of a task that runs or ran here last. */
  #taskOf(taskId: string): TaskManifest | undefined {
    const run = this.#tasks.get(taskId);
    if (run !== undefined) return run.task;
    const last = this.reports.last?.task;
    return last?.taskId === taskId ? last : undefined;
  }

  #topic(): string {
    return topicOf(this.#deps.self.trustDomain, this.#options.zone, "tasks");
  }

  #requireTrainer(identity: PeerIdentity | undefined): PeerIdentity {
    if (identity !== undefined && this.#deps.allows(identity.spiffeId, "fl.train")) return identity;
    throw new MeshError("learning/not-allowed", "The peer has not the right fl.train.");
  }

  async #gossiped(from: NodeId, bytes: Uint8Array): Promise<GossipDecision> {
    const accepted = await this.#accept(bytes, from);
    if (accepted.ok) return "accept";
    this.#deps.logger.debug({ code: accepted.code, from }, "task refused");
    return decisionOn(accepted.code);
  }

  /** Checks a signed task, and runs or queues it when this node takes part. */
  async #accept(bytes: Uint8Array, from: NodeId): Promise<Result<undefined, TaskRefusalCode>> {
    if (!this.#config.enabled || this.#tasks.isStopped) return refuse("learning/disabled");
    const decoded = decodeSignedTask(bytes);
    if (!decoded.ok) return decoded;
    const { taskId, participants } = decoded.value.manifest;
    const known = this.#tasks.get(taskId);
    if (known !== undefined)
      return known.isSame(bytes) ? ok(undefined) : refuse("learning/wrong-task", "id in use");
    const admitted = await this.#gate.admit(decoded.value, from);
    if (admitted.ok && participants.includes(this.#deps.self.nodeId))
      this.#tasks.add(decoded.value, bytes);
    return admitted;
  }

  #resume(stored: StoredTask | undefined): void {
    if (stored?.state !== "running" || !this.#config.enabled) return;
    const decoded = decodeSignedTask(stored.signed);
    if (decoded.ok)
      this.#tasks.start({ task: decoded.value.manifest, signed: stored.signed, resume: stored });
  }

  /**
   * A node may forget what it signed when its disk was restored. In a task from before that it would contradict itself, and be
   * shut out of the mesh for it.
   * @throws MeshError `learning/state-restored`
   */
  #requireMemoryOf({ taskId, createdAtMs, orchestrator }: TaskManifest): void {
    const restoredAtMs = this.#deps.store.restoredAtMs();
    if (restoredAtMs === undefined || orchestrator.kind === "epidemic") return;
    if (createdAtMs > restoredAtMs + this.#options.clockSkewMs) return;
    throw new MeshError(
      "learning/state-restored",
      `Cannot take part in task '${taskId}': this node's state was restored from a backup after the task began, so it does not know what it signed in it. Wait for the next task.`,
    );
  }

  /** @throws MeshError `learning/bad-data`, `learning/bad-task`, `learning/state-restored` */
  #begin({ task, signed, resume }: TaskStart, onEnded: () => void): LearningRun {
    this.#requireMemoryOf(task);
    const { self, identities, allows } = this.#deps;
    const csvText = csvTextOf(task, this.#config, this.#deps.engine);
    const { adversary } = this.#config;
    const trainers = { desk: this.trainer, samples: () => this.#watch.samples };
    const options = { task, signed, adversary, resume, csvText, trainers, onEnded };
    return task.orchestrator.kind === "epidemic"
      ? new TaskRun({ ...this.#deps, kernels: this.#kernels.open() }, options)
      : new CertifiedRun(
          {
            ...this.#deps,
            ...{ budget: this.#budget, shelf: this.shelf },
            maySpeak: (nodeId) => {
              const identity = nodeId === self.nodeId ? self : identities.lookup(nodeId);
              return identity !== undefined && allows(identity.spiffeId, "fl.train");
            },
          },
          {
            ...options,
            kernels: this.#kernels.module(),
            topic: roundsTopicOf(self.trustDomain, task.taskId),
          },
        );
  }
}

function cannotStart(code: TaskRefusalCode, detail: string | undefined): MeshError {
  return new MeshError(code, `Cannot start the task: ${detail ?? code}.`);
}

function taskRunning({ taskId }: TaskManifest): MeshError {
  return new MeshError(
    "control/task-running",
    `Task '${taskId}' is running. Wait for it or run meshctl fl stop.`,
  );
}
