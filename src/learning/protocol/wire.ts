// The common form of the protocol's messages: strict, one encoding for each value, every length bounded.
// Integers are big-endian. Every signed message begins with
// kind (1) | version (1) | task (32) | round (4) | previous certificate (32) | participant (32)
// so that no signature means anything in another task, round or history.

import { ML_DSA_65 } from "../../crypto/index.ts";
import {
  type ByteReader,
  concatBytes,
  fromHex,
  MeshError,
  toHex,
  uint32be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { ParticipantId } from "../task.ts";
import type { Digest, RoundMessageKind } from "./types.ts";

/** First byte of each message kind. */
export const messageKinds = {
  header: 1,
  statement: 2,
  proposal: 3,
  prevote: 4,
  precommit: 5,
  result: 6,
  certificate: 7,
  proof: 8,
  status: 9,
} as const satisfies Record<RoundMessageKind | "status", number>;
export const PROTOCOL_VERSION = 1;

/** Kinds that participants sign. */
export type SignedKind = Exclude<RoundMessageKind, "certificate" | "proof">;

/** ML-DSA contexts: a signature of one kind is none of another. */
export const signatureContexts: Readonly<Record<SignedKind, Uint8Array>> = {
  header: utf8Bytes("x0tta6bl4/fl-header/1"),
  statement: utf8Bytes("x0tta6bl4/fl-statement/1"),
  proposal: utf8Bytes("x0tta6bl4/fl-proposal/1"),
  prevote: utf8Bytes("x0tta6bl4/fl-prevote/1"),
  precommit: utf8Bytes("x0tta6bl4/fl-precommit/1"),
  result: utf8Bytes("x0tta6bl4/fl-result/1"),
};

/** Limits of the form. A proposal among 64 with 64 statements of 64 entries each has about 370 KB. */
export const protocolLimits = {
  messageBytes: 400_000,
  noteBytes: 64,
  summaryBytes: 256,
  /** The signed part of what can be in a proof. */
  signedBytes: 1024,
  /** Rounds an update may be old. */
  staleness: 255,
} as const;

export const DIGEST_BYTES = 32;
export const PREFIX_BYTES = 102;

/** Where a signed message belongs. */
export interface Place {
  readonly task: Digest;
  readonly round: number;
  /** Digest of the certificate before. */
  readonly previous: Digest;
  readonly nodeId: ParticipantId;
}

export function encodePrefix(kind: SignedKind, place: Place): Uint8Array {
  return concatBytes(
    Uint8Array.of(messageKinds[kind], PROTOCOL_VERSION),
    fromHex(place.task),
    uint32be(place.round),
    fromHex(place.previous),
    fromHex(place.nodeId),
  );
}

/** Reads what follows kind and version. */
export function readPlace(reader: ByteReader): Place {
  const task = readDigest(reader);
  const round = reader.uint32be();
  if (round === 0) throw malformed("round 0");
  return { task, round, previous: readDigest(reader), nodeId: readDigest(reader) };
}

export function readDigest(reader: ByteReader): Digest {
  return toHex(reader.take(DIGEST_BYTES));
}

export function readSignature(reader: ByteReader): Uint8Array {
  return reader.take(ML_DSA_65.signatureBytes);
}

/** A length byte or two, and so many bytes, as a copy. */
export function readBlob(reader: ByteReader, max: number): Uint8Array {
  const length = reader.uint16be();
  if (length > max) throw malformed(`${length} bytes where at most ${max} may be`);
  return reader.take(length).slice();
}

/** Thrown inside parsers only: it never leaves them. */
export function malformed(what: string): MeshError {
  return new MeshError("learning/malformed", what);
}
