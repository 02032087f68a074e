// What both HTTP servers share: the shape of a running one, the way from Node's requests to a handler, and a stop
// that does not wait for idle clients.

import type { IncomingMessage, RequestListener, Server } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ControlErrorCode } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { HttpHandler } from "../../ports/index.ts";

/** A server that listens. */
export interface RunningServer {
  /** The socket's path, or `host:port` with the real port. */
  readonly address: string;
  /** Finishes the requests under way for at most a second, then closes all connections; idempotent. */
  stop(): Promise<void>;
}

const graceMs = 1_000;

/** Stops a server: no new connections, idle ones closed at once, the others after a grace of a second. */
export function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) {
      resolve();
      return;
    }
    const impatience = setTimeout(() => {
      server.closeAllConnections();
    }, graceMs);
    server.close(() => {
      clearTimeout(impatience);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Answers Node's requests with a handler. */
export function listenerOf(handler: HttpHandler): RequestListener {
  return (incoming, outgoing) => {
    const { method = "GET", url = "/" } = incoming;
    const [path = "/"] = url.split("?", 1);
    const body = bodyOf(incoming);
    const { traceparent } = incoming.headers;
    const traced = typeof traceparent === "string" ? { traceparent } : {};
    const gone = new AbortController();
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) gone.abort();
    });
    handler({ method, path, ...traced, body, gone: gone.signal }).then(
      ({ status, headers, body: content }) => {
        if (typeof content === "string") {
          outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(content) });
          outgoing.end(content);
        } else {
          outgoing.writeHead(status, { ...headers });
          // An error of either side has destroyed the connection by then; whoever reads it sees that.
          pipeline(Readable.from(content), outgoing).catch(() => undefined);
        }
        // What is left of the body is thrown away, for no longer than the server's request timeout.
        incoming.resume();
      },
      () => outgoing.destroy(),
    );
  };
}

/** The body as it comes. @throws MeshError `control/bad-request` when the client goes before it is whole */
async function* bodyOf(incoming: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // A handler that has read enough leaves the loop; that must not take the socket with it before the answer is out.
    yield* incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new MeshError<ControlErrorCode>(
      "control/bad-request",
      "The client went before its request was whole. Send it again.",
      {},
      { cause },
    );
  }
}
