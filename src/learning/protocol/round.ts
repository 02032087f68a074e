// One round, from its first header to its certificate, as one participant goes through it. Whatever it signs is persisted
// before it is published, and is found again before anything else is signed for the same slot.

import { toHex } from "../../foundation/index.ts";
import type { ParticipantId } from "../task.ts";
import { Agreement } from "./agreement.ts";
import { beaconOf } from "./decision.ts";
import { type Holdings, worth } from "./holdings.ts";
import {
  decodeMessage,
  encodeHeader,
  encodeProposal,
  encodeResult,
  encodeStatement,
  encodeVote,
  type HeaderMessage,
  type RoundMessage,
} from "./messages.ts";
import type { Population } from "./population.ts";
import { freshSet } from "./proposals.ts";
import { Results } from "./results.ts";
import type {
  Certificate,
  ComputedResult,
  Decision,
  Digest,
  RoundAction,
  RoundDeps,
  RoundOptions,
  RoundStatus,
  UpdateFacts,
} from "./types.ts";
import type { Place } from "./wire.ts";

const NO_WEIGHTS = toHex(new Uint8Array(32));
const DEFAULT_VIEW_TIMEOUT_MS = 2000;

/** What a round needs of the machine around it. */
export interface RoundContext {
  readonly deps: RoundDeps;
  readonly options: RoundOptions;
  readonly participants: Population;
  readonly holdings: Holdings;
  readonly faulty: ReadonlyMap<ParticipantId, Uint8Array>;
  /** The headers of the last certified set. */
  readonly entered: ReadonlySet<Digest>;
  readonly emit: (action: RoundAction) => void;
  readonly elapsedMs: () => number;
  /** Whether the model that the round starts from is here. */
  readonly modelHere: () => boolean;
}

/** A round under way. */
export class Round {
  readonly #context: RoundContext;
  readonly #place: Place;
  readonly #baseModel: Digest;
  readonly #agreement: Agreement;
  readonly #results: Results;
  /** Headers in the journal. */
  readonly #journaled = new Set<Digest>();
  #decided: { readonly value: Digest; readonly decision: Decision } | undefined;
  #aggregating = false;
  /** What came to nothing and is to be tried again. */
  readonly #failed = new Set<"train" | "aggregate">();
  #isSplit = false;

  constructor(context: RoundContext, place: Place, baseModel: Digest) {
    this.#context = context;
    this.#place = place;
    this.#baseModel = baseModel;
    this.#results = new Results(context.participants);
    const { self, viewTimeoutMs = DEFAULT_VIEW_TIMEOUT_MS } = context.options;
    const { participants, deps } = context;
    this.#agreement = new Agreement(
      {
        fresh: () => this.#fresh(),
        acceptable: ({ decision, excluded }) => this.#acceptable(decision, excluded),
        propose: (content) => {
          const bytes = encodeProposal(deps.signer, place, content, participants, deps.sha256);
          return this.#publish("proposal", bytes, []);
        },
        vote: (vote, grounds) =>
          this.#publish(vote.kind, encodeVote(deps.signer, place, vote), grounds),
        wait: (delayMs) => context.emit({ kind: "set-timer", id: "view", delayMs }),
        viewStarted: () => deps.meter.count("meshd_learning_views_total"),
        decided: (value, decision) => {
          this.#decided = { value, decision };
          this.#fetchDecided();
        },
      },
      { participants, self, seed: place.previous, viewTimeoutMs },
    );
  }

  get number(): number {
    return this.#place.round;
  }

  get baseModel(): Digest {
    return this.#baseModel;
  }

  /** {@link Agreement.proposerOf} */
  proposerOf(view: number): ParticipantId {
    return this.#agreement.proposerOf(view);
  }

  /** What this node signed as the round's outcome. */
  get ownResult(): ComputedResult | undefined {
    return this.#results.get(this.#place.nodeId)?.result;
  }

  get ownHeader(): HeaderMessage | undefined {
    return this.#context.holdings.committed(this.#place.nodeId, this.number);
  }

  /** What is in the slot of a message already. */
  find(message: RoundMessage): RoundMessage | undefined {
    const { holdings } = this.#context;
    switch (message.kind) {
      case "header":
        return holdings.committed(message.nodeId, message.round);
      case "statement":
        return holdings.isNews(message) ? undefined : holdings.statement(message.nodeId);
      case "result":
        return this.#results.get(message.nodeId);
      default:
        return this.#agreement.find(message);
    }
  }

  /**
   * Whether a liar's further message for one slot is needed all the same: others may have seen that one first, and it was
   * decided, or is about to be.
   */
  wants(message: RoundMessage): boolean {
    if (message.kind === "statement" || message.kind === "result") return false;
    if (message.kind !== "header") return this.#agreement.wants(message);
    const { digest } = message.header;
    return this.#isDecided(digest) && this.#context.holdings.header(digest) === undefined;
  }

  /** Takes a verified message into its empty slot, or one that it {@link wants}. */
  take(message: RoundMessage): "taken" | "past" | "future" {
    const { holdings } = this.#context;
    switch (message.kind) {
      case "header":
        holdings.addHeader(message);
        if (holdings.isNewest(message.header) || this.#isDecided(message.header.digest))
          this.#fetch(message.header.digest);
        return "taken";
      case "statement":
        holdings.addStatement(message);
        return "taken";
      case "result":
        this.#results.add(message);
        return "taken";
      case "proposal":
        for (const statement of message.statements) holdings.addStatement(statement);
        return this.#agreement.add(message);
      default:
        return this.#agreement.add(message);
    }
  }

  /** Takes a message of the journal: what this node signed before binds it now. */
  restore(message: RoundMessage): void {
    if (message.kind === "header") this.#journaled.add(message.header.digest);
    if (message.kind === "header" || message.kind === "result") {
      if (this.find(message) === undefined) this.take(message);
    } else if (message.kind !== "statement") this.#agreement.restore(message);
  }

  /** After the last {@link restore}. */
  resume(): void {
    this.#agreement.resume();
  }

  /** Commits this node to its update. */
  commit(facts: UpdateFacts, base: { readonly round: number; readonly model: Digest }): void {
    const { deps, holdings } = this.#context;
    const content = { ...facts, baseRound: base.round, baseModel: base.model };
    const message = this.#publish("header", encodeHeader(deps.signer, this.#place, content), []);
    this.#journaled.add(message.header.digest);
    holdings.addHeader(message);
    holdings.mark(message.header.digest, "here");
  }

  /** Signs what this node computed. */
  conclude(result: ComputedResult): void {
    if (this.#decided === undefined || this.ownResult !== undefined) return;
    const { deps, options } = this.#context;
    const content = { decision: this.#decided.value, result, rule: options.rule };
    const bytes = encodeResult(deps.signer, this.#place, content);
    this.#results.add(this.#publish("result", bytes, []));
  }

  /** Own work came to nothing; {@link repeat} asks for it again. */
  workFailed(work: "train" | "aggregate"): void {
    this.#failed.add(work);
  }

  /** The timer of the agreement ran out. */
  viewTimeout(): void {
    this.#agreement.timeout();
  }

  /** Something has changed: goes as far as it can. The certificate, once there is one. */
  poke(): Certificate | undefined {
    const { holdings, participants } = this.#context;
    const { ids, byzantine } = participants;
    if (holdings.statement(this.#place.nodeId) === undefined && this.#closes() !== "wait") {
      this.#state();
    }
    if (holdings.statementCount >= ids.length - byzantine) this.#agreement.begin();
    this.#agreement.poke();
    this.#compute();
    return this.#certificate();
  }

  /** Says again what others may have missed. */
  repeat(): void {
    const { holdings, emit } = this.#context;
    const self = this.#place.nodeId;
    const stated = holdings.statement(self);
    if (this.#decided === undefined) {
      const held = worth(holdings.holdings(this.number));
      if (stated !== undefined && held > worth(stated.holdings)) this.#state();
      else if (stated !== undefined) emit({ kind: "publish", bytes: stated.bytes });
      const header = this.ownHeader;
      if (header !== undefined) emit({ kind: "publish", bytes: header.bytes });
      for (const missing of holdings.missing()) this.#fetch(missing.digest);
    } else this.#fetchDecided();
    for (const message of this.#agreement.current()) {
      if (message.nodeId === self) emit({ kind: "publish", bytes: message.bytes });
    }
    const result = this.#results.get(self);
    if (result !== undefined) emit({ kind: "publish", bytes: result.bytes });
    this.#tryAgain();
  }

  #tryAgain(): void {
    const { emit } = this.#context;
    if (this.#failed.delete("aggregate")) this.#aggregating = false;
    if (!this.#failed.delete("train") || this.#decided !== undefined) return;
    if (this.ownHeader === undefined)
      emit({ kind: "train", round: this.number, model: this.#baseModel });
  }

  /** Everything that a participant of the round may lack. */
  *messages(): Iterable<RoundMessage> {
    yield* this.#context.holdings.headerMessages();
    yield* this.#context.holdings.statementMessages();
    yield* this.#agreement.current();
    yield* this.#results.all();
  }

  status(): Omit<RoundStatus, "model" | "modelHere" | "faulty"> {
    const { holdings } = this.#context;
    const { view } = this.#agreement;
    return {
      round: this.number,
      phase: this.#phase(view),
      view,
      held: holdings.sound().length,
      headers: holdings.headerMessages().length,
      statements: holdings.statementCount,
      results: this.#results.size,
    };
  }

  #phase(view: number): RoundStatus["phase"] {
    if (this.ownResult !== undefined) return "certifying";
    if (this.#decided !== undefined) return "computing";
    return view < 0 ? "collecting" : "agreeing";
  }

  /** What the policy says of these updates, by their headers. @default those that are here */
  #closes(headers: readonly Digest[] = this.#context.holdings.sound()) {
    const { options, participants, elapsedMs, entered } = this.#context;
    return options.policy.closes({
      held: headers.length,
      fresh: headers.filter((header) => !entered.has(header)).length,
      participants: participants.ids.length,
      byzantine: participants.byzantine,
      elapsedMs: elapsedMs(),
    });
  }

  /**
   * Tells what is held. The statement is not persisted, a later one replaces it; but what it promises is: if all crash, the
   * headers of a decided set must still be somewhere.
   */
  #state(): void {
    const { deps, holdings, emit } = this.#context;
    const held = holdings.holdings(this.number);
    const digests = new Set(held.map(({ header }) => header));
    const isNew = ({ header: { digest } }: HeaderMessage) =>
      digests.has(digest) && !this.#journaled.has(digest);
    const headers = holdings.headerMessages().filter(isNew);
    for (const { header } of headers) this.#journaled.add(header.digest);
    const messages = headers.map(({ bytes }) => bytes);
    if (messages.length > 0) emit({ kind: "persist", round: this.number, messages });
    const bytes = encodeStatement(deps.signer, this.#place, held);
    holdings.addStatement(this.#own("statement", bytes));
    emit({ kind: "publish", bytes });
  }

  #fresh() {
    const { holdings, participants, faulty } = this.#context;
    const excluded = participants.ids.flatMap((id, index) => (faulty.has(id) ? [index] : []));
    const fresh = freshSet(holdings.statements(), excluded, participants);
    if (fresh !== undefined && this.#acceptable(fresh.decision, excluded)) return fresh;
    if (this.#closes() !== "void") return undefined;
    return { decision: { kind: "void" }, excluded: [], statements: [] } as const;
  }

  /** Void: this node lacks updates too. A set: large enough, who is left out is proven faulty, who is in is not. */
  #acceptable(decision: Decision, excluded: readonly number[]): boolean {
    if (decision.kind === "void") return this.#closes() === "void";
    const { participants, faulty } = this.#context;
    return (
      this.#closes(decision.entries.map(({ header }) => header)) === "close" &&
      excluded.every((index) => faulty.has(participants.ids[index] ?? "")) &&
      !decision.entries.some(({ nodeId }) => faulty.has(nodeId))
    );
  }

  #fetch(digest: Digest): void {
    const { holdings, emit } = this.#context;
    const header = holdings.header(digest);
    if (header === undefined || holdings.isHere(digest)) return;
    const told = holdings.holders(header);
    // What is decided, an honest participant holds: whoever it is, if it told others only.
    const rest = this.#decided === undefined ? [] : this.#context.participants.ids;
    const holders = [...new Set([...told, ...rest])].filter((id) => id !== this.#place.nodeId);
    emit({ kind: "fetch-update", header, holders });
  }

  #isDecided(header: Digest): boolean {
    const decision = this.#decided?.decision;
    return decision?.kind === "set" && decision.entries.some((entry) => entry.header === header);
  }

  #fetchDecided(): void {
    if (this.#decided?.decision.kind !== "set") return;
    for (const { header } of this.#decided.decision.entries) this.#fetch(header);
  }

  /** Begins the computation once everything that it takes is here. */
  #compute(): void {
    if (this.#decided === undefined || this.#aggregating || this.ownResult !== undefined) return;
    const { deps, holdings, emit, modelHere } = this.#context;
    const { value, decision } = this.#decided;
    if (decision.kind === "void") {
      this.conclude({ model: this.#baseModel, weights: NO_WEIGHTS, summary: new Uint8Array(0) });
      return;
    }
    if (!modelHere()) return;
    const headers = decision.entries.flatMap(({ header }) =>
      holdings.isHere(header) ? [holdings.header(header)] : [],
    );
    const known = headers.filter((header) => header !== undefined);
    if (known.length < decision.entries.length) return;
    this.#aggregating = true;
    const beacon = beaconOf(deps.sha256, value);
    const { number: round, baseModel } = this;
    emit({ kind: "aggregate", round, baseModel, beacon, headers: known });
  }

  #certificate(): Certificate | undefined {
    if (this.#decided === undefined) return undefined;
    const { deps, emit } = this.#context;
    const certificate = this.#results.certificate(deps.sha256, this.#decided);
    if (certificate === undefined && !this.#isSplit && this.#results.isSplit) {
      this.#isSplit = true;
      emit({ kind: "split", round: this.number });
    }
    return certificate;
  }

  /** Persists an own message with what it rests on, then publishes it. */
  #publish<Kind extends RoundMessage["kind"]>(
    kind: Kind,
    bytes: Uint8Array,
    grounds: readonly RoundMessage[],
  ): Extract<RoundMessage, { kind: Kind }> {
    const { emit } = this.#context;
    const messages = [...grounds.map((message) => message.bytes), bytes];
    emit({ kind: "persist", round: this.number, messages });
    emit({ kind: "publish", bytes });
    return this.#own(kind, bytes);
  }

  /** An own message in the form in which others read it. */
  #own<Kind extends RoundMessage["kind"]>(
    kind: Kind,
    bytes: Uint8Array,
  ): Extract<RoundMessage, { kind: Kind }> {
    const { participants, deps } = this.#context;
    const decoded = decodeMessage(bytes, participants, deps.sha256);
    if (!decoded.ok || decoded.value.kind !== kind)
      throw new RangeError(`An own ${kind} is wrong.`);
    return decoded.value as Extract<RoundMessage, { kind: Kind }>;
  }
}
