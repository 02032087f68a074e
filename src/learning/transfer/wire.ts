// What is said on a transfer's stream, each message in a frame of its own:
//
//   asker:  content     length of the task id (1), task id, digest (32), size (4)
//   holder: offer       status (1), and with `held` the leaves (32 a chunk)
//   asker:  want        chunk numbers (2 each), ascending, at most 16
//   holder: the wanted chunks in that order; then the next want. An empty one ends it.
//
// The asker says how much may come next, so neither side ever has more than a megabyte of the other's under way.

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
  utf8Bytes,
  utf8Text,
} from "../../foundation/index.ts";
import type { TransferRefusalCode } from "../codes.ts";
import { CHUNK_BYTES, chunkCount, CONTENT_BYTES_MAX, type ContentId } from "./chunks.ts";

/** Chunks that may be under way. */
export const WINDOW_CHUNKS = 16;
/** The longest message: a chunk. */
export const TRANSFER_FRAME_BYTES_MAX = CHUNK_BYTES;

/** What a holder says to the content it is asked for. */
export const offerStatus = ["held", "absent", "busy"] as const;
export type OfferStatus = (typeof offerStatus)[number];

/** What is asked for, and as part of which task. */
export interface ContentRequest {
  readonly taskId: string;
  readonly content: ContentId;
}

/** The first message of an asker. */
export function encodeContentRequest({ taskId, content }: ContentRequest): Uint8Array {
  const id = utf8Bytes(taskId);
  return concatBytes(
    Uint8Array.of(id.length),
    id,
    fromHex(content.digest),
    uint32be(content.bytes),
  );
}

/** Code: `learning/bad-request` */
export function decodeContentRequest(
  message: Uint8Array,
): Result<ContentRequest, TransferRefusalCode> {
  const reader = new ByteReader(message);
  try {
    const taskId = utf8Text(reader.take(reader.uint8()));
    const digest = toHex(reader.take(32));
    const bytes = reader.uint32be();
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(taskId)) return refuse("learning/bad-request", "task");
    if (bytes < 1 || bytes > CONTENT_BYTES_MAX) return refuse("learning/bad-request", "size");
    if (reader.remaining > 0) return refuse("learning/bad-request", "more than a request");
    return ok({ taskId, content: { digest, bytes } });
  } catch (error) {
    if (isMeshError(error) || error instanceof TypeError) return refuse("learning/bad-request");
    throw error;
  }
}

/** A holder's answer to a {@link ContentRequest}. */
export function encodeOffer(
  status: OfferStatus,
  leaves: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concatBytes(Uint8Array.of(offerStatus.indexOf(status)), leaves);
}

/** The leaves are still to be checked. Code: `learning/bad-request` */
export function decodeOffer(
  message: Uint8Array,
): Result<{ readonly status: OfferStatus; readonly leaves: Uint8Array }, TransferRefusalCode> {
  const status = offerStatus[message[0] ?? -1];
  if (status === undefined) return refuse("learning/bad-request", "status");
  return ok({ status, leaves: message.subarray(1) });
}

/** Asks for chunks. */
export function encodeWant(indices: readonly number[]): Uint8Array {
  return concatBytes(...indices.map((index) => uint16be(index)));
}

/** Chunk numbers of a content of `bytes`, ascending; none: the asker has all it wants. Code: `learning/bad-request` */
export function decodeWant(
  message: Uint8Array,
  bytes: number,
): Result<readonly number[], TransferRefusalCode> {
  if (message.length % 2 > 0 || message.length > 2 * WINDOW_CHUNKS) {
    return refuse("learning/bad-request", "length of a want");
  }
  const reader = new ByteReader(message);
  const indices = Array.from({ length: message.length / 2 }, () => reader.uint16be());
  const ascends = indices.every((index, i) => index > (indices[i - 1] ?? -1));
  if (!ascends || (indices.at(-1) ?? 0) >= chunkCount(bytes)) {
    return refuse("learning/bad-request", "chunk numbers");
  }
  return ok(indices);
}
