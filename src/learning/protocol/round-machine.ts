// Certified rounds, sans-I/O: the same class runs in the daemon, in the simulator and in the tests. It holds the chain of
// certificates, the round under way, and what came early; rounds themselves are in round.ts.
//
// It starts the next round with the certificate of the last. Who is behind pulls certificates, and then the newest model
// alone. The bytes of messages are kept as they come: the caller must not change them.

import { MeshError, refuse, type Refusal } from "../../foundation/index.ts";
import type { Now } from "../../ports/index.ts";
import type { LearningErrorCode, ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { decodeCertificate, encodeCertificate, verifyCertificate } from "./certificate.ts";
import { genesisDigest } from "./decision.ts";
import { decodeRoundProof, encodeRoundProof, verifyRoundProof } from "./equivocation.ts";
import { Holdings } from "./holdings.ts";
import { decodeMessage, type RoundMessage, type StatementMessage } from "./messages.ts";
import { type Population, population } from "./population.ts";
import { flawOf } from "./proposals.ts";
import { Round } from "./round.ts";
import {
  ANSWER_CERTIFICATES_MAX,
  decodeStatus,
  encodeStatus,
  type MessageName,
  nameOf,
  withinAnswer,
} from "./sync.ts";
import type {
  Certificate,
  ComputedResult,
  Digest,
  RoundAction,
  RoundDeps,
  RoundEvent,
  RoundMessageKind,
  RoundOptions,
  RoundStatus,
  RoundTimerId,
  RoundVerdict,
  UpdateFacts,
} from "./types.ts";
import { messageKinds, type Place, protocolLimits, signatureContexts } from "./wire.ts";

const DEFAULT_REPUBLISH_MS = 3000;
/** Messages of the next round kept for each participant, until this node gets there. */
const EARLY_KEPT = 8;

/** A certified round as later ones build on it. */
interface Link {
  readonly round: number;
  readonly digest: Digest;
  readonly model: Digest;
}

type Outcome = RoundMessageKind | Refusal<ProtocolRefusalCode>;

/** Refusals that are the fault of who handed the message over: it should have checked it. */
const blamed: ReadonlySet<ProtocolRefusalCode> = new Set([
  "learning/too-large",
  "learning/malformed",
  "learning/wrong-base",
  "learning/not-a-participant",
  "learning/bad-signature",
  "learning/bad-proposal",
  "learning/bad-certificate",
  "learning/not-a-proof",
]);

/** One participant's part in the certified rounds of one task. */
export class RoundMachine {
  readonly #deps: RoundDeps;
  readonly #options: RoundOptions;
  readonly #participants: Population;
  /** The proofs, by whom they convict. */
  readonly #faulty = new Map<ParticipantId, Uint8Array>();
  readonly #holdings: Holdings;
  readonly #early = new Map<ParticipantId, RoundMessage[]>();
  readonly #names = new WeakMap<Uint8Array, MessageName>();
  /** The newest certificates, as far back as updates may be stale. */
  #links: Link[];
  #round: Round | undefined;
  #modelHere = true;
  #startedMs = 0;
  #nowMs = 0;
  #dueMs = new Map<RoundTimerId, number>();
  /** A round beyond the next, and who was seen there. */
  #ahead: { readonly round: number; readonly nodeId: ParticipantId } | undefined;
  #syncing = false;
  /** Counts repetitions, to ask another peer each time. */
  #turn = 0;
  #state: "new" | "running" | "finished" | "stopped" = "new";
  #actions: RoundAction[] = [];

  /** @throws MeshError `learning/bad-task` when rounds cannot be certified among these participants, or the node is none of them */
  constructor(deps: RoundDeps, options: RoundOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#participants = population(options.participants, options.byzantine);
    if (this.#participants.indexOf(options.self) === undefined) {
      throw new MeshError<LearningErrorCode>(
        "learning/bad-task",
        "Cannot take part in the task: this node is none of its participants. Name it in the task.",
      );
    }
    this.#holdings = new Holdings(this.#participants, this.#faulty);
    const digest = genesisDigest(deps.sha256, options.task, options.initialModel);
    this.#links = [{ round: 0, digest, model: options.initialModel }];
  }

  /** Takes an event, gives what to do. Events of another round change nothing. */
  handle(event: RoundEvent, now: Now): readonly RoundAction[] {
    this.#nowMs = now.monoMs;
    if (event.kind === "started") this.#start();
    else if (event.kind === "stopping") this.#state = "stopped";
    else this.#apply(event);
    this.#progress();
    return this.#flush();
  }

  /** A message: gossiped, or an answer to a `sync`. */
  receive(bytes: Uint8Array, now: Now): RoundVerdict {
    this.#nowMs = now.monoMs;
    const outcome = this.#admit(bytes);
    if (typeof outcome === "string") {
      this.#progress();
      return { verdict: "accept", kind: outcome, actions: this.#flush() };
    }
    const { code } = outcome;
    this.#deps.meter.count("meshd_learning_messages_refused_total", { code });
    const verdict = blamed.has(code) ? "reject" : "ignore";
    return { verdict, code, actions: this.#flush() };
  }

  /** What the sender of a status lacks, each for its `receive`; nothing for anything else. */
  answer(status: Uint8Array): readonly Uint8Array[] {
    const asked = decodeStatus(status);
    if (asked?.task !== this.#options.task) return [];
    const lacking: Uint8Array[] = [];
    const newest = this.#newest.round;
    const last = Math.min(newest, asked.round + ANSWER_CERTIFICATES_MAX - 1);
    for (let round = asked.round; round <= last; round++) {
      const certificate = this.#deps.certificateAt(round);
      if (certificate === undefined) break;
      lacking.push(certificate);
    }
    if (asked.round > newest + 1 || last < newest) return withinAnswer(lacking);
    const own = [...this.#roundMessages()];
    return withinAnswer([
      ...lacking,
      ...own.filter((message) => !asked.names.has(this.#nameOf(message))),
    ]);
  }

  /** Where it stands. */
  status(): RoundStatus {
    const model = this.#newest.model;
    const faulty = [...this.#faulty.keys()].sort();
    const rest = { model, modelHere: this.#modelHere, faulty };
    if (this.#round !== undefined) return { ...this.#round.status(), ...rest };
    const round = this.#newest.round + 1;
    const none = { view: -1, held: 0, headers: 0, statements: 0, results: 0 };
    return { round, phase: "finished", ...none, ...rest };
  }

  /** Who says to hold the update of a header, its author included. */
  holdersOf(header: Digest): readonly ParticipantId[] {
    const known = this.#holdings.header(header);
    return known === undefined ? [] : this.#holdings.holders(known);
  }

  get #newest(): Link {
    return this.#links.at(-1) as Link;
  }

  #emit(action: RoundAction): void {
    this.#actions.push(action);
    if (action.kind === "set-timer") this.#dueMs.set(action.id, this.#nowMs + action.delayMs);
  }

  #flush(): readonly RoundAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    const { certificate, journal = [], proofs = [] } = this.#options.resume ?? {};
    for (const proof of proofs) {
      const decoded = decodeRoundProof(proof);
      if (decoded.ok) this.#faulty.set(decoded.value.nodeId, proof);
    }
    if (certificate !== undefined) {
      const last = this.#decodeStored(certificate);
      this.#links = this.#linksBefore(last);
      this.#link(last);
      this.#modelHere = false;
      if (this.#isLast(last)) {
        this.#finish();
        return;
      }
    }
    this.#open(journal);
  }

  /** A certificate of an earlier run. @throws MeshError `learning/bad-certificate` */
  #decodeStored(bytes: Uint8Array): Certificate {
    const decoded = decodeCertificate(bytes, this.#participants, this.#deps.sha256);
    if (decoded.ok) return decoded.value;
    throw new MeshError<ProtocolRefusalCode>(
      "learning/bad-certificate",
      "Cannot read a stored certificate of the task. Remove the task's state: it comes back from the other participants.",
    );
  }

  /** What stale updates may be based on. */
  #linksBefore({ round }: Certificate): Link[] {
    const links: Link[] = [];
    const oldest = Math.max(1, round - this.#options.policy.stalenessMax);
    for (let at = oldest; at < round; at++) {
      const stored = this.#deps.certificateAt(at);
      if (stored !== undefined) links.push(linkOf(this.#decodeStored(stored)));
    }
    return oldest > 1 ? links : [this.#newest, ...links];
  }

  #link(certificate: Certificate): void {
    this.#links.push(linkOf(certificate));
    this.#links = this.#links.slice(-1 - this.#options.policy.stalenessMax);
  }

  /** Begins the round after the newest certificate. */
  #open(journal: readonly Uint8Array[]): void {
    const { digest, round, model } = this.#newest;
    const { self, task, policy, republishMs = DEFAULT_REPUBLISH_MS } = this.#options;
    this.#startedMs = this.#nowMs;
    this.#holdings.advance(round + 1 - policy.stalenessMax);
    const place: Place = { task, round: round + 1, previous: digest, nodeId: self };
    this.#round = new Round(
      {
        deps: this.#deps,
        options: this.#options,
        participants: this.#participants,
        holdings: this.#holdings,
        faulty: this.#faulty,
        emit: (action) => this.#emit(action),
        elapsedMs: () => this.#nowMs - this.#startedMs,
        modelHere: () => this.#modelHere,
      },
      place,
      model,
    );
    this.#restore(this.#round, journal);
    this.#emit({ kind: "set-timer", id: "deadline", delayMs: policy.deadlineMs });
    this.#emit({ kind: "set-timer", id: "republish", delayMs: republishMs });
    if (this.#modelHere) this.#train();
    else this.#fetchModel();
    this.#replay();
  }

  #restore(round: Round, journal: readonly Uint8Array[]): void {
    for (const bytes of journal) {
      const decoded = decodeMessage(bytes, this.#participants, this.#deps.sha256);
      if (!decoded.ok || decoded.value.previous !== round.previous) continue;
      round.restore(decoded.value);
    }
    round.resume();
  }

  /** Messages that came before the certificate of the round before. */
  #replay(): void {
    const early = [...this.#early.values()].flat();
    this.#early.clear();
    for (const message of early) this.#place(message, true);
  }

  #train(): void {
    const round = this.#round;
    if (round === undefined || this.#state !== "running" || round.ownHeader !== undefined) return;
    this.#emit({ kind: "train", round: round.number, model: round.baseModel });
  }

  #fetchModel(): void {
    const { round, model } = this.#newest;
    const holders = this.#participants.ids.filter((id) => id !== this.#options.self);
    this.#emit({ kind: "fetch-model", round, model, holders });
  }

  #apply(event: Exclude<RoundEvent, { kind: "started" | "stopping" }>): void {
    if (event.kind === "model-available") {
      if (event.model !== this.#newest.model || this.#modelHere) return;
      this.#modelHere = true;
      this.#train();
      return;
    }
    const round = this.#round;
    if (round === undefined || this.#state !== "running") return;
    switch (event.kind) {
      case "timer":
        this.#timer(event.id, round);
        return;
      case "trained":
        this.#trained(round, event.baseRound, event.facts);
        return;
      case "update-available":
        this.#holdings.mark(event.header, "here");
        return;
      case "update-refused":
        this.#holdings.mark(event.header, "refused");
        return;
      case "aggregated":
        if (event.round === round.number) this.#aggregated(round, event.result);
        return;
      case "synced":
        this.#syncing = false;
        if (this.#ahead !== undefined && this.#ahead.round > round.number)
          this.#sync(this.#ahead.nodeId);
        return;
    }
  }

  #aggregated(round: Round, result: ComputedResult): void {
    if (result.summary.length > protocolLimits.summaryBytes) {
      throw new RangeError("A summary has at most 256 bytes.");
    }
    round.conclude(result);
  }

  #timer(id: RoundTimerId, round: Round): void {
    const dueMs = this.#dueMs.get(id);
    // A timer that was set again meanwhile, but was already on its way.
    if (dueMs === undefined || this.#nowMs < dueMs) return;
    this.#dueMs.delete(id);
    if (id === "view") round.viewTimeout();
    if (id !== "republish") return;
    round.repeat();
    if (!this.#modelHere) this.#fetchModel();
    this.#syncing = false;
    this.#sync(this.#ahead?.nodeId ?? this.#nextPeer());
    this.#ahead = undefined;
    const { republishMs = DEFAULT_REPUBLISH_MS } = this.#options;
    this.#emit({ kind: "set-timer", id: "republish", delayMs: republishMs });
  }

  #trained(round: Round, baseRound: number, facts: UpdateFacts): void {
    const base = this.#links.find((link) => link.round === baseRound);
    // Too old by now, or the round has this node's update already.
    if (base === undefined || round.ownHeader !== undefined) return;
    round.commit(facts, base);
  }

  #nextPeer(): ParticipantId {
    const { ids, indexOf } = this.#participants;
    const own = indexOf(this.#options.self) ?? 0;
    this.#turn++;
    return ids[(own + 1 + (this.#turn % (ids.length - 1))) % ids.length] as ParticipantId;
  }

  /** Asks a peer for what is missing here; one at a time. */
  #sync(nodeId: ParticipantId): void {
    const round = this.#round;
    if (this.#syncing || round === undefined || nodeId === this.#options.self) return;
    this.#syncing = true;
    const names = new Set<MessageName>();
    for (const message of this.#roundMessages()) names.add(this.#nameOf(message));
    const bytes = encodeStatus({ task: this.#options.task, round: round.number, names });
    this.#emit({ kind: "sync", nodeId, bytes });
  }

  *#roundMessages(): Iterable<Uint8Array> {
    yield* this.#faulty.values();
    for (const { bytes } of this.#round?.messages() ?? []) yield bytes;
  }

  #nameOf(message: Uint8Array): MessageName {
    const known = this.#names.get(message);
    if (known !== undefined) return known;
    const name = nameOf(this.#deps.sha256, message);
    this.#names.set(message, name);
    return name;
  }

  /** Goes as far as the round can, and on to the next ones. */
  #progress(): void {
    while (this.#state === "running" && this.#round !== undefined) {
      const certificate = this.#round.poke();
      if (certificate === undefined) return;
      this.#adopt(certificate);
    }
  }

  /** A certificate that follows the newest, verified or assembled here. */
  #adopt(certificate: Certificate): void {
    const own = this.#round?.ownResult;
    const same =
      own?.model === certificate.result.model && own.weights === certificate.result.weights;
    const bytes = encodeCertificate(certificate, this.#participants);
    const agreed = own === undefined ? "none" : same ? "same" : "other";
    const before = this.#newest.model;
    this.#emit({ kind: "certified", certificate, bytes, own: agreed });
    this.#link(certificate);
    const kept = this.#modelHere && certificate.result.model === before;
    this.#modelHere = kept || agreed === "same";
    this.#count(certificate, agreed);
    if (this.#isLast(certificate)) this.#finish();
    else this.#open([]);
  }

  #count({ decision }: Certificate, own: "same" | "other" | "none"): void {
    const { meter } = this.#deps;
    meter.count("meshd_learning_certificates_total", { result: decision.kind });
    if (own === "other") meter.count("meshd_learning_divergences_total");
  }

  #isLast(certificate: Certificate): boolean {
    return (
      certificate.round >= this.#options.rounds || this.#options.isLast?.(certificate) === true
    );
  }

  #finish(): void {
    this.#state = "finished";
    this.#round = undefined;
    this.#early.clear();
    if (!this.#modelHere) this.#fetchModel();
    this.#emit({ kind: "finished", round: this.#newest.round });
  }

  #admit(bytes: Uint8Array): Outcome {
    if (this.#state === "stopped" || this.#state === "new") return refuse("learning/stopped");
    if (bytes[0] === messageKinds.certificate) return this.#admitCertificate(bytes);
    if (bytes[0] === messageKinds.proof) return this.#admitProof(bytes);
    const decoded = decodeMessage(bytes, this.#participants, this.#deps.sha256);
    if (!decoded.ok) return decoded;
    return this.#place(decoded.value, false);
  }

  /** Puts a message where it belongs. `verified` ones came early and were verified then. */
  #place(message: RoundMessage, verified: boolean): Outcome {
    if (message.task !== this.#options.task) return refuse("learning/wrong-task");
    if (this.#participants.indexOf(message.nodeId) === undefined) {
      return refuse("learning/not-a-participant");
    }
    const round = this.#round;
    if (round === undefined) return refuse("learning/past-round");
    if (message.round > round.number) return this.#keepEarly(message, round);
    if (message.round < round.number && message.kind !== "header")
      return refuse("learning/past-round");
    const misplaced = this.#misplaced(message, round);
    if (misplaced !== undefined) return misplaced;
    const known = round.find(message);
    if (known !== undefined) return this.#doubled(known, message);
    const flaw = message.kind === "proposal" ? this.#flawOf(message, round) : undefined;
    if (flaw !== undefined) return flaw;
    if (!verified) {
      const refusal = this.#unverified(message);
      if (refusal !== undefined) return refusal;
    }
    const taken = round.take(message);
    if (taken === "taken") return message.kind;
    return refuse(taken === "past" ? "learning/past-view" : "learning/future-view");
  }

  /** What does not fit into the chain of certificates. */
  #misplaced(message: RoundMessage, round: Round): Refusal<ProtocolRefusalCode> | undefined {
    const before = this.#links.find((link) => link.round === message.round - 1);
    if (before === undefined) return refuse("learning/past-round");
    if (before.digest !== message.previous) return refuse("learning/wrong-chain");
    if (message.kind !== "header") return undefined;
    const { baseRound, baseModel, bytes } = message.header;
    const base = this.#links.find((link) => link.round === baseRound);
    if (base?.model !== baseModel || baseRound >= message.round)
      return refuse("learning/wrong-base");
    if (round.number - 1 - baseRound > this.#options.policy.stalenessMax) {
      return refuse("learning/past-round");
    }
    return bytes > this.#options.updateBytesMax ? refuse("learning/too-large") : undefined;
  }

  #flawOf(
    proposal: Extract<RoundMessage, { kind: "proposal" }>,
    round: Round,
  ): Refusal<ProtocolRefusalCode> | undefined {
    if (round.proposerOf(proposal.view) !== proposal.nodeId) {
      return refuse("learning/bad-proposal", "another's turn");
    }
    const flaw = flawOf(proposal, this.#participants);
    return flaw === undefined ? undefined : refuse("learning/bad-proposal", flaw);
  }

  /** Why a message's signatures do not prove it. */
  #unverified(message: RoundMessage): Refusal<ProtocolRefusalCode> | undefined {
    const publicKey = this.#deps.publicKeyOf(message.nodeId);
    if (publicKey === undefined) return refuse("learning/unknown-identity");
    const { signed, signature, kind } = message;
    if (!this.#deps.mlDsa.verify(publicKey, signed, signature, signatureContexts[kind])) {
      return refuse("learning/bad-signature");
    }
    if (message.kind !== "proposal") return undefined;
    for (const statement of message.statements) {
      if (this.#isKnown(statement)) continue;
      const refusal = this.#unverified(statement);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #isKnown(statement: StatementMessage): boolean {
    const known = this.#holdings.statement(statement.nodeId)?.bytes;
    return known !== undefined && this.#nameOf(known) === this.#nameOf(statement.bytes);
  }

  /** A slot that is taken: by the same message, or by one that it contradicts. */
  #doubled(known: RoundMessage, message: RoundMessage): Outcome {
    if (message.kind === "statement" || this.#faulty.has(message.nodeId)) {
      return refuse("learning/doubled");
    }
    if (sameBytes(known.signed, message.signed)) return refuse("learning/doubled");
    const refusal = this.#unverified(message);
    if (refusal !== undefined) return refusal;
    this.#convict(message.nodeId, encodeRoundProof(known, message), "publish");
    return refuse("learning/equivocation");
  }

  /** Whoever signs two things for one slot is out: of sets from now on, and its updates here. */
  #convict(nodeId: ParticipantId, proof: Uint8Array, spread: "publish" | "received"): void {
    this.#faulty.set(nodeId, proof);
    this.#deps.meter.count("meshd_learning_equivocations_total");
    this.#emit({ kind: "evidence", nodeId, proof });
    if (spread === "publish") this.#emit({ kind: "publish", bytes: proof });
  }

  #admitProof(bytes: Uint8Array): Outcome {
    const decoded = decodeRoundProof(bytes);
    if (!decoded.ok) return decoded;
    const { task, nodeId } = decoded.value;
    if (task !== this.#options.task) return refuse("learning/wrong-task");
    if (this.#participants.indexOf(nodeId) === undefined)
      return refuse("learning/not-a-participant");
    if (this.#faulty.has(nodeId)) return refuse("learning/doubled");
    const publicKey = this.#deps.publicKeyOf(nodeId);
    if (publicKey === undefined) return refuse("learning/unknown-identity");
    if (!verifyRoundProof(this.#deps.mlDsa, publicKey, decoded.value)) {
      return refuse("learning/bad-signature");
    }
    this.#convict(nodeId, bytes, "received");
    return "proof";
  }

  #admitCertificate(bytes: Uint8Array): Outcome {
    const decoded = decodeCertificate(bytes, this.#participants, this.#deps.sha256);
    if (!decoded.ok) return decoded;
    const certificate = decoded.value;
    const { task, round, previous, rule } = certificate;
    if (task !== this.#options.task) return refuse("learning/wrong-task");
    const next = this.#newest.round + 1;
    if (round < next || this.#round === undefined) return refuse("learning/past-round");
    if (round > next) return refuse("learning/future-round");
    if (previous !== this.#newest.digest || rule !== this.#options.rule) {
      return refuse("learning/wrong-chain");
    }
    if (!verifyCertificate(this.#deps, certificate, this.#participants)) {
      return refuse("learning/bad-certificate");
    }
    this.#adopt(certificate);
    return "certificate";
  }

  /** Somebody is in a later round: the next one's messages are kept for then; beyond, this node must catch up first. */
  #keepEarly(message: RoundMessage, round: Round): Outcome {
    const kept = this.#early.get(message.nodeId) ?? [];
    const isNext = message.round === round.number + 1;
    const isDoubled = kept.some(({ signed }) => sameBytes(signed, message.signed));
    if (isDoubled || (isNext && kept.length >= EARLY_KEPT)) return refuse("learning/future-round");
    if ((this.#ahead?.round ?? 0) >= message.round && !isNext)
      return refuse("learning/future-round");
    const refusal = this.#unverified(message);
    if (refusal !== undefined) return refusal;
    if (message.round > (this.#ahead?.round ?? 0)) {
      this.#ahead = { round: message.round, nodeId: message.nodeId };
    }
    if (isNext) this.#early.set(message.nodeId, [...kept, message]);
    else this.#sync(message.nodeId);
    return refuse("learning/future-round");
  }
}

function linkOf({ round, digest, result }: Certificate): Link {
  return { round, digest, model: result.model };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
