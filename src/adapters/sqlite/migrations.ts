// The schema of the state and its way forward. A version is never edited once it was released: a new one is appended.
// Each step is a transaction, so kill -9 leaves the version before or after it. Before the first step the database is
// copied beside itself, for an operator who has to go back to the older meshd.

import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import type { StateErrorCode } from "./state-error-code.ts";

/** Each entry brings the schema from its index to the next version; the version is SQLite's `user_version`. */
export const MIGRATIONS: readonly string[] = [
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
  `
  CREATE TABLE evidence (node_id TEXT PRIMARY KEY, statement BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
  `,
  `
  CREATE TABLE fl_journal (
    entry INTEGER PRIMARY KEY, task_id TEXT NOT NULL, round INTEGER NOT NULL, message BLOB NOT NULL
  ) STRICT;
  CREATE TABLE fl_rounds (
    task_id TEXT NOT NULL, round INTEGER NOT NULL, certificate BLOB NOT NULL, report TEXT NOT NULL,
    PRIMARY KEY (task_id, round)
  ) STRICT;
  CREATE TABLE fl_contents (
    task_id TEXT NOT NULL, kind TEXT NOT NULL, round INTEGER NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (task_id, kind, round)
  ) STRICT;
  CREATE TABLE fl_proofs (
    task_id TEXT NOT NULL, node_id TEXT NOT NULL, proof BLOB NOT NULL, PRIMARY KEY (task_id, node_id)
  ) STRICT;
  `,
  `
  CREATE TABLE entries (id TEXT PRIMARY KEY, record BLOB NOT NULL) STRICT;
  CREATE TABLE issuances (
    number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, entry TEXT NOT NULL,
    spiffe_id TEXT NOT NULL, node_id TEXT NOT NULL, digest TEXT NOT NULL
  ) STRICT;
  CREATE INDEX issuances_of_entry ON issuances (entry, number);
  CREATE TRIGGER issuances_stand BEFORE UPDATE ON issuances
    BEGIN SELECT RAISE(ABORT, 'an issuance is never changed'); END;
  `,
];

/** The version that a database has. */
export function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** @throws MeshError `state/schema-too-new`; the database is as it was */
export function refuseNewer(
  database: DatabaseSync,
  file: string,
  migrations: readonly string[],
): void {
  const version = schemaVersion(database);
  if (version <= migrations.length) return;
  throw new MeshError<StateErrorCode>(
    "state/schema-too-new",
    `Cannot open '${file}': its schema is version ${version}, this meshd knows up to version ${migrations.length}. ` +
      "Nothing was changed. Install the newer meshd again, or restore a backup that this version made.",
    { file, version, known: migrations.length },
  );
}

/**
 * Brings the schema forward, one version at a time.
 * @throws MeshError `state/migration-failed`: the database has the last version that was reached, whole
 */
export function migrate(database: DatabaseSync, file: string, migrations: readonly string[]): void {
  const from = schemaVersion(database);
  if (from === migrations.length) return;
  let next = from;
  try {
    if (from > 0) keepCopy(database, copyOf(file, from));
    for (; next < migrations.length; next++) step(database, migrations[next] ?? "", next + 1);
  } catch (cause) {
    throw new MeshError<StateErrorCode>(
      "state/migration-failed",
      `Cannot bring '${file}' from schema version ${next} to ${next + 1}: ${errorMessage(cause)}. ` +
        `It is as version ${next} left it. Free space on its disk if that is short, else go back to the older meshd.`,
      { file, version: next },
      { cause },
    );
  }
}

/** Where the database of an older version is kept. */
export function copyOf(file: string, version: number): string {
  return `${file}.schema-${version}`;
}

/** A whole copy or none: it is written under another name first. */
function keepCopy(database: DatabaseSync, copy: string): void {
  const fresh = `${copy}.new`;
  rmSync(fresh, { force: true });
  database.prepare("VACUUM INTO ?").run(fresh);
  const descriptor = openSync(fresh, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(fresh, copy);
}

function step(database: DatabaseSync, sql: string, version: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(sql);
    database.exec(`PRAGMA user_version = ${version}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
