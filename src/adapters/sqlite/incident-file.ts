// The file of incidents: beside the state database and worth less. What is damaged, from another version or locked is set aside and a new
// file begun; where none can be, the daemon remembers in memory until its next start. Nothing here ever throws at the healing loop.

import { closeSync, existsSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import type { Row } from "./statements.ts";

export const INCIDENTS_NAME = "incidents.sqlite";
/** Raised with the schema. Another version's file is set aside, not migrated: what was learned is learned again. */
const SCHEMA_VERSION = 1;
/** 64 MiB in pages of 4 KiB: SQLite itself refuses to let the file grow beyond. As many incidents as are kept take a quarter of it. */
const PAGES_MAX = 16_384;
/** SQLite's primary result codes CORRUPT and NOTADB. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

const SCHEMA = `
  CREATE TABLE incidents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, origin TEXT NOT NULL,
    features BLOB NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX incidents_of_origin ON incidents (origin, number);
  CREATE VIRTUAL TABLE incident_text USING fts5(
    words, content='', contentless_delete=1, tokenize="unicode61 tokenchars '_'"
  );
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** What is wrong with the file, and goes on until the next start. */
export type IncidentFileProblem = MeshError<"healing/knowledge-rebuilt" | "healing/knowledge-lost">;

/** One file of incidents, made anew as often as it breaks. */
export class IncidentFile {
  readonly #file: string;
  #database: DatabaseSync;
  #isOnDisk = true;
  #problem: IncidentFileProblem | undefined;

  constructor(directory: string) {
    this.#file = join(directory, INCIDENTS_NAME);
    this.#database = this.#openOrRebuild();
  }

  /** `healing/knowledge-rebuilt`: a damaged file was set aside. `healing/knowledge-lost`: nothing is written to disk. */
  get problem(): IncidentFileProblem | undefined {
    return this.#problem;
  }

  /** Rows of a reading statement; none when the file turns out to be damaged. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#attempt((database) => database.prepare(sql).all(...values)) ?? [];
  }

  /** Does all of it or nothing; false when it could not be written. */
  write(work: (database: DatabaseSync) => void): boolean {
    const written = this.#attempt((database) => {
      database.exec("BEGIN IMMEDIATE");
      try {
        work(database);
        database.exec("COMMIT");
        return true;
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
    });
    if (written === true && this.#isOnDisk && this.#problem?.code === "healing/knowledge-lost")
      this.#problem = undefined;
    return written ?? false;
  }

  close(): void {
    this.#database.close();
  }

  #attempt<T>(work: (database: DatabaseSync) => T): T | undefined {
    try {
      return work(this.#database);
    } catch (error) {
      const code = sqliteCode(error);
      if (code === CORRUPT || code === NOT_A_DATABASE) {
        this.#database.close();
        this.#database = this.#rebuild(error);
      } else {
        this.#problem = lost(this.#file, error);
      }
      return undefined;
    }
  }

  #openOrRebuild(): DatabaseSync {
    try {
      return open(this.#file);
    } catch (error) {
      return this.#rebuild(error);
    }
  }

  /** The damaged file keeps a copy of itself; an older such copy goes. */
  #rebuild(cause: unknown): DatabaseSync {
    const aside = `${this.#file}.damaged`;
    try {
      if (existsSync(this.#file)) renameSync(this.#file, aside);
      for (const suffix of ["-wal", "-shm", "-journal"])
        rmSync(this.#file + suffix, { force: true });
      const database = open(this.#file);
      this.#problem = new MeshError(
        "healing/knowledge-rebuilt",
        `The file of incidents was damaged (${errorMessage(cause)}): it is set aside as '${aside}', and past incidents are forgotten. Check the disk of state_dir.`,
        { file: aside },
        { cause },
      );
      return database;
    } catch (error) {
      this.#isOnDisk = false;
      this.#problem = lost(this.#file, error);
      const memory = new DatabaseSync(":memory:");
      memory.exec(SCHEMA);
      return memory;
    }
  }
}

function open(file: string): DatabaseSync {
  closeSync(openSync(file, "a", 0o600));
  const database = new DatabaseSync(file, { timeout: 2_000 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
    database.exec(`PRAGMA synchronous = NORMAL; PRAGMA max_page_count = ${PAGES_MAX}`);
    const check = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (check !== "ok") throw new Error(String(check));
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version === 0) database.exec(`BEGIN; ${SCHEMA} COMMIT`);
    else if (version !== SCHEMA_VERSION) throw new Error(`its schema is version ${version}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function sqliteCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

function lost(file: string, cause: unknown): IncidentFileProblem {
  return new MeshError(
    "healing/knowledge-lost",
    `Cannot keep incidents in '${file}': ${errorMessage(cause)}. Healing goes on without them; check the disk of state_dir.`,
    { file },
    { cause },
  );
}
