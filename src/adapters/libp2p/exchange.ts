// One request and its one answer on a stream of its own, both bounded and framed by their length.
//
// A request that is part of a trace goes by the traced variant of its protocol, where the trace's context (a W3C
// traceparent) is a frame of its own before the request. A peer that does not trace does not know that variant, and libp2p's negotiation
// falls back to the plain one: nothing that is exchanged without tracing is different by a byte.

import type { Connection, Stream } from "@libp2p/interface";
import { type LengthPrefixedStream, lpStream } from "@libp2p/utils";
import { errorMessage, MeshError, utf8Bytes } from "../../foundation/index.ts";
import type { Tracer } from "../../ports/index.ts";
import { answerDeadline } from "./answer-deadline.ts";

/** Bytes of a length prefix: enough for 256 MiB, and every limit of ours is far below. */
const LENGTH_BYTES_MAX = 4;

/**
 * A stream as length-prefixed messages of at most `bytesMax`. The prefix is bounded here: libp2p's own reader
 * (utils 7) takes length bytes that never end for as long as the peer sends them.
 */
export function framedStream(stream: Stream, bytesMax: number): LengthPrefixedStream<Stream> {
  return lpStream(stream, {
    maxDataLength: bytesMax,
    lengthDecoder: (prefix) => decodeLength(prefix.subarray()),
  });
}

/** @throws RangeError when the prefix goes on, as libp2p expects it; MeshError when it goes on for too long */
function decodeLength(prefix: Uint8Array): number {
  let length = 0;
  for (const [at, byte] of prefix.entries()) {
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return length;
  }
  if (prefix.length < LENGTH_BYTES_MAX) throw new RangeError("The length prefix goes on.");
  throw new MeshError("network/request-failed", "The length prefix is too long.");
}

const TRACED = "/traced";

/** The variant of a protocol whose requests come with a trace context. */
export function tracedProtocol(protocol: string): string {
  return protocol + TRACED;
}

/** The protocol that a traced variant, or the protocol itself, stands for. */
export function plainProtocol(protocol: string): string {
  return protocol.endsWith(TRACED) ? protocol.slice(0, -TRACED.length) : protocol;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
  /** Whether it may go over a link through a relay. @default false */
  readonly relayed?: boolean;
}

/**
 * One request and its answer on a connection. It is a span if it is part of a trace, and never begins one: what nodes ask
 * each other all the time would drown the rest.
 * @throws MeshError `network/request-failed`
 */
export function exchange(
  tracer: Tracer,
  connection: Connection,
  protocol: string,
  request: Uint8Array,
  options: RequestOptions,
): Promise<Uint8Array> {
  if (tracer.traceparent() === undefined) return send(connection, protocol, request, options);
  const attributes = { "meshd.protocol": protocol, "meshd.request.bytes": request.length };
  return tracer.span(`request ${protocol}`, { kind: "client", attributes }, async (span) => {
    const response = await send(connection, protocol, request, options, tracer.traceparent());
    span.set({ "meshd.response.bytes": response.length });
    return response;
  });
}

async function send(
  connection: Connection,
  protocol: string,
  request: Uint8Array,
  { timeoutMs, responseBytesMax, relayed = false }: RequestOptions,
  traceparent?: string,
): Promise<Uint8Array> {
  const signal = answerDeadline(timeoutMs);
  let stream: Stream | undefined;
  try {
    const wanted = traceparent === undefined ? protocol : [tracedProtocol(protocol), protocol];
    stream = await connection.newStream(wanted, { signal, runOnLimitedConnection: relayed });
    const framed = framedStream(stream, responseBytesMax);
    if (traceparent !== undefined && stream.protocol !== protocol)
      await framed.write(utf8Bytes(traceparent), { signal });
    await framed.write(request, { signal });
    const response = (await framed.read({ signal })).subarray();
    await stream.close({ signal });
    return response;
  } catch (cause) {
    stream?.abort(new Error("request failed"));
    throw new MeshError(
      "network/request-failed",
      `The peer did not answer on ${protocol}: ${errorMessage(cause)}.`,
      { protocol },
      { cause },
    );
  }
}
