// What a daemon remembers of incidents, and what it says when it cannot.

import { SqliteArchive } from "../../adapters/sqlite/incident-archive.ts";
import { type Incident, KnowledgeBase, type RaisedCondition } from "../../healing/index.ts";
import type { WallMs } from "../../ports/index.ts";

export class HealingMemory {
  readonly knowledge: KnowledgeBase;
  readonly #archive: SqliteArchive;

  /** Never throws: without a file the daemon remembers until it ends. */
  constructor(stateDir: string, nowMs: WallMs) {
    this.#archive = new SqliteArchive(stateDir);
    this.knowledge = new KnowledgeBase(this.#archive, nowMs);
  }

  raised(): RaisedCondition[] {
    const { problem } = this.#archive;
    return problem === undefined ? [] : [{ code: problem.code, message: problem.message }];
  }

  /** All own incidents, the oldest first. */
  *own(): Generator<Incident> {
    for (const { incident, node } of this.#archive.all()) if (node === undefined) yield incident;
  }

  close(): void {
    this.#archive.close();
  }
}
