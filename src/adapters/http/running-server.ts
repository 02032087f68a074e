// What both HTTP servers share: the shape of a running one, and a stop that does not wait for idle clients.

import type { Server } from "node:http";

/** A web-standard request handler, such as a Hono app. */
export interface FetchHandler {
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

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
