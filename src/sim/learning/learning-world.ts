// The training of a scenario: one task among all nodes of a swarm, their disks, what liars do to it, and who is told what happens.

import { computeRound } from "../../learning/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Meter } from "../../ports/index.ts";
import type { SimEngine } from "../census.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { NodeIndex, SimNode } from "../node-types.ts";
import { hashWords } from "../random.ts";
import type { RunPlan } from "../scenarios/plan.ts";
import type { Learning } from "../scenarios/schema.ts";
import type { Swarm } from "../swarm.ts";
import { LearnerDisks, type LearnerDisk } from "./learner-disk.ts";
import { LearningNode } from "./learning-node.ts";
import { type LearningTask, learningTask } from "./learning-task.ts";
import type { LearningLies, LearningListener, ParticipantSetting } from "./learning-types.ts";
import { type TrainingBase, Trainings } from "./trainings.ts";

/** A training takes between these shares of the deadline; in a stream, which waits for nobody, it may outlast its tick. */
const TRAINING_SHARE = { least: 0.05, most: 0.4, mostInStream: 1.5 };

export interface LearningWorldParts {
  readonly swarm: Swarm;
  readonly plan: RunPlan & { readonly learning: Learning };
  readonly lies: LearningLies;
  /** One that no fault touches. */
  readonly engine: SimEngine;
  /** For sabotage. @default computeRound */
  readonly compute?: typeof computeRound;
}

const silentMeter: Meter = {
  count: () => undefined,
  set: () => undefined,
  observe: () => undefined,
};

/** One task and all who take part. */
export class LearningWorld {
  readonly task: LearningTask;
  readonly trainings: Trainings;
  readonly lies: LearningLies;
  readonly liarIds: ReadonlySet<string>;
  readonly #parts: LearningWorldParts;
  readonly #disks = new LearnerDisks();
  readonly #boots = new Map<NodeIndex, number>();
  readonly #listeners: LearningListener[] = [];
  readonly #finished = new Set<NodeIndex>();
  readonly #placement: number;

  /** @throws MeshError `learning/bad-task` */
  constructor(parts: LearningWorldParts) {
    const { swarm, plan, engine, lies } = parts;
    const nodeIds = swarm.census.all.map(({ identity }) => identity.nodeId);
    this.#parts = parts;
    this.lies = lies;
    this.liarIds = new Set([...lies.liars].flatMap((node) => nodeIds[node] ?? []));
    this.task = learningTask(plan.learning, { seed: plan.seed, nodeIds, engine });
    this.trainings = new Trainings(this.task);
    this.#placement = swarm.world.random.fork("trainings").uint32();
  }

  watch(...listeners: readonly LearningListener[]): void {
    this.#listeners.push(...listeners);
  }

  /** Nodes that never lie. */
  get honest(): NodeIndex[] {
    const { census } = this.#parts.swarm;
    return census.all.map(({ index }) => index).filter((node) => !this.lies.liars.has(node));
  }

  /** Whether every honest participant has the task's last certificate. */
  get isFinished(): boolean {
    return this.honest.every((node) => this.#finished.has(node));
  }

  /** What a node's disk says of its training. */
  diskOf(node: NodeIndex): LearnerDisk {
    return this.#disks.of(node, 0);
  }

  /** Puts a participant beside what is in a node. */
  wrap(node: NodeIndex, inner: SimNode<MeshDatagram>): SimNode<MeshDatagram> {
    const { swarm, plan } = this.#parts;
    const boot = (this.#boots.get(node) ?? 0) + 1;
    this.#boots.set(node, boot);
    const twins = Array.from({ length: this.#twinsOf(node) }, (_, twin) =>
      this.#setting(node, twin, boot),
    );
    return new LearningNode({
      ...{ node, inner, twins, lies: this.lies, census: swarm.census },
      beginInMs: Math.max(0, plan.learning.start - swarm.nowMs),
      accuse: (proof, now) => swarm.node(node)?.accuse(proof, now) ?? [],
      peers: () => swarm.world.peers(node),
      nowMs: () => swarm.nowMs,
    });
  }

  /** How many machines of one identity a node has: who contradicts itself is several (Bano et al. 2022, Twins). */
  #twinsOf(node: NodeIndex): number {
    const counts = this.#parts.plan.faults.map((fault) => {
      if (!("nodes" in fault) || !fault.nodes.includes(node)) return 1;
      return fault.inject === "contradict"
        ? 2
        : fault.inject === "flood_updates"
          ? fault.factor
          : 1;
    });
    return Math.max(1, ...counts);
  }

  #setting(node: NodeIndex, twin: number, boot: number): ParticipantSetting {
    const { swarm, engine, compute = computeRound } = this.#parts;
    const { census, ailments } = swarm;
    const { identity, signer } = census.at(node);
    const { nodeId } = identity;
    const { task, trainings } = this;
    return {
      ...{ task, nodeId, silentMeter, trainings, compute },
      hasTwins: this.#twinsOf(node) > 1,
      author: `${nodeId}/${twin}/${boot}`,
      engine: ailments.engine(node, engine),
      signer: ailments.signer(node, signer),
      publicKeyOf: (id) => census.find(id as NodeId)?.identity.mldsa65,
      disk: this.#disks.of(node, twin),
      isDiskFull: () => {
        const { diskFull } = ailments.of(node);
        if (diskFull) ailments.bite("disk_full");
        return diskFull;
      },
      trainingMs: (round) => {
        const { least, most: prompt, mostInStream } = TRAINING_SHARE;
        const most = task.orchestrator.stalenessMax > 0 ? mostInStream : prompt;
        const share = hashWords(this.#placement + twin, node, round) / 2 ** 32;
        return task.orchestrator.deadlineMs * (least + (most - least) * share);
      },
      update: (base) => this.#update(node, twin, base),
      tell: this.#tell(node),
    };
  }

  #update(node: NodeIndex, twin: number, base: TrainingBase) {
    const { nodeId } = this.#parts.swarm.census.at(node).identity;
    const poison = this.lies.active(node, "poison");
    if (poison !== undefined) {
      this.lies.did("poison", node);
      const { attack } = poison;
      const liars = { colluding: this.#colluding(attack), all: this.liarIds };
      return { row: this.trainings.poisoned(nodeId, attack, base, liars), lies: true };
    }
    const row = this.trainings.honest(nodeId, base);
    // A second opinion of the same participant is the opposite of the first.
    return twin === 0 ? { row, lies: false } : { row: row.map((value) => -value), lies: true };
  }

  #colluding(attack: string): Set<string> {
    const { census } = this.#parts.swarm;
    const same = [...this.lies.liars].filter(
      (node) => this.lies.active(node, "poison")?.attack === attack,
    );
    return new Set(same.map((node) => census.at(node).identity.nodeId));
  }

  /** Only what honest participants see is told. */
  #tell(node: NodeIndex): ParticipantSetting["tell"] {
    const { swarm } = this.#parts;
    const tell = (what: (listener: LearningListener) => void): void => {
      if (!this.lies.liars.has(node)) for (const listener of this.#listeners) what(listener);
    };
    return {
      certified: (certificate, own) => {
        const { round, digest } = certificate;
        this.#record("round-certified", node, round, digest);
        tell((one) => one.roundCertified?.(node, certificate, own));
      },
      computed: (computed) => tell((one) => one.roundComputed?.(node, computed)),
      convicted: (id) => {
        const subject = swarm.census.find(id as NodeId)?.index;
        if (subject !== undefined) tell((one) => one.convicted?.(node, subject));
      },
      split: (round) => tell((one) => one.split?.(node, round)),
      finished: (round) => {
        this.#record("task-finished", node, round, "");
        this.#finished.add(node);
      },
      fetched: (bytes) => tell((one) => one.fetched?.(node, bytes)),
    };
  }

  #record(kind: string, node: NodeIndex, round: number, digest: string): void {
    const content = digest === "" ? 0 : Number.parseInt(digest.slice(0, 8), 16);
    const { world } = this.#parts.swarm;
    world.trace.record({
      ...{ atMs: world.nowMs, kind, node, peer: node, detail: "" },
      ...{ value: round, content },
    });
  }
}
