// Listening on a Unix socket. Who may open the socket is an access control: it is created with its final mode, never wider for a
// moment. A socket that a crash left behind is replaced; one that answers is another daemon's and is left alone.

import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import type { ControlErrorCode } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";

/** How long a live daemon may take to accept a probing connection. */
const PROBE_TIMEOUT_MS = 1_000;
/** `sun_path` of Linux holds 108 bytes with the closing zero. */
const PATH_BYTES_MAX = 107;

/** Which socket it is. */
export interface SocketPlace {
  readonly path: string;
  /** The key of the configuration that names it, for messages. */
  readonly setting: string;
  readonly mode: 0o600 | 0o660 | 0o666;
  /** Of missing parent directories. */
  readonly directoryMode: number;
}

/**
 * Binds a server to a socket.
 * @throws MeshError `control/socket-in-use` (a live daemon answers), `control/bad-socket-path` (too
 * long, no socket, or not creatable); nothing is left behind then
 */
export async function listenOnSocket(server: Server, place: SocketPlace): Promise<void> {
  if (Buffer.byteLength(place.path) > PATH_BYTES_MAX)
    throw badPath(place, `it is longer than ${PATH_BYTES_MAX} bytes`);
  try {
    mkdirSync(dirname(place.path), { recursive: true, mode: place.directoryMode });
  } catch (error) {
    throw badPath(place, "its directory cannot be made", error);
  }
  await removeStaleSocket(place);
  await listen(server, place);
}

function listen(server: Server, place: SocketPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE" ? inUse(place) : badPath(place, "it cannot be bound", error),
      );
    });
    server.once("listening", resolve);
    // bind(2) happens inside listen() for a path, so the mask is the process's for this call alone.
    const umask = process.umask(0o777 & ~place.mode);
    try {
      server.listen(place.path);
    } finally {
      process.umask(umask);
    }
  });
}

async function removeStaleSocket(place: SocketPlace): Promise<void> {
  const found = lstatSync(place.path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw badPath(place, "something there is not a socket");
  if (await answers(place)) throw inUse(place);
  unlinkSync(place.path);
}

function answers(place: SocketPlace): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect({ path: place.path });
    const done = (alive: boolean): void => {
      probe.destroy();
      resolve(alive);
    };
    // A daemon too busy to accept is alive all the same.
    probe.setTimeout(PROBE_TIMEOUT_MS, () => done(true));
    probe.once("connect", () => done(true));
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") done(false);
      else if (error.code === "EAGAIN") done(true);
      else reject(badPath(place, "the socket there cannot be probed", error));
    });
  });
}

function inUse({ path, setting }: SocketPlace): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/socket-in-use",
    `Cannot listen on ${path}: another daemon answers there. Stop it, or set ${setting} to another path.`,
    { socket: path },
  );
}

function badPath(
  { path, setting }: SocketPlace,
  why: string,
  cause?: unknown,
): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/bad-socket-path",
    `Cannot listen on ${path}: ${why}. Set ${setting} to a path that the daemon's user may write.`,
    { socket: path },
    { cause },
  );
}
