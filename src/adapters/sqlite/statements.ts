// The statements of the state database: each prepared once, a failed write coded and remembered. The stores of this folder share it.

import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import type { StateErrorCode } from "./state-error-code.ts";

export type WriteErrorCode = Extract<StateErrorCode, "state/write-failed">;

/** A row, as SQLite gives it. */
export type Row = Record<string, SQLOutputValue>;

export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  #writeError: MeshError<WriteErrorCode> | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The last write's error, until a write succeeds again. */
  get writeError(): MeshError<WriteErrorCode> | undefined {
    return this.#writeError;
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  /** Runs a writing statement; returns the number of changed rows. @throws MeshError `state/write-failed` */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.written(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** All that `work` writes, or nothing of it. @throws MeshError `state/write-failed` */
  atomically(work: () => void): void {
    this.written(() => this.#database.exec("BEGIN IMMEDIATE"));
    try {
      work();
      this.written(() => this.#database.exec("COMMIT"));
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** {@link atomically}, without waiting for the disk: a kill loses nothing of it, a loss of power may. */
  unsynced(work: () => void): void {
    this.#database.exec("PRAGMA synchronous = NORMAL");
    try {
      this.atomically(work);
    } finally {
      this.#database.exec("PRAGMA synchronous = FULL");
    }
  }

  /** The result of a write, whose error is kept. @throws MeshError `state/write-failed` */
  written<T>(write: () => T): T {
    try {
      const result = write();
      this.#writeError = undefined;
      return result;
    } catch (cause) {
      this.#writeError = new MeshError<WriteErrorCode>(
        "state/write-failed",
        `Cannot write the state: ${errorMessage(cause)}. Free space on the disk of state_dir, or check it.`,
        {},
        { cause },
      );
      throw this.#writeError;
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }
}

/** A column's text. @throws MeshError `state/corrupt` when it holds anything else */
export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw wrongType("text");
  return value;
}

/** A column's bytes. @throws as {@link text} */
export function blob(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType("a blob");
  return value;
}

function wrongType(wanted: string): MeshError<StateErrorCode> {
  return new MeshError<StateErrorCode>(
    "state/corrupt",
    `Cannot read the state: a column is not ${wanted}. Restore a backup.`,
  );
}
