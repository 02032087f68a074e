// Serves the control API on a Unix socket. Who may open the socket is the access control: it is
// created with its final mode, never wider for a moment. A socket that a crash left behind is
// replaced; one that answers is another daemon's and is left alone.

import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { ControlErrorCode } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { HttpHandler } from "../../ports/index.ts";
import { listenerOf, type RunningServer, stopServer } from "./running-server.ts";

/** Limits of the control socket. */
export const controlServerLimits = {
  connectionsMax: 32,
  headerBytesMax: 8 * 1024,
  requestTimeoutMs: 10_000,
  /** How long a live daemon may take to accept a probing connection. */
  probeTimeoutMs: 1_000,
  /** `sun_path` of Linux holds 108 bytes with the closing zero. */
  pathBytesMax: 107,
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
 * @throws MeshError `control/socket-in-use` (a live daemon answers), `control/bad-socket-path` (too
 * long, no socket, or not creatable); nothing is left behind then
 */
export async function startControlServer(options: ControlServerOptions): Promise<RunningServer> {
  const { app, socketPath, mode = 0o660 } = options;
  if (Buffer.byteLength(socketPath) > controlServerLimits.pathBytesMax) {
    throw badPath(socketPath, `it is longer than ${controlServerLimits.pathBytesMax} bytes`);
  }
  try {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o750 });
  } catch (error) {
    throw badPath(socketPath, "its directory cannot be made", error);
  }
  await removeStaleSocket(socketPath);
  const server = createServer(
    {
      maxHeaderSize: controlServerLimits.headerBytesMax,
      requestTimeout: controlServerLimits.requestTimeoutMs,
      headersTimeout: controlServerLimits.requestTimeoutMs,
    },
    listenerOf(app),
  );
  server.maxConnections = controlServerLimits.connectionsMax;
  await listenWithMode(server, socketPath, mode);
  return { address: socketPath, stop: () => stopServer(server) };
}

function listenWithMode(server: Server, socketPath: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? inUse(socketPath)
          : badPath(socketPath, "it cannot be bound", error),
      );
    });
    server.once("listening", resolve);
    // bind(2) happens inside listen() for a path, so the mask is the process's for this call alone.
    const umask = process.umask(0o777 & ~mode);
    try {
      server.listen(socketPath);
    } finally {
      process.umask(umask);
    }
  });
}

async function removeStaleSocket(socketPath: string): Promise<void> {
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw badPath(socketPath, "something there is not a socket");
  if (await answers(socketPath)) throw inUse(socketPath);
  unlinkSync(socketPath);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect({ path: socketPath });
    const done = (alive: boolean): void => {
      probe.destroy();
      resolve(alive);
    };
    // A daemon too busy to accept is alive all the same.
    probe.setTimeout(controlServerLimits.probeTimeoutMs, () => done(true));
    probe.once("connect", () => done(true));
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") done(false);
      else if (error.code === "EAGAIN") done(true);
      else reject(badPath(socketPath, "the socket there cannot be probed", error));
    });
  });
}

function inUse(socketPath: string): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/socket-in-use",
    `Cannot listen on ${socketPath}: another daemon answers there. Stop it, or set control.socket to another path.`,
    { socket: socketPath },
  );
}

function badPath(socketPath: string, why: string, cause?: unknown): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/bad-socket-path",
    `Cannot listen on ${socketPath}: ${why}. Set control.socket to a path that the daemon's user may write.`,
    { socket: socketPath },
    { cause },
  );
}
