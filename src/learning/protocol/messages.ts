// The signed messages of a round. Behind the common prefix:
//   header     base round (4) | base model (32) | update (32) | bytes (4) | codec (1) | note length (2) | note
//   statement  count (1) | count x (participant's index (1) | age (1) | header digest (32)), ascending
//   proposal   view (4) | valid view + 1 (4) | value (32) | digest of the body (32)
//   prevote, precommit   view (4) | value (32), zeroes for none
//   result     decision (32) | model (32) | weights (32) | rule (32) | summary length (2) | summary
// then the signature. A proposal's body follows its signature: decision | excluded: count (1), indices |
// statements: count (1), each length (2) | message. So what proves a double proposal stays small.

import type { MlDsaSigner } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
  ok,
  refuse,
  type Result,
  toHex,
  uint16be,
  uint32be,
} from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import {
  decisionDigest,
  encodeDecision,
  type Holding,
  readDecision,
  readIndex,
} from "./decision.ts";
import type { Population } from "./population.ts";
import type { ComputedResult, Decision, Digest, UpdateHeader } from "./types.ts";
import {
  encodePrefix,
  malformed,
  messageKinds,
  type Place,
  PROTOCOL_VERSION,
  protocolLimits,
  readBlob,
  readDigest,
  readPlace,
  readSignature,
  type SignedKind,
  signatureContexts,
} from "./wire.ts";

/** What every message has: nothing of it is proven until its signature is. Byte fields are views of the message. */
interface Envelope extends Place {
  readonly bytes: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export type HeaderMessage = Envelope & { readonly kind: "header"; readonly header: UpdateHeader };
export type StatementMessage = Envelope & {
  readonly kind: "statement";
  readonly holdings: readonly Holding[];
};
export type ProposalMessage = Envelope & {
  readonly kind: "proposal";
  readonly view: number;
  /** The view in which a quorum prevoted for the value; -1 of a fresh one. */
  readonly validView: number;
  /** Digest of the decision. */
  readonly value: Digest;
  readonly decision: Decision;
  /** Indices of participants that the proposer knows to have contradicted themselves. Ascending. */
  readonly excluded: readonly number[];
  /** What a fresh set follows from. */
  readonly statements: readonly StatementMessage[];
};
export type VoteMessage = Envelope & {
  readonly kind: "prevote" | "precommit";
  readonly view: number;
  /** Digest of a decision; undefined for none. */
  readonly value: Digest | undefined;
};
export type ResultMessage = Envelope & {
  readonly kind: "result";
  readonly decision: Digest;
  readonly result: ComputedResult;
  readonly rule: Digest;
};
export type RoundMessage =
  | HeaderMessage
  | StatementMessage
  | ProposalMessage
  | VoteMessage
  | ResultMessage;

type Sha256 = (data: Uint8Array) => Uint8Array;

const NO_VALUE = new Uint8Array(32);
const NO_VALUE_HEX = toHex(NO_VALUE);

function sign(signer: MlDsaSigner, kind: SignedKind, signed: Uint8Array): Uint8Array {
  return concatBytes(signed, signer.sign(signed, signatureContexts[kind]));
}

/** What a header says, without what is known from its place. */
export type HeaderFacts = Omit<UpdateHeader, "digest" | "nodeId" | "round">;

export function encodeHeader(signer: MlDsaSigner, place: Place, facts: HeaderFacts): Uint8Array {
  const signed = concatBytes(
    encodePrefix("header", place),
    uint32be(facts.baseRound),
    fromHex(facts.baseModel),
    fromHex(facts.update),
    uint32be(facts.bytes),
    Uint8Array.of(facts.codec),
    uint16be(facts.note.length),
    facts.note,
  );
  return sign(signer, "header", signed);
}

export function encodeStatement(
  signer: MlDsaSigner,
  place: Place,
  holdings: readonly Holding[],
): Uint8Array {
  const signed = concatBytes(
    encodePrefix("statement", place),
    Uint8Array.of(holdings.length),
    ...holdings.map(({ index, age, header }) =>
      concatBytes(Uint8Array.of(index, age), fromHex(header)),
    ),
  );
  return sign(signer, "statement", signed);
}

/** What a proposal says. */
export interface ProposalContent {
  readonly view: number;
  readonly validView: number;
  readonly decision: Decision;
  readonly excluded: readonly number[];
  /** Statement messages. */
  readonly statements: readonly Uint8Array[];
}

export function encodeProposal(
  signer: MlDsaSigner,
  place: Place,
  content: ProposalContent,
  participants: Population,
  sha256: Sha256,
): Uint8Array {
  const { view, validView, excluded, statements } = content;
  const decision = encodeDecision(content.decision, participants);
  const body = concatBytes(
    decision,
    Uint8Array.of(excluded.length, ...excluded, statements.length),
    ...statements.flatMap((statement) => [uint16be(statement.length), statement]),
  );
  const signed = concatBytes(
    encodePrefix("proposal", place),
    uint32be(view),
    uint32be(validView + 1),
    fromHex(decisionDigest(sha256, place, decision)),
    sha256(body),
  );
  return concatBytes(sign(signer, "proposal", signed), body);
}

export function encodeVote(
  signer: MlDsaSigner,
  place: Place,
  { kind, view, value }: Pick<VoteMessage, "kind" | "view" | "value">,
): Uint8Array {
  const content = value === undefined ? NO_VALUE : fromHex(value);
  return sign(signer, kind, concatBytes(encodePrefix(kind, place), uint32be(view), content));
}

/** The bytes under a result's signature: a certificate leaves them out, because they follow from it. */
export function encodeUnsignedResult(
  place: Place,
  { decision, result, rule }: Pick<ResultMessage, "decision" | "result" | "rule">,
): Uint8Array {
  return concatBytes(
    encodePrefix("result", place),
    fromHex(decision),
    fromHex(result.model),
    fromHex(result.weights),
    fromHex(rule),
    uint16be(result.summary.length),
    result.summary,
  );
}

export function encodeResult(
  signer: MlDsaSigner,
  place: Place,
  content: Pick<ResultMessage, "decision" | "result" | "rule">,
): Uint8Array {
  return sign(signer, "result", encodeUnsignedResult(place, content));
}

/**
 * Parses a signed message; its signature, and those of the statements in it, are not checked.
 * Codes: `learning/too-large`, `learning/malformed` for anything but the one encoding of a value.
 */
export function decodeMessage(
  bytes: Uint8Array,
  participants: Population,
  sha256: Sha256,
): Result<RoundMessage, ProtocolRefusalCode> {
  if (bytes.length > protocolLimits.messageBytes) return refuse("learning/too-large");
  try {
    return ok(readMessage(bytes, participants, sha256));
  } catch (error) {
    if (isMeshError(error)) return refuse("learning/malformed", error.message);
    throw error;
  }
}

function readMessage(bytes: Uint8Array, all: Population, sha256: Sha256): RoundMessage {
  const reader = new ByteReader(bytes);
  const kind = reader.uint8();
  if (reader.uint8() !== PROTOCOL_VERSION) throw malformed("another version");
  const place = readPlace(reader);
  const envelope = (): Envelope => {
    const signed = bytes.subarray(0, bytes.length - reader.remaining);
    return { ...place, bytes, signed, signature: readSignature(reader) };
  };
  const whole = <Message extends RoundMessage>(message: Message): Message => {
    if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes too many`);
    return message;
  };
  switch (kind) {
    case messageKinds.header: {
      const facts = readHeaderFacts(reader);
      const digest = toHex(sha256(bytes.subarray(0, bytes.length - reader.remaining)));
      const { nodeId, round } = place;
      return whole({ kind: "header", header: { digest, nodeId, round, ...facts }, ...envelope() });
    }
    case messageKinds.statement:
      return whole({ kind: "statement", holdings: readHoldings(reader, all), ...envelope() });
    case messageKinds.proposal:
      return whole(readProposal(reader, envelope, all, sha256));
    case messageKinds.prevote:
    case messageKinds.precommit: {
      const view = reader.uint32be();
      const digest = readDigest(reader);
      const value = digest === NO_VALUE_HEX ? undefined : digest;
      const voteKind = kind === messageKinds.prevote ? "prevote" : "precommit";
      return whole({ kind: voteKind, view, value, ...envelope() });
    }
    case messageKinds.result: {
      const decision = readDigest(reader);
      const [model, weights, rule] = [readDigest(reader), readDigest(reader), readDigest(reader)];
      const summary = readBlob(reader, protocolLimits.summaryBytes);
      const result = { model, weights, summary };
      return whole({ kind: "result", decision, result, rule, ...envelope() });
    }
    default:
      throw malformed(`kind ${kind}`);
  }
}

function readHeaderFacts(reader: ByteReader): HeaderFacts {
  const baseRound = reader.uint32be();
  const [baseModel, update] = [readDigest(reader), readDigest(reader)];
  const bytes = reader.uint32be();
  if (bytes === 0) throw malformed("an empty update");
  const codec = reader.uint8();
  const note = readBlob(reader, protocolLimits.noteBytes);
  return { baseRound, baseModel, update, bytes, codec, note };
}

function readHoldings(reader: ByteReader, { ids }: Population): Holding[] {
  const count = reader.uint8();
  if (count > ids.length) throw malformed(`${count} holdings`);
  const holdings: Holding[] = [];
  let index = -1;
  for (let i = 0; i < count; i++) {
    index = readIndex(reader, index, ids.length);
    holdings.push({ index, age: reader.uint8(), header: readDigest(reader) });
  }
  return holdings;
}

function readProposal(
  reader: ByteReader,
  envelope: () => Envelope,
  all: Population,
  sha256: Sha256,
): ProposalMessage {
  const view = reader.uint32be();
  const validView = reader.uint32be() - 1;
  if (validView >= view) throw malformed(`view ${view} on a quorum of view ${validView}`);
  const value = readDigest(reader);
  const bodyDigest = readDigest(reader);
  const head = envelope();
  const body = reader.take(reader.remaining);
  if (toHex(sha256(body)) !== bodyDigest) throw malformed("another body");
  const bodyReader = new ByteReader(body);
  const decision = readDecision(bodyReader, all);
  const encoded = body.subarray(0, body.length - bodyReader.remaining);
  if (decisionDigest(sha256, head, encoded) !== value) throw malformed("another decision");
  const excluded = readExcluded(bodyReader, all);
  const statements = readStatements(bodyReader, all, sha256);
  if (bodyReader.remaining > 0) throw malformed("bytes behind the statements");
  return { kind: "proposal", view, validView, value, decision, excluded, statements, ...head };
}

function readExcluded(reader: ByteReader, { ids }: Population): number[] {
  const count = reader.uint8();
  const excluded: number[] = [];
  let index = -1;
  for (let i = 0; i < count; i++) {
    index = readIndex(reader, index, ids.length);
    excluded.push(index);
  }
  return excluded;
}

function readStatements(reader: ByteReader, all: Population, sha256: Sha256): StatementMessage[] {
  const count = reader.uint8();
  if (count > all.ids.length) throw malformed(`${count} statements`);
  const statements: StatementMessage[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = reader.take(reader.uint16be());
    // A proposal in a proposal would let the reader descend as deep as its sender likes.
    if (bytes[0] !== messageKinds.statement) throw malformed("no statement");
    const statement = readMessage(bytes, all, sha256);
    if (statement.kind !== "statement") throw malformed("no statement");
    if ((statements.at(-1)?.nodeId ?? "") >= statement.nodeId) throw malformed("order");
    statements.push(statement);
  }
  return statements;
}
