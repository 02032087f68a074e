// Opens the state database so that nothing committed is lost by kill -9 (write-ahead log, full sync),
// one process at a time owns it, and what cannot be used is named: unwritable, corrupt, or from a newer version.

import { accessSync, closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorMessage, isMeshError, MeshError } from "../../foundation/index.ts";
import { MIGRATIONS, migrate, refuseNewer } from "./migrations.ts";
import type { StateErrorCode } from "./state-error-code.ts";

export const DATABASE_NAME = "meshd.sqlite";

/**
 * Opens (or creates) `meshd.sqlite` in `directory` and migrates its schema forward.
 * @param migrations a list of its own is for tests of the mechanism alone
 * @throws MeshError `state/not-writable`, `state/corrupt`, `state/schema-too-new`, `state/in-use`, `state/migration-failed`
 */
export function openDatabase(
  directory: string,
  migrations: readonly string[] = MIGRATIONS,
): DatabaseSync {
  makeDirectory(directory);
  const file = join(directory, DATABASE_NAME);
  let database: DatabaseSync | undefined;
  try {
    makeFile(file);
    database = new DatabaseSync(file, { timeout: 2_000 });
    // An exclusive lock from the first read on: a second daemon on the same state is refused.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL");
    database.exec("BEGIN EXCLUSIVE; COMMIT");
    // Before anything is written: what a newer meshd left stays as it is.
    refuseNewer(database, file, migrations);
    database.exec("PRAGMA journal_mode = WAL");
    const check = database.prepare("PRAGMA quick_check(1)").get();
    if (check?.["quick_check"] !== "ok") throw new Error(String(check?.["quick_check"]));
    migrate(database, file, migrations);
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, file);
  }
}

/**
 * Takes the lock that a running daemon holds, without reading or changing anything; a damaged database has none.
 * Makes an empty database where there is none, so that no daemon can start meanwhile.
 * @throws MeshError `state/in-use`, `state/not-writable`
 */
export function lockDatabase(directory: string): DatabaseSync {
  makeDirectory(directory);
  const file = join(directory, DATABASE_NAME);
  makeFile(file);
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    return database;
  } catch (error) {
    const known = explain(error, file);
    if (isMeshError(known, "state/corrupt")) return database;
    database.close();
    throw known;
  }
}

/** SQLite would make it readable for all, and takes the mode of the write-ahead log from it. */
function makeFile(file: string): void {
  closeSync(openSync(file, "a", 0o600));
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
