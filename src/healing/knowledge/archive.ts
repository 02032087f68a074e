// Where incidents are kept: a file in production, memory in the simulator. What is asked of it is little, so that what recall
// makes of it is the same code over both.

import type { Incident } from "../incident.ts";

/** An incident with whose it was. */
export interface ArchivedIncident {
  readonly incident: Incident;
  /** The node that told of it; absent: this node's own. */
  readonly node?: string;
}

/** This node's incidents, or those that others told of. */
export type Whose = "own" | "others";

/** Keeps what it is given, in the order of `put`. Throws nothing: a damaged archive has less. */
export interface IncidentArchive {
  /** Everything, the oldest first. */
  all(): Iterable<ArchivedIncident>;
  get(id: string): ArchivedIncident | undefined;
  /** Adds it, or puts it in the place of the one with this id. */
  put(entry: ArchivedIncident, words: readonly string[]): void;
  remove(id: string): void;
  /** Ids of those with the most telling words in common, the best first. */
  search(words: readonly string[], count: number, whose: Whose): readonly string[];
  /** Own incidents, the newest first. */
  newest(count: number): readonly Incident[];
}

/** An archive without a disk. */
export class MemoryArchive implements IncidentArchive {
  readonly #entries = new Map<string, ArchivedIncident & { readonly words: ReadonlySet<string> }>();

  all(): Iterable<ArchivedIncident> {
    return this.#entries.values();
  }

  get(id: string): ArchivedIncident | undefined {
    return this.#entries.get(id);
  }

  put(entry: ArchivedIncident, words: readonly string[]): void {
    this.#entries.set(entry.incident.id, { ...entry, words: new Set(words) });
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }

  search(words: readonly string[], count: number, whose: Whose): readonly string[] {
    const shared = [...this.#entries]
      .filter(([, { node }]) => (node === undefined) === (whose === "own"))
      .map(([id, entry]) => [id, words.filter((word) => entry.words.has(word)).length] as const);
    return shared
      .filter(([, number]) => number > 0)
      .sort(([a, most], [b, least]) => least - most || (a < b ? -1 : 1))
      .slice(0, count)
      .map(([id]) => id);
  }

  newest(count: number): readonly Incident[] {
    const own = [...this.#entries.values()].filter(({ node }) => node === undefined);
    return own
      .slice(-count)
      .reverse()
      .map(({ incident }) => incident);
  }
}
