// gRPC's server side over HTTP/2, as far as the services here need it. On node:http2 and not on a gRPC library, because the
// connection a call came on is what tells who calls. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { once } from "node:events";

/** Status codes of gRPC that are used here. */
export const grpcStatus = {
  ok: 0,
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;
export type GrpcStatusName = keyof typeof grpcStatus;

/** Longest request: a token and an audience. */
const REQUEST_BYTES_MAX = 64 * 1024;
/** A request is one small frame; who takes longer holds the stream for nothing. */
const REQUEST_TIMEOUT_MS = 10_000;
/** A message's frame: whether it is compressed, and its length. */
const FRAME_BYTES = 5;

/** Ends a call with a status. */
export class GrpcError extends Error {
  readonly status: Exclude<GrpcStatusName, "ok">;

  constructor(status: Exclude<GrpcStatusName, "ok">, message: string) {
    super(message);
    this.status = status;
  }
}

/** A call as its method sees it. */
export interface GrpcCall {
  /** The request's messages as they come. Ends with the client's side of the stream. @throws GrpcError */
  requests(): AsyncIterable<Uint8Array>;
  /** Aborts when the client has gone or the call was ended. */
  readonly gone: AbortSignal;
  /** Sends a message; waits while the client is behind. */
  send(message: Uint8Array): Promise<void>;
}

/** A method: what it throws as GrpcError is the call's status. */
export type GrpcMethod = (call: GrpcCall) => Promise<void>;

/** Serves one call; gives its status. Never throws. */
export async function serveCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  method: (headers: IncomingHttpHeaders) => GrpcMethod,
): Promise<GrpcStatusName> {
  stream.on("error", () => stream.destroy()); // the client's side broke; "close" follows
  const gone = new AbortController();
  stream.once("close", () => gone.abort());
  if (headers[":method"] !== "POST" || !isGrpc(headers["content-type"])) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return "unimplemented";
  }
  let status: GrpcStatusName = "ok";
  let message = "";
  try {
    const run = method(headers);
    const requests = (): AsyncIterable<Uint8Array> => readRequests(stream);
    await run({ requests, gone: gone.signal, send: (reply) => send(stream, reply) });
  } catch (error) {
    if (gone.signal.aborted) return "ok"; // nobody is left to be told
    status = error instanceof GrpcError ? error.status : "internal";
    message = error instanceof GrpcError ? error.message : "unexpected error; see the daemon's log";
    if (!(error instanceof GrpcError)) stream.emit("unexpected", error);
  }
  end(stream, status, message);
  return status;
}

function isGrpc(contentType: string | undefined): boolean {
  return /^application\/grpc(?:$|[+;])/.test(contentType ?? "");
}

/** The one message of a request. @throws GrpcError when there are more, or none */
export async function onlyRequest(call: Pick<GrpcCall, "requests">): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const request of call.requests()) {
    if (only !== undefined) throw notWhole();
    only = request;
  }
  if (only === undefined) throw notWhole();
  return only;
}

async function* readRequests(stream: ServerHttp2Stream): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  stream.setTimeout(REQUEST_TIMEOUT_MS, () => stream.destroy());
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (let end = frameEnd(rest); end <= rest.length; end = frameEnd(rest)) {
      yield rest.subarray(FRAME_BYTES, end);
      rest = rest.subarray(end);
    }
  }
  stream.setTimeout(0);
  if (rest.length > 0) throw notWhole();
}

/** Where the first frame will end when it is whole. @throws GrpcError when it may not be read */
function frameEnd(bytes: Buffer): number {
  if (bytes.length < FRAME_BYTES) return FRAME_BYTES;
  const length = bytes.readUInt32BE(1);
  if (length > REQUEST_BYTES_MAX)
    throw new GrpcError("resourceExhausted", "the request is too long");
  if (bytes[0] !== 0) throw new GrpcError("unimplemented", "compressed requests are not read");
  return FRAME_BYTES + length;
}

function notWhole(): GrpcError {
  return new GrpcError("invalidArgument", "the request is not one message");
}

async function send(stream: ServerHttp2Stream, message: Uint8Array): Promise<void> {
  if (!stream.headersSent) {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-accept-encoding": "identity" },
      { waitForTrailers: true },
    );
  }
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(message.length, 1);
  stream.write(frame);
  if (stream.write(message) || stream.destroyed) return; // a stream that is closed drains no more
  const settled = new AbortController();
  const { signal } = settled;
  // Either throws when the other came first; a closed stream is seen by whoever sends next.
  await Promise.race([once(stream, "drain", { signal }), once(stream, "close", { signal })]);
  settled.abort();
}

function end(stream: ServerHttp2Stream, status: GrpcStatusName, message: string): void {
  if (stream.destroyed || stream.closed) return;
  const trailers = {
    "grpc-status": String(grpcStatus[status]),
    ...(message !== "" && { "grpc-message": encodeURIComponent(message).replaceAll("%20", " ") }),
  };
  if (stream.headersSent) {
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
    return;
  }
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", ...trailers },
    { endStream: true },
  );
  stream.resume(); // what is left of the request is thrown away
}
