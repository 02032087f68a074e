// Binds the production round machine to a simulated node: what the daemon's certified run does, without its threads and files.
// Training, coding, aggregation and the names of contents are the production code as well. No protocol logic here.

import { assert } from "../../foundation/index.ts";
import {
  compress,
  contentIdOf,
  decodeNote,
  decodeSummary,
  decompress,
  encodeNote,
  encodeRoundEvidence,
  encodeSafetensors,
  encodeSummary,
  ErrorFeedback,
  FIRST_STEP,
  genesisDigest,
  plainKernels,
  type RoundAction,
  type RoundEvent,
  RoundMachine,
  type RoundVerdict,
  type Sha256,
  type UpdateHeader,
  weightsDigest,
} from "../../learning/index.ts";
import type { Now } from "../../ports/index.ts";
import type { Datagram } from "../node-types.ts";
import { ContentFetches } from "./content-fetches.ts";
import type { LearnerDisk } from "./learner-disk.ts";
import type { LearningDatagram } from "./learning-datagrams.ts";
import type { ParticipantSetting } from "./learning-types.ts";
import { weightsOf } from "./learning-task.ts";
import type { TrainingBase } from "./trainings.ts";

type ActionOf<Kind extends RoundAction["kind"]> = Extract<RoundAction, { kind: Kind }>;
type Message = Omit<Datagram, "kind"> & LearningDatagram;

/** What a participant asks of the node that it is in. */
export interface ParticipantPort {
  publish(bytes: Uint8Array): void;
  /** To a participant, over a connection that is there or is made for it. */
  send(to: string, datagram: Message): void;
  /** The first of these that the node is connected to. */
  firstConnected(of: readonly string[]): string | undefined;
  setTimer(id: string, delayMs: number): void;
  clearTimer(id: string): void;
  /** A participant contradicted itself: evidence for the whole mesh. */
  accuse(evidence: Uint8Array): void;
  /** For questions. */
  number(): number;
}

/** After a refusal of the disk the participant begins again from what is there. */
const RESTART_MS = 5_000;
/** What a computation takes: another event than what asked for it. */
const COMPUTATION_MS = 5;
/** Rounds whose updates and models are kept. */
const ROUNDS_KEPT = 2;
const QUESTION_BYTES = 2_048;
const MACHINE_TIMERS = ["deadline", "view", "republish"] as const;

/** An update opened: the same bytes from another model are another row. */
type RowName = Pick<UpdateHeader, "update" | "baseRound">;
const rowName = ({ update, baseRound }: RowName): string => `${baseRound}/${update}`;

/** One machine of one participant; who contradicts itself has several. */
export class Participant {
  readonly #setting: ParticipantSetting;
  readonly #port: ParticipantPort;
  readonly #disk: LearnerDisk;
  readonly #fetches: ContentFetches;
  readonly #owed: ErrorFeedback;
  /** Updates that are here and may still count, opened, by {@link rowName}. */
  readonly #rows = new Map<string, Float32Array>();
  /** Events that come of own work. */
  readonly #later = new Map<number, () => RoundEvent | undefined>();
  readonly #sha256: Sha256;
  #machine: RoundMachine | undefined;
  /** Where late updates count: a training is under way, and the newest round to train after it. */
  #isTraining = false;
  #nextRound: number | undefined;
  #sync: { readonly number: number; readonly nodeId: string } | undefined;

  constructor(setting: ParticipantSetting, port: ParticipantPort) {
    this.#setting = setting;
    this.#port = port;
    this.#disk = setting.disk;
    this.#sha256 = (bytes) => setting.engine.sha256(bytes);
    this.#owed = new ErrorFeedback(setting.task.spec.parameters);
    this.#fetches = new ContentFetches({
      ask: (holder, datagram) => port.send(holder, datagram),
      setTimer: (number, delayMs) => port.setTimer(`fetch/${number}`, delayMs),
      number: () => port.number(),
    });
  }

  /** Begins, or begins again from the disk. */
  begin(now: Now): void {
    const { task, nodeId, engine, signer, publicKeyOf, silentMeter } = this.#setting;
    const { manifest, digest, rule, initialModel, updateBytes, orchestrator } = task;
    const { participants, byzantine, rounds } = manifest;
    const disk = this.#disk;
    const { initialBytes } = task;
    disk.contents.set(initialModel, { round: Number.MAX_SAFE_INTEGER, bytes: initialBytes });
    const newest = disk.certificates.get(disk.last?.round ?? 0);
    this.#machine = new RoundMachine(
      {
        sha256: this.#sha256,
        ...{ mlDsa: engine.mlDsa65, signer, meter: silentMeter, publicKeyOf },
        certificateAt: (round) => disk.certificates.get(round),
      },
      {
        ...{ self: nodeId, task: digest, participants, byzantine, rounds, initialModel, rule },
        ...{ updateBytesMax: updateBytes, policy: orchestrator },
        resume: {
          ...(newest === undefined ? {} : { certificate: newest }),
          journal: disk.journal.map(({ bytes }) => bytes),
          proofs: disk.proofs,
        },
      },
    );
    this.#isTraining = false;
    this.#nextRound = undefined;
    this.#handle({ kind: "started" }, now);
  }

  stop(): void {
    this.#machine = undefined;
  }

  timer(id: string, now: Now): void {
    const [kind = "", number] = id.split("/");
    const machineTimer = MACHINE_TIMERS.find((one) => one === kind);
    if (machineTimer !== undefined) this.#handle({ kind: "timer", id: machineTimer }, now);
    else if (kind === "restart") this.begin(now);
    else if (kind === "fetch") this.#fetches.timeout(Number(number));
    else {
      const event = this.#later.get(Number(number))?.();
      this.#later.delete(Number(number));
      if (event !== undefined) this.#handle(event, now);
    }
  }

  /** A gossiped message. */
  receive(bytes: Uint8Array, now: Now): RoundVerdict | undefined {
    const verdict = this.#machine?.receive(bytes, now);
    this.#carryOut(verdict?.actions ?? []);
    return verdict;
  }

  /** What the sender of a status lacks. */
  lacking(status: Uint8Array): readonly Uint8Array[] {
    return this.#machine?.answer(status) ?? [];
  }

  /** A content that can be had here. */
  content(name: string): Uint8Array | undefined {
    return this.#disk.contents.get(name)?.bytes;
  }

  /** The answer to a question with this number, if it was this participant's. */
  answered(datagram: Message, now: Now): void {
    if (datagram.kind === "fl-content") this.#fetches.answered(datagram.number, datagram.bytes);
    if (datagram.kind !== "fl-lacking" || this.#sync?.number !== datagram.number) return;
    const { nodeId } = this.#sync;
    this.#sync = undefined;
    for (const bytes of datagram.messages) this.receive(bytes, now);
    this.#handle({ kind: "synced", nodeId }, now);
  }

  #handle(event: RoundEvent, now: Now): void {
    if (this.#machine !== undefined) this.#carryOut(this.#machine.handle(event, now));
  }

  /** In their order; the first that the disk refuses ends it: nothing after it may be done. */
  #carryOut(actions: readonly RoundAction[]): void {
    for (const action of actions) {
      if (this.#machine === undefined) return;
      const writes = action.kind === "persist" || action.kind === "certified";
      if (writes && this.#setting.isDiskFull()) this.#pause();
      else this.#act(action);
    }
  }

  #act(action: RoundAction): void {
    const port = this.#port;
    const disk = this.#disk;
    switch (action.kind) {
      case "publish":
        port.publish(action.bytes);
        return;
      case "persist":
        for (const bytes of action.messages) disk.journal.push({ round: action.round, bytes });
        return;
      case "train":
        this.#train(action.round);
        return;
      case "fetch-update":
        this.#fetchUpdate(action);
        return;
      case "fetch-model":
        this.#fetchModel(action);
        return;
      case "aggregate":
        this.#after(COMPUTATION_MS, () => this.#aggregated(action));
        return;
      case "certified":
        this.#certified(action);
        return;
      case "evidence":
        disk.proofs.push(action.proof);
        port.accuse(encodeRoundEvidence(this.#sha256, this.#setting.task.manifest, action.proof));
        this.#setting.tell.convicted(action.nodeId);
        return;
      case "sync":
        this.#ask(action);
        return;
      case "set-timer":
        port.setTimer(action.id, action.delayMs);
        return;
      case "split":
        this.#setting.tell.split(action.round);
        return;
      case "finished":
        this.#setting.tell.finished(action.round);
        return;
    }
  }

  /** Where late updates count, training that outlasts its round goes on, and the newest round is the next. */
  #train(round: number): void {
    const { task } = this.#setting;
    if (task.orchestrator.stalenessMax > 0 && this.#isTraining) {
      this.#nextRound = round;
      return;
    }
    this.#isTraining = true;
    this.#after(this.#setting.trainingMs(round), () => {
      const trained = this.#trained(round);
      const next = this.#nextRound;
      this.#isTraining = false;
      this.#nextRound = undefined;
      if (next !== undefined) this.#train(next);
      return trained;
    });
  }

  /** Work that ends later; what comes of it is asked for then. */
  #after(delayMs: number, end: () => RoundEvent | undefined): void {
    const number = this.#port.number();
    this.#later.set(number, end);
    this.#port.setTimer(`later/${number}`, delayMs);
  }

  #pause(): void {
    this.#machine = undefined;
    this.#later.clear();
    this.#fetches.keepOnly(new Set());
    for (const id of MACHINE_TIMERS) this.#port.clearTimer(id);
    this.#port.setTimer("restart", RESTART_MS);
  }

  /** Whether an update from the model of this round may still enter the open one. */
  #counts(baseRound: number): boolean {
    const age = (this.#disk.last?.round ?? 0) - baseRound;
    return age >= 0 && age <= this.#setting.task.orchestrator.stalenessMax;
  }

  /** What a round is trained from; undefined when that is of too long ago by now. */
  #base(round: number): TrainingBase | undefined {
    const { task, hasTwins } = this.#setting;
    if (!this.#counts(round - 1)) return undefined;
    const { model, seed: beacon, stepSize } = this.#terms(round);
    const bytes = this.content(model);
    // One of several machines takes a result that another signed for its own, and believes that it has the model.
    assert(bytes !== undefined || hasTwins, "a machine works from a model that is here");
    if (bytes === undefined) return undefined;
    return { round, model, weights: weightsOf(task, bytes), beacon, stepSize };
  }

  /** What the updates of a round are coded by that are trained from the model before it. */
  #terms(round: number) {
    const { task } = this.#setting;
    const base = this.#disk.past.get(round - 1);
    return {
      length: task.spec.parameters,
      model: base?.model ?? task.initialModel,
      stepSize: base?.stepSize ?? FIRST_STEP,
      seed: base?.certificate ?? genesisDigest(this.#sha256, task.digest, task.initialModel),
    };
  }

  #trained(round: number): RoundEvent | undefined {
    const { task, trainings, author } = this.#setting;
    const base = this.#base(round);
    if (base === undefined) return undefined;
    const { row, lies } = this.#setting.update(base);
    const coding = { ...this.#terms(round), author };
    const { compression } = task.manifest;
    // Nothing that is not finite can be coded: what no encoder gives stands for it.
    const bytes = !row.every(Number.isFinite)
      ? new Uint8Array(task.updateBytes).fill(0x80)
      : lies
        ? compress(row, compression, coding)
        : this.#owed.compress(row, compression, coding);
    const { digest: update } = contentIdOf(this.#sha256, bytes);
    this.#disk.contents.set(update, { round, bytes });
    this.#open({ update, baseRound: round - 1 }, bytes);
    const { loss, accuracy } = trainings.evaluate(base.model, base.weights);
    const note = encodeNote({ loss: lies ? 0 : loss, accuracy: lies ? 1 : accuracy });
    const facts = { update, bytes: bytes.length, codec: 1, note };
    return { kind: "trained", baseRound: round - 1, facts };
  }

  /** Whether an update is sound; if so its row is here from now on. */
  #open(name: RowName, bytes: Uint8Array): boolean {
    const { compression } = this.#setting.task.manifest;
    const row = decompress(bytes, compression, this.#terms(name.baseRound + 1));
    if (row.ok) this.#rows.set(rowName(name), row.value);
    return row.ok;
  }

  #fetchUpdate({ header, holders }: ActionOf<"fetch-update">): void {
    const { update, round, digest } = header;
    this.#fetch(update, [header.nodeId, ...holders], round, (bytes) => {
      if (!this.#counts(header.baseRound)) return undefined;
      const isSound = this.#open(header, bytes);
      return { kind: isSound ? "update-available" : "update-refused", header: digest };
    });
  }

  #fetchModel({ model, holders, round }: ActionOf<"fetch-model">): void {
    this.#fetch(model, holders, round, () => ({ kind: "model-available", model }));
  }

  /** From the disk, or from others. */
  #fetch(
    content: string,
    holders: readonly string[],
    round: number,
    end: (bytes: Uint8Array) => RoundEvent | undefined,
  ): void {
    const held = this.content(content);
    if (held !== undefined) {
      this.#after(0, () => end(held));
      return;
    }
    const { nodeId } = this.#setting;
    const others = [...new Set(holders)].filter((id) => id !== nodeId);
    const take = (bytes: Uint8Array): boolean => {
      if (contentIdOf(this.#sha256, bytes).digest !== content) return false;
      this.#disk.contents.set(content, { round, bytes });
      this.#setting.tell.fetched(bytes.length);
      this.#after(0, () => end(bytes));
      return true;
    };
    this.#fetches.want({ content, holders: others, take });
  }

  #aggregated({ round, headers }: ActionOf<"aggregate">): RoundEvent | undefined {
    const { task, tell } = this.#setting;
    const isOpen = (this.#disk.last?.round ?? 0) === round - 1;
    const base = isOpen ? this.#base(round) : undefined;
    if (base === undefined) return undefined;
    const updates = headers.map((header: UpdateHeader) => {
      const { nodeId, baseRound, note } = header;
      const row = this.#rows.get(rowName(header)) as Float32Array;
      return { nodeId, baseRound, row, note: decodeNote(note) };
    });
    const { aggregator } = task.manifest;
    const { weights: before, beacon, stepSize } = base;
    const input = { round, beacon, base: before, updates, stepSize };
    const { compute } = this.#setting;
    const { weights, influences, summary } = compute(
      ...[task.orchestrator, aggregator, plainKernels, input],
    );
    const bytes = encodeSafetensors(task.spec, weights, {});
    const { digest: model } = contentIdOf(this.#sha256, bytes);
    this.#disk.contents.set(model, { round, bytes });
    tell.computed({ round, updates, before, after: weights, influences });
    const result = {
      ...{ model, weights: weightsDigest(this.#sha256, influences) },
      summary: encodeSummary(summary),
    };
    return { kind: "aggregated", round, result };
  }

  #certified({ certificate, bytes, own }: ActionOf<"certified">): void {
    const { round, digest, result } = certificate;
    const disk = this.#disk;
    const summary = decodeSummary(result.summary);
    const stepSize = summary.ok ? summary.value.stepSize : (disk.last?.stepSize ?? FIRST_STEP);
    disk.certificates.set(round, bytes);
    disk.last = { round, certificate: digest, model: result.model, stepSize };
    disk.past.set(round, disk.last);
    const { stalenessMax } = this.#setting.task.orchestrator;
    disk.past.delete(round - stalenessMax - 1);
    disk.journal = disk.journal.filter((entry) => entry.round > round);
    for (const [name, content] of disk.contents) {
      const isOld = content.round + ROUNDS_KEPT + stalenessMax <= round && name !== result.model;
      if (isOld) disk.contents.delete(name);
    }
    for (const name of this.#rows.keys()) {
      if (Number.parseInt(name) < round - stalenessMax) this.#rows.delete(name);
    }
    this.#fetches.keepOnly(new Set(this.#machine?.headers().map(({ update }) => update)));
    this.#setting.tell.certified(certificate, own);
  }

  /** Asks who is connected; without an answer the machine is told nothing, and asks another later. */
  #ask({ nodeId, bytes: status }: ActionOf<"sync">): void {
    const { participants } = this.#setting.task.manifest;
    const others = participants.filter((id) => id !== this.#setting.nodeId);
    const asked = this.#port.firstConnected([nodeId, ...others]);
    if (asked === undefined) return;
    const number = this.#port.number();
    this.#sync = { number, nodeId };
    const sizeBytes = Math.max(QUESTION_BYTES, status.length);
    this.#port.send(asked, { kind: "fl-sync", number, status, sizeBytes });
  }
}
