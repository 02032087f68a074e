// Certified rounds, sans-I/O: the same class runs in the daemon, in the simulator and in the tests. It drives the round
// under way (round.ts), begins the next with each certificate, and catches up by pulling certificates from peers, then
// the newest model alone. The bytes of messages are kept as they come: the caller must not change them.

import { MeshError } from "../../foundation/index.ts";
import type { Now } from "../../ports/index.ts";
import type { LearningErrorCode, ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { encodeCertificate } from "./certificate.ts";
import { Chain } from "./chain.ts";
import { decodeRoundProof } from "./equivocation.ts";
import { Holdings } from "./holdings.ts";
import { Intake } from "./intake.ts";
import { decodeMessage } from "./messages.ts";
import { type Population, population } from "./population.ts";
import { Round } from "./round.ts";
import {
  ANSWER_CERTIFICATES_MAX,
  decodeStatus,
  encodeStatus,
  MessageNames,
  withinAnswer,
} from "./sync.ts";
import type {
  Certificate,
  ComputedResult,
  Digest,
  RoundAction,
  RoundDeps,
  RoundEvent,
  RoundOptions,
  RoundStatus,
  RoundTimerId,
  RoundVerdict,
  UpdateFacts,
  UpdateHeader,
} from "./types.ts";

const DEFAULT_REPUBLISH_MS = 3000;

/** Refusals that are the fault of who handed the message over: it should have checked it. */
const blamed: ReadonlySet<ProtocolRefusalCode> = new Set([
  "learning/too-large",
  "learning/malformed",
  "learning/wrong-chain",
  "learning/wrong-base",
  "learning/not-a-participant",
  "learning/bad-signature",
  "learning/bad-proposal",
  "learning/bad-certificate",
  "learning/not-a-proof",
]);

/** Events that concern more than the round under way. */
type OwnKinds = "started" | "stopping" | "timer" | "model-available" | "aggregated";

/** One participant's part in the certified rounds of one task. */
export class RoundMachine {
  readonly #deps: RoundDeps;
  readonly #options: RoundOptions;
  readonly #participants: Population;
  readonly #chain: Chain;
  /** The proofs, by whom they convict. */
  readonly #faulty = new Map<ParticipantId, Uint8Array>();
  readonly #holdings: Holdings;
  readonly #intake: Intake;
  readonly #names: MessageNames;
  readonly #dueMs = new Map<RoundTimerId, number>();
  readonly #republishMs: number;
  #state: "new" | "running" | "finished" | "stopped" = "new";
  #round: Round | undefined;
  #modelHere = true;
  #startedMs = 0;
  #nowMs = 0;
  /** The latest round that was seen, and where. */
  #ahead: { readonly round: number; readonly nodeId: ParticipantId } | undefined;
  #syncing = false;
  /** Counts repetitions, to ask another peer each time. */
  #turn = 0;
  #actions: RoundAction[] = [];

  /** @throws MeshError `learning/bad-task` when rounds cannot be certified among these participants, or the node is none of them */
  constructor(deps: RoundDeps, options: RoundOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#republishMs = options.republishMs ?? DEFAULT_REPUBLISH_MS;
    this.#participants = population(options.participants, options.byzantine);
    if (this.#participants.indexOf(options.self) === undefined) {
      throw new MeshError<LearningErrorCode>(
        "learning/bad-task",
        "Cannot take part in the task: this node is none of its participants. Name it in the task.",
      );
    }
    this.#chain = new Chain(deps, options, this.#participants);
    this.#holdings = new Holdings(this.#participants, this.#faulty);
    this.#names = new MessageNames(deps.sha256);
    this.#intake = new Intake({
      ...{ deps, options, participants: this.#participants, chain: this.#chain },
      ...{ holdings: this.#holdings, faulty: this.#faulty, round: () => this.#round },
      adopt: (certificate) => this.#adopt(certificate),
      convict: (nodeId, proof, isNew) => this.#convict(nodeId, proof, isNew),
      ahead: (round, nodeId) => this.#noteAhead(round, nodeId),
    });
  }

  /** Takes an event, gives what to do. Events of another round change nothing. */
  handle(event: RoundEvent, now: Now): readonly RoundAction[] {
    this.#nowMs = now.monoMs;
    if (event.kind === "stopping") this.#state = "stopped";
    else if (event.kind === "started") this.#start();
    else if (event.kind === "model-available") this.#modelAvailable(event.model);
    else if (event.kind === "timer") this.#timer(event.id);
    else if (event.kind === "aggregated") this.#aggregated(event.round, event.result);
    else if (this.#round !== undefined) this.#apply(event, this.#round);
    this.#progress();
    return this.#flush();
  }

  /** A message: gossiped, or an answer to a `sync`. */
  receive(bytes: Uint8Array, now: Now): RoundVerdict {
    this.#nowMs = now.monoMs;
    const isUp = this.#state === "running" || this.#state === "finished";
    const outcome = isUp ? this.#intake.admit(bytes) : ({ code: "learning/stopped" } as const);
    if (typeof outcome === "string") {
      this.#progress();
      return { verdict: "accept", kind: outcome, actions: this.#flush() };
    }
    const { code } = outcome;
    this.#deps.meter.count("meshd_learning_messages_refused_total", { code });
    // A proof that came of it may have changed what is acceptable.
    this.#progress();
    return { verdict: blamed.has(code) ? "reject" : "ignore", code, actions: this.#flush() };
  }

  /** What the sender of a status lacks, each for its `receive`; nothing for anything else. */
  answer(status: Uint8Array): readonly Uint8Array[] {
    const asked = decodeStatus(status);
    const next = this.#chain.newest.round + 1;
    if (asked?.task !== this.#options.task || asked.round > next) return [];
    const lacking: Uint8Array[] = [];
    const end = Math.min(next, asked.round + ANSWER_CERTIFICATES_MAX);
    for (let round = asked.round; round < end; round++) {
      const certificate = this.#deps.certificateAt(round);
      if (certificate === undefined) return withinAnswer(lacking);
      lacking.push(certificate);
    }
    if (end < next) return withinAnswer(lacking);
    const messages = [...this.#messages()];
    return withinAnswer([
      ...lacking,
      ...messages.filter((message) => !asked.names.has(this.#names.of(message))),
    ]);
  }

  /** Where it stands. */
  status(): RoundStatus {
    const { round, model } = this.#chain.newest;
    const faulty = [...this.#faulty.keys()].sort();
    const rest = { model, modelHere: this.#modelHere, faulty };
    if (this.#round !== undefined) return { ...this.#round.status(), ...rest };
    const none = { view: -1, held: 0, headers: 0, statements: 0, results: 0 };
    return { round: round + 1, phase: "finished", ...none, ...rest };
  }

  /** The headers whose updates may still be asked for: those of the round under way, and with staleness of some before. */
  headers(): readonly UpdateHeader[] {
    return this.#holdings.headerMessages().map(({ header }) => header);
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
    const last = certificate === undefined ? undefined : this.#chain.resume(certificate);
    // The driver knows whether it has the model: it is asked in any case.
    this.#modelHere = last === undefined && (this.#options.initialHere ?? true);
    if (last !== undefined && this.#isLast(last)) this.#finish();
    else this.#open(journal);
  }

  /** Begins the round after the newest certificate. */
  #open(journal: readonly Uint8Array[]): void {
    const { digest: previous, round, model } = this.#chain.newest;
    const { self, task, policy } = this.#options;
    this.#startedMs = this.#nowMs;
    this.#holdings.advance(round - policy.stalenessMax);
    const opened = new Round(
      {
        ...{ deps: this.#deps, options: this.#options, participants: this.#participants },
        ...{ holdings: this.#holdings, faulty: this.#faulty, entered: this.#chain.entered },
        emit: (action) => this.#emit(action),
        elapsedMs: () => this.#nowMs - this.#startedMs,
        modelHere: () => this.#modelHere,
      },
      { task, round: round + 1, previous, nodeId: self },
      model,
    );
    this.#round = opened;
    for (const bytes of journal) {
      const decoded = decodeMessage(bytes, this.#participants, this.#deps.sha256);
      if (!decoded.ok) continue;
      const { kind, round: at, previous: follows } = decoded.value;
      const isOurs = kind === "header" ? this.#chain.at(at - 1)?.digest : previous;
      if (follows === isOurs) opened.restore(decoded.value);
    }
    opened.resume();
    this.#emit({ kind: "set-timer", id: "deadline", delayMs: policy.deadlineMs });
    this.#emit({ kind: "set-timer", id: "republish", delayMs: this.#republishMs });
    if (this.#modelHere) this.#train();
    else this.#fetchModel();
    this.#intake.replay(opened);
  }

  #train(): void {
    const round = this.#round;
    if (round === undefined || round.ownHeader !== undefined) return;
    this.#emit({ kind: "train", round: round.number, model: round.baseModel });
  }

  #fetchModel(): void {
    const { round, model } = this.#chain.newest;
    const holders = this.#participants.ids.filter((id) => id !== this.#options.self);
    this.#emit({ kind: "fetch-model", round, model, holders });
  }

  #modelAvailable(model: Digest): void {
    if (model !== this.#chain.newest.model || this.#modelHere) return;
    this.#modelHere = true;
    if (this.#state === "running") this.#train();
  }

  #apply(event: Exclude<RoundEvent, { kind: OwnKinds }>, round: Round): void {
    switch (event.kind) {
      case "trained":
        this.#trained(round, event.baseRound, event.facts);
        return;
      case "update-available":
        this.#holdings.mark(event.header, "here");
        return;
      case "update-refused":
        this.#holdings.mark(event.header, "refused");
        return;
      case "work-failed":
        if (event.round === round.number) round.workFailed(event.work);
        return;
      case "synced":
        this.#syncing = false;
        if ((this.#ahead?.round ?? 0) <= round.number) this.#ahead = undefined;
        else if (this.#ahead !== undefined) this.#sync(this.#ahead.nodeId);
        return;
    }
  }

  #aggregated(round: number, result: ComputedResult): void {
    const { newest } = this.#chain;
    if (round === this.#round?.number) this.#round.conclude(result);
    // The others were faster; what came out here should be the same all the same.
    else if (round === newest.round && result.model !== newest.model) this.#countDivergence();
  }

  #countDivergence(): void {
    this.#deps.meter.count("meshd_learning_divergences_total");
  }

  #timer(id: RoundTimerId): void {
    const dueMs = this.#dueMs.get(id);
    if (dueMs === undefined || this.#state === "stopped") return;
    if (this.#nowMs < dueMs) {
      // It was set again meanwhile, or came early: a host counts from the start of its event loop's turn. It must not be lost.
      this.#emit({ kind: "set-timer", id, delayMs: dueMs - this.#nowMs });
      return;
    }
    this.#dueMs.delete(id);
    if (id === "view") this.#round?.viewTimeout();
    if (id === "republish") this.#repeat();
  }

  /** Gossip loses messages, and peers answers: says again what is this node's, asks for the rest. */
  #repeat(): void {
    if (this.#round === undefined && this.#modelHere) return;
    if (!this.#modelHere) this.#fetchModel();
    if (this.#round !== undefined) {
      this.#round.repeat();
      this.#syncing = false;
      this.#sync(this.#ahead?.nodeId ?? this.#nextPeer());
      this.#ahead = undefined;
    }
    this.#emit({ kind: "set-timer", id: "republish", delayMs: this.#republishMs });
  }

  #trained(round: Round, baseRound: number, facts: UpdateFacts): void {
    const base = this.#chain.at(baseRound);
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

  #noteAhead(round: number, nodeId: ParticipantId): void {
    if (round > (this.#ahead?.round ?? 0)) this.#ahead = { round, nodeId };
    // One round ahead is everyday: the certificate is on its way.
    if (round > this.#chain.newest.round + 2) this.#sync(nodeId);
  }

  /** Asks a peer for what is missing here; one at a time. */
  #sync(nodeId: ParticipantId): void {
    const round = this.#round;
    if (this.#syncing || round === undefined || nodeId === this.#options.self) return;
    this.#syncing = true;
    const names = new Set([...this.#messages()].map((message) => this.#names.of(message)));
    const bytes = encodeStatus({ task: this.#options.task, round: round.number, names });
    this.#emit({ kind: "sync", nodeId, bytes });
  }

  *#messages(): Iterable<Uint8Array> {
    yield* this.#faulty.values();
    for (const { bytes } of this.#round?.messages() ?? []) yield bytes;
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
    const own = this.#compare(certificate);
    const bytes = encodeCertificate(certificate, this.#participants);
    this.#emit({ kind: "certified", certificate, bytes, own });
    const { decision, result } = certificate;
    this.#deps.meter.count("meshd_learning_certificates_total", { result: decision.kind });
    if (own === "other") this.#countDivergence();
    const isSameModel = this.#modelHere && result.model === this.#chain.newest.model;
    // Who signs that a round is void has computed nothing: it may lack the model that is kept.
    this.#modelHere = isSameModel || (own === "same" && decision.kind === "set");
    this.#chain.extend(certificate);
    if (this.#isLast(certificate)) this.#finish();
    else this.#open([]);
  }

  /** Whether this node computed what was certified. */
  #compare({ result }: Certificate): "same" | "other" | "none" {
    const own = this.#round?.ownResult;
    if (own === undefined) return "none";
    return own.model === result.model && own.weights === result.weights ? "same" : "other";
  }

  /** Whoever signs two things for one slot is out of sets from now on. */
  #convict(nodeId: ParticipantId, proof: Uint8Array, isNew: boolean): void {
    this.#faulty.set(nodeId, proof);
    this.#deps.meter.count("meshd_learning_equivocations_total");
    this.#emit({ kind: "evidence", nodeId, proof });
    if (isNew) this.#emit({ kind: "publish", bytes: proof });
  }

  #isLast(certificate: Certificate): boolean {
    const { rounds, isLast } = this.#options;
    return certificate.round >= rounds || isLast?.(certificate) === true;
  }

  #finish(): void {
    this.#state = "finished";
    this.#round = undefined;
    this.#emit({ kind: "finished", round: this.#chain.newest.round });
    if (this.#modelHere) return;
    this.#fetchModel();
    this.#emit({ kind: "set-timer", id: "republish", delayMs: this.#republishMs });
  }
}
