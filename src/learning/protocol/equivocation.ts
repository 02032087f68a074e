// Proof of equivocation: two messages that one participant signed for one slot, where an honest one signs only one: two
// headers or results of a round, two proposals or votes of a view. It convinces anyone with the participant's key.
// kind (1) | version (1) | length (2) | first signed part | its signature | length (2) | second | its signature,
// the smaller one first.

import { ML_DSA_65, type MlDsa } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  isMeshError,
  ok,
  refuse,
  type Result,
  toHex,
  uint16be,
} from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import type { Digest } from "./types.ts";
import {
  malformed,
  messageKinds,
  PREFIX_BYTES,
  PROTOCOL_VERSION,
  protocolLimits,
  readPlace,
  signatureContexts,
} from "./wire.ts";

/** Kinds whose slots hold one message: a statement may grow, the rest may not change. */
const slotKinds = ["header", "proposal", "prevote", "precommit", "result"] as const;
export type SlotKind = (typeof slotKinds)[number];

export const ROUND_PROOF_BYTES_MAX =
  2 + 2 * (2 + protocolLimits.signedBytes + ML_DSA_65.signatureBytes);

/** A parsed proof; its signatures are still to be checked. */
export interface RoundProof {
  readonly kind: SlotKind;
  readonly task: Digest;
  readonly round: number;
  /** Of proposals and votes. */
  readonly view?: number;
  readonly nodeId: ParticipantId;
  readonly parts: readonly { readonly signed: Uint8Array; readonly signature: Uint8Array }[];
}

/** What a message adds to a proof. */
interface SignedBytes {
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** The bytes of a proof; the order of the two is the form's own. */
export function encodeRoundProof(one: SignedBytes, other: SignedBytes): Uint8Array {
  const ordered = toHex(one.signed) < toHex(other.signed) ? [one, other] : [other, one];
  return concatBytes(
    Uint8Array.of(messageKinds.proof, PROTOCOL_VERSION),
    ...ordered.flatMap(({ signed, signature }) => [uint16be(signed.length), signed, signature]),
  );
}

/** Parses a proof. Codes: `learning/too-large`, `learning/malformed`, `learning/not-a-proof` when the two do not contradict each other. */
export function decodeRoundProof(bytes: Uint8Array): Result<RoundProof, ProtocolRefusalCode> {
  if (bytes.length > ROUND_PROOF_BYTES_MAX) return refuse("learning/too-large");
  try {
    return readProof(bytes);
  } catch (error) {
    if (isMeshError(error)) return refuse("learning/malformed", error.message);
    throw error;
  }
}

function readProof(bytes: Uint8Array): Result<RoundProof, ProtocolRefusalCode> {
  const reader = new ByteReader(bytes);
  if (reader.uint8() !== messageKinds.proof) throw malformed("another kind");
  if (reader.uint8() !== PROTOCOL_VERSION) throw malformed("another version");
  const first = readPart(reader);
  const second = readPart(reader);
  if (reader.remaining > 0) throw malformed("bytes behind the second");
  if (toHex(first.signed) >= toHex(second.signed)) throw malformed("order");
  const [slot, other] = [readSlot(first.signed), readSlot(second.signed)];
  const { kind, task, round, nodeId, view } = slot;
  const same = kind === other.kind && task === other.task && round === other.round;
  if (!same || nodeId !== other.nodeId || view !== other.view)
    return refuse("learning/not-a-proof");
  return ok({ ...slot, parts: [first, second] });
}

function readPart(reader: ByteReader): SignedBytes {
  const length = reader.uint16be();
  if (length > protocolLimits.signedBytes) throw malformed(`${length} signed bytes`);
  return {
    signed: reader.take(length).slice(),
    signature: reader.take(ML_DSA_65.signatureBytes).slice(),
  };
}

/** What may be signed once only. The rest of the content needs no reading: that it differs is enough. */
function readSlot(signed: Uint8Array): Omit<RoundProof, "parts"> {
  const reader = new ByteReader(signed);
  const kindByte = reader.uint8();
  const kind = slotKinds.find((name) => messageKinds[name] === kindByte);
  if (kind === undefined) throw malformed(`kind ${kindByte}`);
  if (reader.uint8() !== PROTOCOL_VERSION) throw malformed("another version");
  const { task, round, nodeId } = readPlace(reader);
  if (signed.length === PREFIX_BYTES) throw malformed("nothing signed");
  if (kind === "header" || kind === "result") return { kind, task, round, nodeId };
  return { kind, task, round, nodeId, view: reader.uint32be() };
}

/** True when the participant with this key signed both. */
export function verifyRoundProof(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  { kind, parts }: RoundProof,
): boolean {
  const context = signatureContexts[kind];
  return parts.every(({ signed, signature }) =>
    mlDsa.verify(publicKey, signed, signature, context),
  );
}
