// Puts a restored state in the place of the one before, so that kill -9 at any moment leaves the old or the new one.
//
//   restore.new/     being written; thrown away by whoever finds it
//   restore.ready/   complete: the rename to this name is the moment from which the new state counts
//   replaced-<time>/ the state before
//
// From `restore.ready` on the moves into place are repeatable; who is killed between two of them is continued by the
// next restore or the next start of the daemon, before either looks at the state. Everything stays inside the state
// directory: it may be a mount point, and its parent need not be writable.

import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MeshError } from "../../foundation/index.ts";
import { DATABASE_NAME } from "./database.ts";
import type { StateErrorCode } from "./state-error-code.ts";

const NEW = "restore.new";
const READY = "restore.ready";
const LOCK = "restore.lock";
/** Names the directory for the state before: the same one however often the moves are begun. */
const ASIDE_NAME = "replaced-as";

/** What belongs together: the first is restored, all of them give way to it. */
const PARTS: readonly (readonly string[])[] = [
  ["keys"],
  [DATABASE_NAME, `${DATABASE_NAME}-wal`, `${DATABASE_NAME}-shm`, `${DATABASE_NAME}-journal`],
];

/** Does what a restore that was killed has left to do. Most of the time there is nothing. @throws MeshError `state/in-use` */
export function finishRestore(stateDir: string): void {
  if (!existsSync(join(stateDir, READY))) return;
  const lock = takeRestoreLock(stateDir);
  try {
    moveIntoPlace(stateDir);
  } finally {
    lock.release();
  }
}

/** Held by one restore at a time; the kernel frees it when the process dies. */
export interface RestoreLock {
  release(): void;
}

/** @throws MeshError `state/in-use` */
export function takeRestoreLock(stateDir: string): RestoreLock {
  const file = join(stateDir, LOCK);
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    ownLike(stateDir, [file]);
  } catch (cause) {
    lock.close();
    throw new MeshError<StateErrorCode>(
      "state/in-use",
      `Cannot use '${stateDir}': a backup is being restored into it. Wait until that is done.`,
      { directory: stateDir },
      { cause },
    );
  }
  return {
    release: () => {
      rmSync(file, { force: true });
      lock.close();
    },
  };
}

/** An empty directory to write the new state into. */
export function beginRestore(stateDir: string): string {
  abandonRestore(stateDir);
  const directory = join(stateDir, NEW);
  mkdirSync(join(directory, "keys"), { recursive: true, mode: 0o700 });
  return directory;
}

/** Throws away what was written so far. */
export function abandonRestore(stateDir: string): void {
  rmSync(join(stateDir, NEW), { recursive: true, force: true });
}

/** From the return on the new state counts, though it is not in its place yet. Gives the directory for the old one. */
export function commitRestore(stateDir: string, now: Date): string {
  const fresh = join(stateDir, NEW);
  const aside = `replaced-${now.toISOString().replace(/[^0-9TZ]/g, "")}`;
  writeFileSync(join(fresh, ASIDE_NAME), aside, { mode: 0o600 });
  const files = [
    fresh,
    ...readdirSync(fresh, { recursive: true }).map((name) => join(fresh, String(name))),
  ];
  ownLike(stateDir, files);
  for (const file of files.reverse()) sync(file);
  renameSync(fresh, join(stateDir, READY));
  sync(stateDir);
  return join(stateDir, aside);
}

/** Whoever restores as root leaves nothing that the daemon's user cannot open. */
function ownLike(stateDir: string, files: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(stateDir);
  for (const file of files) chownSync(file, uid, gid);
}

/** Repeatable at any point: a part whose new form is gone from `restore.ready` is in its place. */
export function moveIntoPlace(stateDir: string): void {
  const ready = join(stateDir, READY);
  for (const part of PARTS) {
    const [name = ""] = part;
    if (!existsSync(join(ready, name))) continue;
    const aside = join(stateDir, readFileSync(join(ready, ASIDE_NAME), "utf8"));
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    ownLike(stateDir, [aside]);
    for (const old of part.filter((each) => existsSync(join(stateDir, each))))
      renameSync(join(stateDir, old), join(aside, old));
    renameSync(join(ready, name), join(stateDir, name));
  }
  sync(stateDir);
  rmSync(ready, { recursive: true, force: true });
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
