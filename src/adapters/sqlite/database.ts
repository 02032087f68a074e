// Opens the state database so that nothing committed is lost by kill -9 (write-ahead log, full sync),
// one process at a time owns it, and what cannot be used is named: unwritable, corrupt, or from a newer version.

import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorMessage, MeshError } from "../../foundation/index.ts";

/** Codes of errors about the state directory. */
export type StateErrorCode =
  | "state/not-writable"
  | "state/corrupt"
  | "state/write-failed"
  | "state/schema-too-new"
  | "state/in-use"
  | "state/disk-full"
  | "state/key-missing"
  | "state/key-conflict"
  | "state/credential-unusable"
  | "state/key-unreadable";

/** Each entry brings the schema from its index to the next version; the version is SQLite's `user_version`. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE credential (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    trust_domain TEXT NOT NULL, name TEXT NOT NULL, bundle TEXT NOT NULL, chain BLOB NOT NULL
  ) STRICT;
  CREATE TABLE issuer (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), root BLOB NOT NULL, intermediate BLOB
  ) STRICT;
  CREATE TABLE tokens (
    secret_hash TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL, name TEXT, used_by TEXT, used_at_ms INTEGER
  ) STRICT;
  CREATE TABLE names (name TEXT PRIMARY KEY, node_id TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE peers (node_id TEXT PRIMARY KEY, addresses TEXT NOT NULL, seen_at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY, signed BLOB NOT NULL, state TEXT NOT NULL, round INTEGER NOT NULL,
    model BLOB, history TEXT NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
];

/**
 * Opens (or creates) `meshd.sqlite` in `directory` and migrates its schema forward.
 * @throws MeshError `state/not-writable`, `state/corrupt`, `state/schema-too-new`, `state/in-use`
 */
export function openDatabase(directory: string): DatabaseSync {
  makeDirectory(directory);
  const file = join(directory, "meshd.sqlite");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 2_000 });
    // An exclusive lock from the first read on: a second daemon on the same state is refused.
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
    );
    database.exec("BEGIN EXCLUSIVE; COMMIT");
    const check = database.prepare("PRAGMA quick_check(1)").get();
    if (check?.["quick_check"] !== "ok") throw new Error(String(check?.["quick_check"]));
    migrate(database, file);
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, file);
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new MeshError<StateErrorCode>(
      "state/not-writable",
      `Cannot write to the state directory '${directory}': ${errorMessage(cause)}. Give the daemon's user write access or set state_dir.`,
      { directory },
      { cause },
    );
  }
}

function migrate(database: DatabaseSync, file: string): void {
  const row = database.prepare("PRAGMA user_version").get();
  const version = Number(row?.["user_version"]);
  if (version > MIGRATIONS.length) {
    throw new MeshError<StateErrorCode>(
      "state/schema-too-new",
      `Cannot open '${file}': its schema is version ${version}, this meshd knows up to ${MIGRATIONS.length}. Install the newer meshd again.`,
      { file, version },
    );
  }
  for (let next = version; next < MIGRATIONS.length; next++) {
    database.exec(`BEGIN; ${MIGRATIONS[next] ?? ""} PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}

/** SQLite's primary result codes that mean a lock held elsewhere: BUSY and LOCKED. */
const LOCK_CODES = new Set([5, 6]);
const FULL_CODE = 13;

/** What is on the disk stays as it was. */
export function diskFull(file: string, cause: unknown): MeshError<StateErrorCode> {
  return new MeshError(
    "state/disk-full",
    `Cannot write '${file}': the disk is full. Free space on the disk of state_dir, then start meshd again.`,
    { file },
    { cause },
  );
}

function explain(error: unknown, file: string): unknown {
  if (error instanceof MeshError) return error;
  const sqlite = error as { errcode?: number };
  if (sqlite.errcode !== undefined && LOCK_CODES.has(sqlite.errcode & 0xff)) {
    return new MeshError<StateErrorCode>(
      "state/in-use",
      `Cannot open '${file}': another meshd uses it. Stop that one or set another state_dir.`,
      { file },
      { cause: error },
    );
  }
  if (sqlite.errcode !== undefined && (sqlite.errcode & 0xff) === FULL_CODE) {
    return diskFull(file, error);
  }
  return new MeshError<StateErrorCode>(
    "state/corrupt",
    `Cannot read '${file}': ${errorMessage(error)}. Move the file away and join the mesh again, or restore a backup.`,
    { file },
    { cause: error },
  );
}
