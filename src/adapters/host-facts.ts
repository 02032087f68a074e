// What the doctor reads from the host: files, disk, clock, limits, and whether a port is free.

import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** Permission bits and owner of a file. */
export interface FileSeen {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
}

/** Keys looked at; a node has two, an issuer a few more. */
const KEYS_MAX = 64;
const CLOCK_TIMEOUT_MS = 2_000;

/** The file, or `undefined` when it is not there or closed to this user. */
export function seenFile(path: string): FileSeen | undefined {
  try {
    const { mode, uid } = statSync(path);
    return { path, mode: mode & 0o777, uid };
  } catch {
    return undefined; // absence is what the caller asks about
  }
}

/** The system's code for why a directory cannot be written. */
export function writeProblem(directory: string): string | undefined {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return systemCode(error);
  }
}

/** Bytes that an unprivileged process may still write. */
export function freeBytes(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined; // no such directory: another check says so
  }
}

/** The state directory first, then what is in it. */
export function stateFiles(directory: string): FileSeen[] {
  const keys = join(directory, "keys");
  const paths = [directory, join(directory, "meshd.sqlite"), keys];
  try {
    paths.push(
      ...readdirSync(keys)
        .slice(0, KEYS_MAX)
        .map((name) => join(keys, name)),
    );
  } catch {
    // No keys yet, or closed to this user: then there is less to look at.
  }
  return paths.map(seenFile).filter((file) => file !== undefined);
}

/** The soft limit of open files of this process. */
export function openFilesMax(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(
      readFileSync("/proc/self/limits", "utf8"),
    );
    if (line?.[1] === undefined) return undefined;
    return line[1] === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(line[1]);
  } catch {
    return undefined; // no /proc here
  }
}

/**
 * Whether the kernel's clock is disciplined. Node.js has no adjtimex(2): systemd's flag file says it, else timedatectl,
 * which reads adjtimex and so knows chrony too.
 */
export function clockSynchronised(): Promise<boolean | undefined> {
  if (existsSync("/run/systemd/timesync/synchronized")) return Promise.resolve(true);
  return new Promise((resolve) => {
    const args = ["show", "--property=NTPSynchronized", "--value"];
    execFile("timedatectl", args, { timeout: CLOCK_TIMEOUT_MS }, (error, out) => {
      const answer = out.trim();
      resolve(error === null && /^(yes|no)$/.test(answer) ? answer === "yes" : undefined);
    });
  });
}

/** The system's code for why an address cannot be bound; `undefined` when it can. */
export function bindProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(systemCode(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "unknown";
}
