// Moves one content over one stream, chunk by chunk, as src/learning/transfer/wire.ts has it. Each message must come within a time,
// and the whole within a pace: a peer that dawdles is left, and what came so far stays for the next one.

import type { Stream } from "@libp2p/interface";
import { errorMessage, MeshError, type Result } from "../../foundation/index.ts";
import {
  type Assembly,
  chunkCount,
  chunkOf,
  type ContentRequest,
  decodeContentRequest,
  decodeOffer,
  decodeWant,
  encodeContentRequest,
  encodeOffer,
  encodeWant,
  type HeldContent,
  TRANSFER_FRAME_BYTES_MAX,
  WINDOW_CHUNKS,
} from "../../learning/index.ts";
import { framedStream } from "./exchange.ts";

/** Requests of version 1 as in `learning/transfer/wire.ts`. */
export const CONTENT_PROTOCOL = "/x0tta6bl4/fl-chunk/1";

/** How long a message may take to come, or to be taken: 64 KiB in that time are 6.5 KB/s. */
export const MESSAGE_MS_MAX = 10_000;
/** And the whole: at least 64 KiB a second on the average. */
const CHUNK_MS_MAX = 1_000;

export type TransferErrorCode =
  | "learning/bad-chunk"
  | "learning/bad-request"
  | "learning/not-held"
  | "learning/transfer-broken";

export interface TransferLimits {
  /** @default 10000 */
  readonly messageMs?: number;
}

/**
 * Answers one asker. A stream that is not to the protocol, or too slow, is aborted by the throw.
 * @param find what is held of it here and may be given to this asker; `busy` sends it elsewhere
 * @throws MeshError `learning/bad-request`, `learning/transfer-broken`
 */
export async function offerContent(
  stream: Stream,
  find: (request: ContentRequest) => HeldContent | "absent" | "busy",
  { messageMs = MESSAGE_MS_MAX }: TransferLimits = {},
): Promise<void> {
  const framed = framedStream(stream, TRANSFER_FRAME_BYTES_MAX);
  const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(messageMs) });
  const request = need(decodeContentRequest((await framed.read(soon())).subarray()));
  const held = find(request);
  if (held === "absent" || held === "busy") {
    await framed.write(encodeOffer(held), soon());
    return stream.close(soon());
  }
  const { bytes } = request.content;
  const whole = wholeTime(bytes, messageMs);
  await framed.write(encodeOffer("held", held.leaves), soon());
  for (let sent = 0; ; ) {
    const wanted = need(decodeWant((await framed.read(soon())).subarray(), bytes));
    if (wanted.length === 0) return stream.close(soon());
    sent += wanted.length;
    // Who asks for the same again and again, or for ever, gets no more.
    if (sent > chunkCount(bytes)) throw broken("bad-request", "more than the whole was asked for");
    for (const index of wanted) {
      whole.throwIfAborted();
      await framed.write(chunkOf(held.bytes, index), soon());
    }
  }
}

/**
 * Asks one holder for what is lacking. What came before an error stays in the assembly.
 * @throws MeshError `learning/not-held` when the holder has it not or has no time, `learning/bad-chunk` for what is not
 * of this content, `learning/bad-request` for no message of this protocol, `learning/transfer-broken` for the rest
 */
export async function fetchContent(
  stream: Stream,
  taskId: string,
  assembly: Assembly,
  signal: AbortSignal,
  limits: TransferLimits = {},
): Promise<void> {
  try {
    await ask(stream, taskId, assembly, signal, limits);
    await stream.close({ signal: AbortSignal.timeout(limits.messageMs ?? MESSAGE_MS_MAX) });
  } catch (cause) {
    stream.abort(new Error("transfer ended"));
    if (cause instanceof MeshError) throw cause;
    throw broken("transfer-broken", errorMessage(cause), cause);
  }
}

async function ask(
  stream: Stream,
  taskId: string,
  assembly: Assembly,
  signal: AbortSignal,
  { messageMs = MESSAGE_MS_MAX }: TransferLimits,
): Promise<void> {
  const { content } = assembly;
  const framed = framedStream(stream, TRANSFER_FRAME_BYTES_MAX);
  const ends = [signal, wholeTime(content.bytes, messageMs)];
  const soon = (): { signal: AbortSignal } => ({
    signal: AbortSignal.any([...ends, AbortSignal.timeout(messageMs)]),
  });
  await framed.write(encodeContentRequest({ taskId, content }), soon());
  const offer = need(decodeOffer((await framed.read(soon())).subarray()));
  if (offer.status !== "held") throw broken("not-held", offer.status);
  need(assembly.takeLeaves(offer.leaves));
  for (;;) {
    const wanted = assembly.lacking(WINDOW_CHUNKS);
    await framed.write(encodeWant(wanted), soon());
    if (wanted.length === 0) return;
    for (const index of wanted) {
      need(assembly.takeChunk(index, (await framed.read(soon())).subarray()));
    }
  }
}

function wholeTime(bytes: number, messageMs: number): AbortSignal {
  return AbortSignal.timeout(messageMs + chunkCount(bytes) * CHUNK_MS_MAX);
}

function need<Value>(result: Result<Value, "learning/bad-chunk" | "learning/bad-request">): Value {
  if (result.ok) return result.value;
  throw new MeshError<TransferErrorCode>(
    result.code,
    `The peer does not keep to the transfer: ${result.detail ?? result.code}. Another holder is asked.`,
  );
}

function broken(
  reason: "not-held" | "transfer-broken" | "bad-request",
  detail: string,
  cause?: unknown,
): MeshError<TransferErrorCode> {
  return new MeshError<TransferErrorCode>(
    `learning/${reason}`,
    `The transfer ended early: ${detail}. Another holder is asked.`,
    {},
    { cause },
  );
}
