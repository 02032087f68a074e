// Rounds whose agreement is the protocol's own: one RoundMachine a participant, in virtual time, with delays, faults and liars.
// What the machines ask to be computed is computed once (TaskWork), because all that compute it get the same.
//
// Liars run the honest machine over attacked updates; a schedule adds what they do to the protocol. An equivocator is two
// machines with one key (after Bano et al. 2022, Twins), which contradict each other in every kind of message.

import { assert, concatBytes, type Result, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { Meter, MonoMs, Now, WallMs } from "../../ports/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type {
  RoundEntry,
  RoundOrchestrator,
  RoundOutput,
} from "../orchestrators/round-orchestrator.ts";
import type { Hash } from "../orchestrators/zones.ts";
import {
  type Certificate,
  type ComputedResult,
  RoundMachine,
  type RoundAction,
  type RoundEvent,
  type UpdateHeader,
} from "../protocol/index.ts";
import { SeededRandom } from "../seeded.ts";
import type { TaskManifest } from "../task.ts";
import { modelledSignatures } from "./modelled-signatures.ts";
import type { Schedule } from "./schedules.ts";
import type { TaskWork } from "./task-work.ts";
import { VirtualTime } from "./virtual-time.ts";

const VIEW_TIMEOUT_MS = 500;
const REPUBLISH_MS = 1000;
/** One-way delay of a message or a fetched update. */
const DELAY_MS = { least: 5, most: 50 };
/** A mesh that is cut stays so for this many deadlines. */
const CUT_DEADLINES = 5;
/** A run that certifies nothing for so many deadlines has come to a halt. */
const HALT_DEADLINES = 50;

/** A round as the first honest participant got its certificate. */
export interface CertifiedRound {
  readonly round: number;
  /** Absent when the round was decided to be void. */
  readonly output?: Result<RoundOutput, LearningErrorCode>;
  readonly durationMs: number;
}

interface Node {
  readonly participant: number;
  readonly id: string;
  /** Two machines of one identity have different ones. */
  readonly twin: number;
  readonly isLiar: boolean;
  machine: RoundMachine;
  isUp: boolean;
  /** Counts restarts: what was under way before is lost. */
  life: number;
  journal: { readonly round: number; readonly bytes: Uint8Array }[];
  readonly certificates: Map<number, Uint8Array>;
  readonly proofs: Uint8Array[];
  readonly updates: Set<string>;
  readonly timers: Map<string, number>;
  isFinished: boolean;
}

export interface MachineRoundsDeps {
  readonly task: TaskManifest;
  readonly orchestrator: RoundOrchestrator;
  readonly schedule: Schedule;
  readonly work: TaskWork;
  readonly hash: Hash;
  readonly isLiar: (participant: number) => boolean;
  /** As soon as an honest participant has the certificate. */
  readonly onCertified: (round: CertifiedRound) => void;
}

const silentMeter: Meter = {
  count: () => undefined,
  set: () => undefined,
  observe: () => undefined,
};

/** All participants of a task and the network between them. */
export class MachineRounds {
  /** Bytes of updates fetched and of messages received, by participant. */
  readonly fetched: Float64Array;
  readonly gossiped: Float64Array;
  /** Proofs of contradiction that honest participants made or got. */
  readonly convicted = new Set<string>();
  readonly #deps: MachineRoundsDeps;
  readonly #nodes: Node[];
  readonly #time = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #signatures;
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #entries = new Map<string, RoundEntry>();
  readonly #results = new Map<string, ComputedResult>();
  readonly #outputs = new Map<number, Result<RoundOutput, LearningErrorCode>>();
  readonly #chain = new Map<number, string>();
  #certified = 0;
  #certifiedAtMs = 0;

  constructor(deps: MachineRoundsDeps) {
    this.#deps = deps;
    const { task, hash, schedule } = deps;
    this.fetched = new Float64Array(task.participants.length);
    this.gossiped = new Float64Array(task.participants.length);
    this.#random = new SeededRandom("machines", task.seed);
    this.#signatures = modelledSignatures(hash);
    this.#keys = new Map(
      task.participants.map((id) => [id, this.#signatures.signer(utf8Bytes(id)).publicKey]),
    );
    this.#nodes = task.participants.flatMap((id, participant) => {
      const twins = Array.from({ length: schedule.updatesOf(participant) }, (_, twin) => twin);
      return twins.map((twin) => this.#node(id, participant, twin));
    });
  }

  /** Virtual time of the newest certificate. */
  get certifiedAtMs(): number {
    return this.#certifiedAtMs;
  }

  /** Runs until every honest participant has the last certificate, or none comes any more; true when they have. */
  run(): boolean {
    for (const node of this.#nodes) {
      this.#time.after(this.#delayMs(), () => this.#awake(node));
    }
    const honest = this.#nodes.filter(({ isLiar }) => !isLiar);
    while (!honest.every(({ isFinished }) => isFinished)) {
      const haltMs = this.#certifiedAtMs + HALT_DEADLINES * this.#deps.orchestrator.deadlineMs;
      if (!this.#time.step(haltMs)) return false;
    }
    return true;
  }

  #node(id: string, participant: number, twin: number): Node {
    const node = {
      ...{ id, participant, twin, isUp: false, life: 0, isFinished: false },
      isLiar: this.#deps.isLiar(participant),
      ...{ journal: [], certificates: new Map(), proofs: [], updates: new Set<string>() },
      timers: new Map<string, number>(),
    };
    return { ...node, machine: this.#machine(node) };
  }

  #machine(node: Omit<Node, "machine">): RoundMachine {
    const { task, orchestrator, hash, work } = this.#deps;
    const newest = node.certificates.get(Math.max(0, ...node.certificates.keys()));
    const digestOf = (text: string): string => toHex(hash(utf8Bytes(text)));
    return new RoundMachine(
      {
        sha256: hash,
        mlDsa: this.#signatures,
        signer: this.#signatures.signer(utf8Bytes(node.id)),
        meter: silentMeter,
        publicKeyOf: (id) => this.#keys.get(id),
        certificateAt: (round) => node.certificates.get(round),
      },
      {
        ...{ self: node.id, task: digestOf(`task/${task.taskId}`), rounds: task.rounds },
        ...{ participants: task.participants, byzantine: task.byzantine },
        ...{ initialModel: digestOf(`model/${task.seed}`), rule: digestOf(task.aggregator) },
        ...{ policy: orchestrator, updateBytesMax: work.updateBytes },
        ...{ viewTimeoutMs: VIEW_TIMEOUT_MS, republishMs: REPUBLISH_MS },
        resume: {
          journal: node.journal.map(({ bytes }) => bytes),
          proofs: node.proofs,
          ...(newest === undefined ? {} : { certificate: newest }),
        },
      },
    );
  }

  get #now(): Now {
    return { monoMs: this.#time.nowMs as MonoMs, wallMs: this.#time.nowMs as WallMs };
  }

  #delayMs(): number {
    return this.#random.between(DELAY_MS.least, DELAY_MS.most);
  }

  /** Up or down, as the schedule has it for the round that the mesh is in. */
  #awake(node: Node): void {
    const { schedule } = this.#deps;
    const isHere = schedule.isUp(node.participant, this.#certified + 1);
    if (isHere === node.isUp) return;
    node.isUp = isHere;
    node.life++;
    node.timers.clear();
    if (!isHere) return;
    node.machine = this.#machine(node);
    this.#handle(node, { kind: "started" });
  }

  #handle(node: Node, event: RoundEvent): void {
    if (node.isUp) this.#carryOut(node, node.machine.handle(event, this.#now));
  }

  /** Later, unless the node went down meanwhile. */
  #later(node: Node, delayMs: number, run: () => void): void {
    const { life } = node;
    this.#time.after(delayMs, () => {
      if (node.life === life && node.isUp) run();
    });
  }

  #carryOut(node: Node, actions: readonly RoundAction[]): void {
    for (const action of actions) this.#act(node, action);
  }

  #act(node: Node, action: RoundAction): void {
    switch (action.kind) {
      case "publish":
        for (const peer of this.#nodes) if (peer !== node) this.#send(node, peer, action.bytes);
        return;
      case "persist":
        for (const bytes of action.messages) node.journal.push({ round: action.round, bytes });
        return;
      case "train":
        this.#train(node, action.round);
        return;
      case "fetch-update":
        this.#fetch(node, action.header, action.holders);
        return;
      case "fetch-model":
        // Models are equal everywhere; their transfer is the node's to show, not the learning's.
        this.#later(node, this.#delayMs(), () =>
          this.#handle(node, { kind: "model-available", model: action.model }),
        );
        return;
      case "aggregate": {
        const { round } = action;
        const result = this.#compute(round, action.baseModel, action.headers);
        this.#later(node, 1, () => this.#handle(node, { kind: "aggregated", round, result }));
        return;
      }
      case "certified":
        this.#keep(node, action.certificate, action.bytes);
        return;
      case "evidence":
        node.proofs.push(action.proof);
        if (!node.isLiar) this.convicted.add(action.nodeId);
        return;
      case "sync":
        this.#sync(node, action.nodeId, action.bytes);
        return;
      case "set-timer": {
        const { id, delayMs } = action;
        const turn = (node.timers.get(id) ?? 0) + 1;
        node.timers.set(id, turn);
        this.#later(node, delayMs, () => {
          if (node.timers.get(id) === turn) this.#handle(node, { kind: "timer", id });
        });
        return;
      }
      case "split":
        assert(false, "all compute the same");
        return;
      case "finished":
        node.isFinished = true;
        return;
    }
  }

  #reaches(from: Node, to: Node): boolean {
    const { schedule, orchestrator } = this.#deps;
    if (!to.isUp || from.id === to.id) return false;
    const cutMs = this.#time.nowMs - this.#certifiedAtMs;
    const isCut =
      this.#certified + 1 === schedule.cutRound && cutMs < CUT_DEADLINES * orchestrator.deadlineMs;
    return !isCut || schedule.connects(from.participant, to.participant);
  }

  #send(from: Node, to: Node, bytes: Uint8Array): void {
    if (!this.#reaches(from, to)) return;
    this.#later(to, this.#delayMs(), () => {
      if (!this.#reaches(from, to)) return;
      this.gossiped[to.participant] = (this.gossiped[to.participant] ?? 0) + bytes.length;
      this.#carryOut(to, to.machine.receive(bytes, this.#now).actions);
    });
  }

  #train(node: Node, round: number): void {
    const { schedule, work, hash } = this.#deps;
    const delayMs = schedule.announcesMs(node.participant, round);
    const baseRound = round - 1;
    this.#later(node, delayMs, () => {
      if (!work.reaches(baseRound) || work.round > baseRound + this.#deps.orchestrator.stalenessMax)
        return;
      const trained = { participant: node.participant, baseRound };
      const entry = work.entriesOf([trained], round)[0] as RoundEntry;
      const label = utf8Bytes(`${node.id}/${node.twin}/${round}/${node.life}`);
      const update = toHex(hash(concatBytes(label, new Uint8Array(entry.row.buffer))));
      this.#entries.set(update, entry);
      node.updates.add(update);
      const facts = { update, bytes: work.updateBytes, codec: 0, note: new Uint8Array() };
      this.#handle(node, { kind: "trained", baseRound, facts });
    });
  }

  #fetch(node: Node, header: UpdateHeader, holders: readonly string[]): void {
    const { work, schedule } = this.#deps;
    const { update, digest } = header;
    const ids = new Set([node.id, ...holders]);
    const holder = this.#nodes.find(
      (peer) =>
        ids.has(peer.id) &&
        peer.updates.has(update) &&
        (peer === node || (this.#reaches(peer, node) && schedule.serves(peer.participant))),
    );
    if (holder === undefined) return;
    this.#later(node, this.#delayMs(), () => {
      if (!node.updates.has(update)) {
        this.fetched[node.participant] = (this.fetched[node.participant] ?? 0) + work.updateBytes;
      }
      node.updates.add(update);
      this.#handle(node, { kind: "update-available", header: digest });
    });
  }

  #compute(round: number, baseModel: string, headers: readonly UpdateHeader[]): ComputedResult {
    const { work, hash } = this.#deps;
    const key = `${round}/${headers.map(({ digest }) => digest).join()}`;
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    assert(work.round === round - 1, "a round is decided once");
    const output = work.conclude(
      headers.map(({ update }) => this.#entries.get(update) as RoundEntry),
    );
    this.#outputs.set(round, output);
    const shares = output.ok ? output.value.influences.map(({ share }) => share).join() : "";
    const result = {
      model: output.ok ? work.modelDigest : baseModel,
      weights: toHex(hash(utf8Bytes(shares))),
      summary: new Uint8Array(),
    };
    this.#results.set(key, result);
    return result;
  }

  #keep(node: Node, certificate: Certificate, bytes: Uint8Array): void {
    const { round, digest, decision } = certificate;
    node.certificates.set(round, bytes);
    node.journal = node.journal.filter((entry) => entry.round > round);
    if (node.isLiar) return;
    assert((this.#chain.get(round) ?? digest) === digest, "a round has one certificate");
    this.#chain.set(round, digest);
    if (round <= this.#certified) return;
    if (decision.kind === "void") this.#deps.work.skip();
    const durationMs = this.#time.nowMs - this.#certifiedAtMs;
    this.#certified = round;
    this.#certifiedAtMs = this.#time.nowMs;
    const output = this.#outputs.get(round);
    this.#deps.onCertified({ round, durationMs, ...(output === undefined ? {} : { output }) });
    this.#outputs.delete(round);
    for (const other of this.#nodes) this.#time.after(0, () => this.#awake(other));
  }

  #sync(node: Node, peerId: string, status: Uint8Array): void {
    const peer = this.#nodes.find(({ id }) => id === peerId);
    this.#later(node, 2 * this.#delayMs(), () => {
      const isReached =
        peer !== undefined && this.#reaches(node, peer) && this.#reaches(peer, node);
      const answers = isReached ? peer.machine.answer(status) : [];
      for (const bytes of answers) {
        this.gossiped[node.participant] = (this.gossiped[node.participant] ?? 0) + bytes.length;
        this.#carryOut(node, node.machine.receive(bytes, this.#now).actions);
      }
      this.#handle(node, { kind: "synced", nodeId: peerId });
    });
  }
}
