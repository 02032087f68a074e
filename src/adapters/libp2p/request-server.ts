// The answering side of request and answer: one stream brings one request, within its size and time, and takes one answer.

import type { Stream } from "@libp2p/interface";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import type { Logger, Tracer } from "../../ports/index.ts";
import { parseTraceparent, TRACEPARENT_CHARS } from "../../telemetry/index.ts";
import { framedStream } from "./exchange.ts";

/** A request must arrive, and its answer be taken, within this. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Answers one request.
 * @param peer whom the connection's handshake authenticated
 * @param signal ends with the stream
 */
export type RequestHandler = (
  peer: AuthenticatedPeer,
  request: Uint8Array,
  signal: AbortSignal,
) => Promise<Uint8Array>;

/** What a protocol's requests are answered with. */
export interface Served {
  /** The protocol without the mark of its traced variant. */
  readonly protocol: string;
  readonly requestBytesMax: number;
  readonly handler: RequestHandler;
}

/** Serves one stream. A throwing handler aborts it: the peer learns nothing but that. */
export async function answerRequest(
  { tracer, logger }: { readonly tracer: Tracer; readonly logger: Logger },
  stream: Stream,
  peer: AuthenticatedPeer | undefined,
  { protocol, requestBytesMax, handler }: Served,
): Promise<void> {
  const ended = new AbortController();
  stream.addEventListener("close", () => ended.abort(), { once: true });
  try {
    if (peer === undefined)
      throw new MeshError("internal/invariant", "A stream opened without a handshake.");
    const framed = framedStream(stream, Math.max(requestBytesMax, TRACEPARENT_CHARS));
    const arrival = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
    const context = stream.protocol === protocol ? undefined : await framed.read(arrival);
    const request = (await framed.read(arrival)).subarray();
    if (request.length > requestBytesMax)
      throw new MeshError("network/request-failed", "The request is too long.");
    const answer = await traced(tracer, protocol, peer, context?.subarray(), () =>
      handler(peer, request, ended.signal),
    );
    // A peer that never reads its answer would hold the stream for as long as it likes.
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    await framed.write(answer, { signal });
    await stream.close({ signal });
  } catch (error) {
    abortRefused(logger, stream, error);
  }
}

/** Ends a stream that is not served; why stays in this node's log. */
export function abortRefused(logger: Logger, stream: Stream, error: unknown): void {
  logger.debug(
    { code: errorCode(error), protocol: stream.protocol, error: errorMessage(error) },
    "request refused",
  );
  stream.abort(new Error("refused"));
}

/** Runs the work as part of the peer's trace, if there is one: a request that is served never begins a trace. */
function traced(
  tracer: Tracer,
  protocol: string,
  peer: AuthenticatedPeer,
  context: Uint8Array | undefined,
  work: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const traceparent = context && Buffer.from(context).toString("latin1");
  if (traceparent === undefined || parseTraceparent(traceparent) === undefined) return work();
  const attributes = {
    "meshd.protocol": protocol,
    "meshd.peer": peer.kind === "svid" ? peer.identity.spiffeId : peer.kind,
  };
  return tracer.span(
    `serve ${protocol}`,
    { kind: "server", parent: { traceparent }, attributes },
    work,
  );
}
