// Serves the control API on a Unix socket. Who may open the socket is the access control.

import { createServer } from "node:http";
import type { HttpHandler } from "../../ports/index.ts";
import { listenerOf, type RunningServer, stopServer } from "./running-server.ts";
import { listenOnSocket } from "./unix-socket.ts";

/** Limits of the control socket. */
export const controlServerLimits = {
  connectionsMax: 32,
  headerBytesMax: 8 * 1024,
  requestTimeoutMs: 10_000,
} as const;

/** Options of {@link startControlServer}. */
export interface ControlServerOptions {
  readonly app: HttpHandler;
  readonly socketPath: string;
  /** 0600: the daemon's user alone; 0660: its group too. @default 0o660 */
  readonly mode?: 0o600 | 0o660;
}

/**
 * Listens on the socket; missing parent directories are made with mode 0750.
 * @throws MeshError `control/socket-in-use`, `control/bad-socket-path`; nothing is left behind then
 */
export async function startControlServer(options: ControlServerOptions): Promise<RunningServer> {
  const { app, socketPath, mode = 0o660 } = options;
  const server = createServer(
    {
      maxHeaderSize: controlServerLimits.headerBytesMax,
      requestTimeout: controlServerLimits.requestTimeoutMs,
      headersTimeout: controlServerLimits.requestTimeoutMs,
    },
    listenerOf(app),
  );
  server.maxConnections = controlServerLimits.connectionsMax;
  await listenOnSocket(server, {
    path: socketPath,
    setting: "control.socket",
    mode,
    directoryMode: 0o750,
  });
  return { address: socketPath, stop: () => stopServer(server) };
}
