// What an issuer keeps for workloads: registration entries as signed records, and a log of what it has issued. Lines of the log
// are added and never changed (a trigger refuses that); the oldest go when there are very many. Those of one turn of the event loop
// are committed together: a disk takes longer for one commit than all else that is done for an SVID.

import { fromHex, toHex } from "../../foundation/index.ts";
import type { AuthorKeys, EntryStore, Issuance } from "../../identity/index.ts";
import type { Statements } from "./statements.ts";

/** Lines of the log that are kept: about 60 MB. */
export const ISSUANCES_KEPT = 250_000;

/** What the log says of an entry. */
export interface IssuancesOfEntry {
  readonly count: number;
  readonly lastAtMs: number | undefined;
}

export type WorkloadStatements = Pick<Statements, "run" | "all" | "atomically">;

interface Waiting {
  readonly issuance: Issuance;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class WorkloadStore implements EntryStore {
  readonly #database: WorkloadStatements;
  readonly #issuancesKept: number;
  #waiting: Waiting[] = [];

  constructor(database: WorkloadStatements, issuancesKept: number = ISSUANCES_KEPT) {
    this.#database = database;
    this.#issuancesKept = issuancesKept;
  }

  records(): Uint8Array[] {
    return this.#database
      .all("SELECT record FROM entries ORDER BY rowid")
      .map((row) => row["record"] as Uint8Array);
  }

  save(id: string, record: Uint8Array): void {
    this.#database.run(
      "INSERT INTO entries VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
      ...[id, record],
    );
  }

  remove(id: string): void {
    this.#database.run("DELETE FROM entries WHERE id = ?", id);
  }

  authors(): AuthorKeys[] {
    return this.#database
      .all("SELECT value FROM facts WHERE name GLOB 'entry-author/*' ORDER BY name")
      .map((row) => {
        const [ed25519 = "", mldsa65 = ""] = String(row["value"]).split(" ");
        return { ed25519: fromHex(ed25519), mldsa65: fromHex(mldsa65) };
      });
  }

  saveAuthor(nodeId: string, { ed25519, mldsa65 }: AuthorKeys): void {
    const value = `${toHex(ed25519)} ${toHex(mldsa65)}`;
    this.#database.run(
      "INSERT OR REPLACE INTO facts VALUES (?, ?)",
      ...[`entry-author/${nodeId}`, value],
    );
  }

  /** Adds a line to the log; on disk when it resolves. @throws MeshError `state/write-failed`: then nothing may be handed out */
  record(issuance: Issuance): Promise<void> {
    return new Promise((resolve, reject) => {
      const count = this.#waiting.push({ issuance, resolve, reject });
      if (count === 1) setImmediate(() => this.#commit());
    });
  }

  #commit(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      this.#database.atomically(() => this.#add(batch.map(({ issuance }) => issuance)));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
  }

  #add(issuances: readonly Issuance[]): void {
    for (const { atMs, kind, entry, spiffeId, node, digest } of issuances)
      this.#database.run(
        "INSERT INTO issuances (at_ms, kind, entry, spiffe_id, node_id, digest) VALUES (?, ?, ?, ?, ?, ?)",
        ...[atMs, kind, entry, spiffeId, node, digest],
      );
    this.#database.run(
      "DELETE FROM issuances WHERE number <= (SELECT max(number) FROM issuances) - ?",
      this.#issuancesKept,
    );
  }

  issuancesOf(entry: string): IssuancesOfEntry {
    const sql = "SELECT count(*) AS count, max(at_ms) AS last FROM issuances WHERE entry = ?";
    const row = this.#database.all(sql, entry)[0];
    const last = row?.["last"];
    return { count: Number(row?.["count"]), lastAtMs: last === null ? undefined : Number(last) };
  }
}
