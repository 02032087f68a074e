// What certified rounds leave on disk: the messages that this node signed in the open round, before any of them goes out; the chain
// of certificates; the own update; the last models; and proofs against participants. Each method is one transaction.

import type { SQLInputValue } from "node:sqlite";
import type { Statements } from "./statements.ts";

/** Certified models kept for peers that come late; older ones are theirs no more. */
export const MODELS_KEPT = 3;
/** Under this name are models that no task has yet. */
const PUSHED = "";

/** A content on disk. */
export interface StoredContent {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** A certified round, with the model after it if this node has it. */
export interface CertifiedRound {
  readonly round: number;
  readonly certificate: Uint8Array;
  /** What operators are shown of it, as JSON. */
  readonly report: string;
  /** Own updates trained in this round or before count no more. @default the certified round */
  readonly outdated?: number;
}

export class RoundStore {
  readonly #database: Statements;

  constructor(database: Statements) {
    this.#database = database;
  }

  /** Adds to the journal of the open round. */
  journal(taskId: string, round: number, messages: readonly Uint8Array[]): void {
    this.#database.atomically(() => {
      for (const message of messages)
        this.#database.run(
          "INSERT INTO fl_journal (task_id, round, message) VALUES (?, ?, ?)",
          ...[taskId, round, message],
        );
    });
  }

  /** The journal of a round in its order. */
  journalOf(taskId: string, round: number): Uint8Array[] {
    return this.#blobs(
      "SELECT message AS bytes FROM fl_journal WHERE task_id = ? AND round = ? ORDER BY entry",
      ...[taskId, round],
    );
  }

  /** Keeps a certificate and drops what its round and those before had open. */
  certify(taskId: string, { round, certificate, report, outdated = round }: CertifiedRound): void {
    const database = this.#database;
    database.atomically(() => {
      database.run(
        "INSERT OR REPLACE INTO fl_rounds VALUES (?, ?, ?, ?)",
        ...[taskId, round, certificate, report],
      );
      database.run("DELETE FROM fl_journal WHERE task_id = ? AND round <= ?", taskId, round);
      database.run(
        "DELETE FROM fl_contents WHERE task_id = ? AND kind = 'update' AND round <= ?",
        ...[taskId, outdated],
      );
    });
  }

  certificateAt(taskId: string, round: number): Uint8Array | undefined {
    return this.#blobs(
      "SELECT certificate AS bytes FROM fl_rounds WHERE task_id = ? AND round = ?",
      ...[taskId, round],
    )[0];
  }

  /** What is shown of the certified rounds, ascending. */
  reports(taskId: string): string[] {
    return this.#database
      .all("SELECT report FROM fl_rounds WHERE task_id = ? ORDER BY round", taskId)
      .map((row) => String(row["report"]));
  }

  /** What is shown of a round, once more is known. */
  report(taskId: string, round: number, report: string): void {
    this.#database.run(
      "UPDATE fl_rounds SET report = ? WHERE task_id = ? AND round = ?",
      ...[report, taskId, round],
    );
  }

  /** Keeps the own update that was trained in a round, beside the one before: that stands until this one is committed to. */
  saveUpdate(taskId: string, round: number, { digest, bytes }: StoredContent): void {
    this.#database.atomically(() => {
      this.#database.run(
        "DELETE FROM fl_contents WHERE task_id = ?1 AND kind = 'update' AND (round = ?2 OR round < " +
          "(SELECT max(round) FROM fl_contents WHERE task_id = ?1 AND kind = 'update' AND round < ?2))",
        ...[taskId, round],
      );
      this.#insert(taskId, "update", round, digest, bytes);
    });
  }

  /** Keeps the model after a round, and those of the last few. */
  saveModel(taskId: string, round: number, { digest, bytes }: StoredContent): void {
    this.#database.atomically(() => {
      this.#insert(taskId, "model", round, digest, bytes);
      this.#database.run(
        "DELETE FROM fl_contents WHERE task_id = ? AND kind = 'model' AND round <= ?",
        ...[taskId, round - MODELS_KEPT],
      );
    });
  }

  /** Keeps a model that an operator gave, and the last few of those. */
  pushModel(model: StoredContent): void {
    this.#database.atomically(() => {
      const sql = "SELECT coalesce(max(round), 0) AS newest FROM fl_contents WHERE task_id = ?";
      const newest = Number(this.#database.all(sql, PUSHED)[0]?.["newest"]);
      this.#database.run(
        "DELETE FROM fl_contents WHERE task_id = ? AND (digest = ? OR round <= ?)",
        ...[PUSHED, model.digest, newest + 1 - MODELS_KEPT],
      );
      this.#insert(PUSHED, "model", newest + 1, model.digest, model.bytes);
    });
  }

  pushedModel(digest: string): Uint8Array | undefined {
    return this.#blobs(
      "SELECT bytes FROM fl_contents WHERE task_id = ? AND digest = ?",
      ...[PUSHED, digest],
    )[0];
  }

  /** The own updates and the last models. */
  contents(taskId: string): (StoredContent & { readonly kind: "model" | "update" })[] {
    return this.#database
      .all("SELECT kind, digest, bytes FROM fl_contents WHERE task_id = ? ORDER BY round", taskId)
      .map((row) => ({
        kind: row["kind"] as "model" | "update",
        digest: String(row["digest"]),
        bytes: row["bytes"] as Uint8Array,
      }));
  }

  saveProof(taskId: string, nodeId: string, proof: Uint8Array): void {
    this.#database.run("INSERT OR REPLACE INTO fl_proofs VALUES (?, ?, ?)", taskId, nodeId, proof);
  }

  proofs(taskId: string): Uint8Array[] {
    return this.#blobs("SELECT proof AS bytes FROM fl_proofs WHERE task_id = ?", taskId);
  }

  /** Drops all of the tasks that the table of tasks does not know any more. */
  prune(): void {
    this.#database.atomically(() => {
      for (const table of ["fl_journal", "fl_rounds", "fl_contents", "fl_proofs"])
        this.#database.run(
          `DELETE FROM ${table} WHERE task_id <> ? AND task_id NOT IN (SELECT task_id FROM tasks)`,
          PUSHED,
        );
    });
  }

  #insert(taskId: string, kind: string, round: number, digest: string, bytes: Uint8Array): void {
    this.#database.run(
      "INSERT OR REPLACE INTO fl_contents VALUES (?, ?, ?, ?, ?)",
      ...[taskId, kind, round, digest, bytes],
    );
  }

  #blobs(sql: string, ...values: SQLInputValue[]): Uint8Array[] {
    return this.#database.all(sql, ...values).map(({ bytes }) => bytes as Uint8Array);
  }
}
