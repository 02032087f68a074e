// What nodes tell one another about healing, on one gossip topic of the mesh: that they take a token of the mesh-wide budget, and what
// they learned from an incident that is over. Signed by the author, numbered so that nothing counts twice.
// kind (1) | version (1) | node id (32) | epoch (4) | number (4) | body | signature
// Body of a claim: how long it holds, in ms (4), 0: no longer. Body of a lesson: the summary of the incident.
// No time of day is in it: a node whose clock is wrong must not pass over the claims of others, nor others over its own.

import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
  ok,
  refuse,
  type Result,
  toHex,
  uint32be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { Incident } from "../incident.ts";
import { healingDefaults } from "../options.ts";
import { decodeSummary, encodeSummary, SUMMARY_BYTES_MAX, type SummaryCode } from "./summary.ts";

/** ML-DSA context of a notice's signature. */
export const noticeContext: Uint8Array = utf8Bytes("x0tta6bl4/healing/1");

const VERSION = 1;
const kinds = { claim: 1, lesson: 2 } as const;
const HEADER_BYTES = 2 + 32 + 4 + 4;
/** Without the signature. */
export const NOTICE_BYTES_MAX = HEADER_BYTES + SUMMARY_BYTES_MAX;

/** What is told. */
export type NoticeBody =
  | { readonly kind: "claim"; readonly leftMs: number }
  | { readonly kind: "lesson"; readonly incident: Incident };

export interface Notice {
  /** The author, 64 hex digits. */
  readonly nodeId: string;
  /** The author's boot counter, and a number that rises with each notice of a boot. */
  readonly epoch: number;
  readonly number: number;
  readonly body: NoticeBody;
}

/** A parsed notice whose signature nobody has checked yet. */
export interface UnverifiedNotice {
  readonly notice: Notice;
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

export type NoticeCode = "healing/malformed-notice" | "healing/unknown-notice" | SummaryCode;

/** A signed notice, ready to publish; `sign` signs under {@link noticeContext}. */
export function encodeNotice(
  { nodeId, epoch, number, body }: Notice,
  sign: (unsigned: Uint8Array) => Uint8Array,
): Uint8Array {
  const unsigned = concatBytes(
    Uint8Array.of(kinds[body.kind], VERSION),
    fromHex(nodeId),
    uint32be(epoch),
    uint32be(number),
    body.kind === "claim" ? uint32be(body.leftMs) : encodeSummary(body.incident),
  );
  return concatBytes(unsigned, sign(unsigned));
}

/** Parses a notice; the signature, of so many bytes, is cut off and not checked. Codes: {@link NoticeCode}. */
export function decodeNotice(
  bytes: Uint8Array,
  signatureBytes: number,
): Result<UnverifiedNotice, NoticeCode> {
  const split = bytes.length - signatureBytes;
  if (split < HEADER_BYTES || split > NOTICE_BYTES_MAX)
    return refuse("healing/malformed-notice", `${bytes.length} bytes`);
  const signed = bytes.subarray(0, split);
  try {
    const notice = readNotice(new ByteReader(signed));
    if (!notice.ok) return notice;
    return ok({ notice: notice.value, signed, signature: bytes.subarray(split) });
  } catch (error) {
    if (isMeshError(error)) return refuse("healing/malformed-notice", error.message);
    throw error;
  }
}

function readNotice(reader: ByteReader): Result<Notice, NoticeCode> {
  const kind = reader.uint8();
  if (reader.uint8() !== VERSION) return refuse("healing/unknown-notice", "another version");
  const nodeId = toHex(reader.take(32));
  const from = { nodeId, epoch: reader.uint32be(), number: reader.uint32be() };
  if (kind === kinds.claim) {
    const leftMs = reader.uint32be();
    if (reader.remaining > 0 || leftMs > healingDefaults.claimMs)
      return refuse("healing/malformed-notice", "a claim that goes on");
    return ok({ ...from, body: { kind: "claim", leftMs } });
  }
  if (kind !== kinds.lesson) return refuse("healing/unknown-notice", `kind ${kind}`);
  const summary = decodeSummary(reader.take(reader.remaining));
  if (!summary.ok) return summary;
  return ok({ ...from, body: { kind: "lesson", incident: summary.value } });
}
