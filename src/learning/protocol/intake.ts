// What may come in: the checks of a message in the order of their cost, and what follows from one that contradicts another.
// Size and form, task and participant, round and chain, slot, content, and only then the signature.

import { refuse, type Refusal } from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { decodeCertificate, verifyCertificate } from "./certificate.ts";
import type { Chain } from "./chain.ts";
import { decodeRoundProof, encodeRoundProof, verifyRoundProof } from "./equivocation.ts";
import type { Holdings } from "./holdings.ts";
import { decodeMessage, type RoundMessage, type StatementMessage } from "./messages.ts";
import type { Population } from "./population.ts";
import { flawOf } from "./proposals.ts";
import type { Round } from "./round.ts";
import type { Certificate, RoundDeps, RoundMessageKind, RoundOptions } from "./types.ts";
import { messageKinds, signatureContexts } from "./wire.ts";

/** Headers and statements of the next round kept for each participant, until this node gets there. */
const EARLY_KEPT = 8;

/** What a message was taken for, or why it was not. */
export type Outcome = RoundMessageKind | Refusal<ProtocolRefusalCode>;

interface IntakeContext {
  readonly deps: RoundDeps;
  readonly options: RoundOptions;
  readonly participants: Population;
  readonly chain: Chain;
  readonly holdings: Holdings;
  readonly faulty: ReadonlyMap<ParticipantId, Uint8Array>;
  /** Undefined after the last. */
  readonly round: () => Round | undefined;
  /** A verified certificate that follows the newest. */
  readonly adopt: (certificate: Certificate) => void;
  /** A verified proof; `isNew`: nobody has published it yet. */
  readonly convict: (nodeId: ParticipantId, proof: Uint8Array, isNew: boolean) => void;
  /** A participant is in a later round. */
  readonly ahead: (round: number, nodeId: ParticipantId) => void;
}

/** Admits messages into the round under way. */
export class Intake {
  readonly #context: IntakeContext;
  readonly #early = new Map<ParticipantId, RoundMessage[]>();
  /** The latest round that a participant was seen in, beyond the next. */
  #furthest = 0;

  constructor(context: IntakeContext) {
    this.#context = context;
  }

  /** Any message. */
  admit(bytes: Uint8Array): Outcome {
    if (bytes[0] === messageKinds.certificate) return this.#certificate(bytes);
    if (bytes[0] === messageKinds.proof) return this.#proof(bytes);
    const { participants, deps, options } = this.#context;
    const decoded = decodeMessage(bytes, participants, deps.sha256);
    if (!decoded.ok) return decoded;
    const message = decoded.value;
    if (message.task !== options.task) return refuse("learning/wrong-task");
    if (participants.indexOf(message.nodeId) === undefined) {
      return refuse("learning/not-a-participant");
    }
    const round = this.#context.round();
    if (round === undefined) return refuse("learning/past-round");
    if (message.round > round.number) return this.#keepEarly(message, round);
    return this.#place(message, round, false);
  }

  /** A round has begun: takes what came for it before. */
  replay(round: Round): void {
    const early = [...this.#early.values()].flat();
    this.#early.clear();
    for (const message of early)
      if (message.round === round.number) this.#place(message, round, true);
  }

  #place(message: RoundMessage, round: Round, verified: boolean): Outcome {
    const misplaced = this.#misplaced(message, round);
    if (misplaced !== undefined) return misplaced;
    const known = round.find(message);
    if (known !== undefined) {
      const refusal = this.#contradiction(known, message);
      if (refusal.code !== "learning/equivocation" || !round.wants(message)) return refusal;
    }
    const needless = message.kind === "header" && !round.wants(message);
    if (needless && this.#context.faulty.has(message.nodeId))
      return refuse("learning/equivocation");
    if (needless && this.#context.holdings.isFull(message.nodeId))
      return refuse("learning/too-many-headers");
    if (message.kind === "proposal") {
      const isDue = round.proposerOf(message.view) === message.nodeId;
      const flaw = isDue ? flawOf(message, this.#context.participants) : "another's turn";
      if (flaw !== undefined) return refuse("learning/bad-proposal", flaw);
    }
    const refusal = verified ? undefined : this.#unverified(message);
    if (refusal !== undefined) return refusal;
    const taken = round.take(message);
    if (taken === "taken") return message.kind;
    return refuse(taken === "past" ? "learning/past-view" : "learning/future-view");
  }

  /** What does not fit into the chain of certificates. */
  #misplaced(message: RoundMessage, round: Round): Refusal<ProtocolRefusalCode> | undefined {
    const { chain, options } = this.#context;
    if (message.round < round.number && message.kind !== "header") {
      return refuse("learning/past-round");
    }
    const before = chain.at(message.round - 1);
    if (before === undefined) return refuse("learning/past-round");
    if (before.digest !== message.previous) return refuse("learning/wrong-chain");
    if (message.kind !== "header") return undefined;
    const { baseRound, baseModel, bytes } = message.header;
    const base = chain.at(baseRound);
    if (base?.model !== baseModel || baseRound >= message.round) {
      return refuse("learning/wrong-base");
    }
    return bytes > options.updateBytesMax ? refuse("learning/too-large") : undefined;
  }

  /** Why a message's signatures do not prove it. */
  #unverified(message: RoundMessage): Refusal<ProtocolRefusalCode> | undefined {
    const { deps } = this.#context;
    const publicKey = deps.publicKeyOf(message.nodeId);
    if (publicKey === undefined) return refuse("learning/unknown-identity");
    const { signed, signature, kind } = message;
    if (!deps.mlDsa.verify(publicKey, signed, signature, signatureContexts[kind])) {
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

  /** Most statements of a proposal came here before it, and were verified then. */
  #isKnown(statement: StatementMessage): boolean {
    const known = this.#context.holdings.statement(statement.nodeId);
    return known !== undefined && sameBytes(known.bytes, statement.bytes);
  }

  /** A slot that is taken: by the same message, or by one that it contradicts. */
  #contradiction(known: RoundMessage, message: RoundMessage): Refusal<ProtocolRefusalCode> {
    const isSame = message.kind === "statement" || sameBytes(known.signed, message.signed);
    if (isSame) return refuse("learning/doubled");
    if (this.#context.faulty.has(message.nodeId)) return refuse("learning/equivocation");
    const refusal = this.#unverified(message);
    if (refusal !== undefined) return refusal;
    this.#context.convict(message.nodeId, encodeRoundProof(known, message), true);
    return refuse("learning/equivocation");
  }

  #proof(bytes: Uint8Array): Outcome {
    const { deps, options, participants, faulty } = this.#context;
    const decoded = decodeRoundProof(bytes);
    if (!decoded.ok) return decoded;
    const { task, nodeId } = decoded.value;
    if (task !== options.task) return refuse("learning/wrong-task");
    if (participants.indexOf(nodeId) === undefined) return refuse("learning/not-a-participant");
    if (faulty.has(nodeId)) return refuse("learning/doubled");
    const publicKey = deps.publicKeyOf(nodeId);
    if (publicKey === undefined) return refuse("learning/unknown-identity");
    if (!verifyRoundProof(deps.mlDsa, publicKey, decoded.value)) {
      return refuse("learning/bad-signature");
    }
    this.#context.convict(nodeId, bytes, false);
    return "proof";
  }

  #certificate(bytes: Uint8Array): Outcome {
    const { deps, options, participants, chain } = this.#context;
    const decoded = decodeCertificate(bytes, participants, deps.sha256);
    if (!decoded.ok) return decoded;
    const { task, round, previous, rule } = decoded.value;
    if (task !== options.task) return refuse("learning/wrong-task");
    const { newest } = chain;
    if (round <= newest.round || this.#context.round() === undefined) {
      return refuse("learning/past-round");
    }
    if (round > newest.round + 1) return refuse("learning/future-round");
    if (previous !== newest.digest || rule !== options.rule) return refuse("learning/wrong-chain");
    const { signatures } = decoded.value;
    if (signatures.some(({ nodeId }) => deps.publicKeyOf(nodeId) === undefined)) {
      return refuse("learning/unknown-identity");
    }
    if (!verifyCertificate(deps, decoded.value, participants)) {
      return refuse("learning/bad-certificate");
    }
    this.#context.adopt(decoded.value);
    return "certificate";
  }

  /**
   * The next round's headers and statements are kept until this node is there; of the rest, which comes again by a sync, it
   * is enough to know that somebody is ahead.
   */
  #keepEarly(message: RoundMessage, round: Round): Outcome {
    const isNext = message.round === round.number + 1;
    const kept = this.#early.get(message.nodeId) ?? [];
    const isNews = isNext
      ? kept.length < EARLY_KEPT && !kept.some(({ signed }) => sameBytes(signed, message.signed))
      : message.round > this.#furthest;
    if (!isNews) return refuse("learning/future-round");
    const refusal = this.#unverified(message);
    if (refusal !== undefined) return refusal;
    if (!isNext) this.#furthest = message.round;
    else if (message.kind === "header" || message.kind === "statement") {
      this.#early.set(message.nodeId, [...kept, message]);
    }
    this.#context.ahead(message.round, message.nodeId);
    return refuse("learning/future-round");
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
