// Incidents in SQLite: each as JSON with its feature vector beside it, and its words in an FTS5 index that ranks by BM25. The index
// keeps no text (contentless); it is maintained in the same transaction as the row.

import type { ArchivedIncident, Incident, IncidentArchive, Whose } from "../../healing/index.ts";
import { IncidentFile, type IncidentFileProblem } from "./incident-file.ts";
import type { Row } from "./statements.ts";

const COLUMNS = "number, id, origin, features, body";
/** Read at once at the start: all of them would be in memory at the same time. */
const PAGE_ROWS = 128;

export class SqliteArchive implements IncidentArchive {
  readonly #file: IncidentFile;

  /** Never throws: see {@link IncidentFile}. */
  constructor(directory: string) {
    this.#file = new IncidentFile(directory);
  }

  get problem(): IncidentFileProblem | undefined {
    return this.#file.problem;
  }

  *all(): Iterable<ArchivedIncident> {
    const sql = `SELECT ${COLUMNS} FROM incidents WHERE number > ? ORDER BY number LIMIT ?`;
    for (let rows = this.#file.all(sql, 0, PAGE_ROWS); rows.length > 0; ) {
      yield* rows.flatMap(entryOf);
      rows = this.#file.all(sql, rows.at(-1)?.["number"] ?? 0, PAGE_ROWS);
    }
  }

  get(id: string): ArchivedIncident | undefined {
    return this.#file.all(`SELECT ${COLUMNS} FROM incidents WHERE id = ?`, id).flatMap(entryOf)[0];
  }

  put({ incident, node = "" }: ArchivedIncident, words: readonly string[]): void {
    const { features, ...body } = incident;
    const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
    this.#file.write((database) => {
      const row = database
        .prepare(
          `INSERT INTO incidents (id, origin, features, body) VALUES (?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET features = excluded.features, body = excluded.body RETURNING number`,
        )
        .get(incident.id, node, bytes, JSON.stringify(body));
      database
        .prepare("INSERT OR REPLACE INTO incident_text (rowid, words) VALUES (?, ?)")
        .run(row?.["number"] ?? null, words.join(" "));
    });
  }

  remove(id: string): void {
    this.#file.write((database) => {
      const row = database.prepare("DELETE FROM incidents WHERE id = ? RETURNING number").get(id);
      if (row !== undefined)
        database.prepare("DELETE FROM incident_text WHERE rowid = ?").run(row["number"] ?? null);
    });
  }

  search(words: readonly string[], count: number, whose: Whose): readonly string[] {
    if (words.length === 0) return [];
    return this.#file
      .all(
        `SELECT id FROM incident_text JOIN incidents ON number = incident_text.rowid
         WHERE incident_text MATCH ? AND origin ${whose === "own" ? "=" : "<>"} ''
         ORDER BY rank, number DESC LIMIT ?`,
        words.map((word) => `"${word.replaceAll('"', "")}"`).join(" OR "),
        count,
      )
      .map((row) => String(row["id"]));
  }

  newest(count: number): readonly Incident[] {
    return this.#file
      .all(`SELECT ${COLUMNS} FROM incidents WHERE origin = '' ORDER BY number DESC LIMIT ?`, count)
      .flatMap(entryOf)
      .map(({ incident }) => incident);
  }

  close(): void {
    this.#file.close();
  }
}

/** None of a row that does not read: it was written by nobody we know. */
function entryOf({ origin, features, body }: Row): ArchivedIncident[] {
  try {
    const bytes = features as Uint8Array;
    const incident = {
      ...(JSON.parse(String(body)) as Omit<Incident, "features">),
      features: new Float32Array(bytes.slice().buffer),
    };
    return [origin === "" ? { incident } : { incident, node: String(origin) }];
  } catch {
    return [];
  }
}
