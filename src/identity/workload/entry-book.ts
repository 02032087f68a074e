// The registration entries that an issuer knows, and the making of new ones. What is in the book is on disk first.

import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import { MeshError, toHex } from "../../foundation/index.ts";
import type { Meter, Random, WallMs } from "../../ports/index.ts";
import { WORKLOAD_ENTRIES } from "../metrics.ts";
import type { NodeId, PeerIdentity } from "../peer-identity.ts";
import {
  type EntryDraft,
  ENTRIES_PER_NODE_MAX,
  entryFromDraft,
  isParent,
  type RegistrationEntry,
} from "./entry.ts";
import {
  encodeEntryRecord,
  type EntryRecord,
  parseEntryRecord,
  supersedes,
} from "./entry-record.ts";

/** Most statements that are held, deletions included. */
const ENTRIES_MAX = 4096;
const ID_BYTES = 16;

/** Where records are kept. */
export interface EntryStore {
  records(): readonly Uint8Array[];
  /** Atomic; a record of the same id is replaced. */
  save(id: string, record: Uint8Array): void;
  remove(id: string): void;
}

export interface EntryBookDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly random: Pick<Random, "bytes">;
  readonly meter: Meter;
  readonly store: EntryStore;
  /** The issuer's own NodeId and key. */
  readonly author: NodeId;
  readonly signer: MlDsaSigner;
}

export class EntryBook {
  readonly #deps: EntryBookDeps;
  readonly #trustDomain: string;
  readonly #entriesMax: number;
  /** In the order in which entries were made. */
  readonly #records = new Map<string, EntryRecord>();
  readonly #listeners = new Set<() => void>();

  /** @throws MeshError `identity/entry-record-invalid` for a stored record that this issuer did not sign */
  constructor(deps: EntryBookDeps, trustDomain: string, entriesMax: number = ENTRIES_MAX) {
    this.#deps = deps;
    this.#trustDomain = trustDomain;
    this.#entriesMax = entriesMax;
    const { engine, signer, store } = deps;
    const records = store.records().map((bytes) => {
      const parsed = parseEntryRecord(engine, { bytes, publicKey: signer.publicKey, trustDomain });
      if (parsed.ok) return parsed.value;
      throw new MeshError(
        parsed.code,
        "Cannot use a stored registration entry: this issuer did not sign it so. Restore a backup.",
        { detail: parsed.detail ?? "" },
      );
    });
    for (const record of records.sort((a, b) => a.sequence - b.sequence)) this.#put(record);
    this.#publish();
  }

  /** All entries, in the order in which they were made. */
  list(): RegistrationEntry[] {
    return [...this.#records.values()].flatMap(({ entry }) => entry ?? []);
  }

  /** When an entry was made. */
  madeAtMs(id: string): WallMs {
    return (this.#records.get(id)?.atMs ?? 0) as WallMs;
  }

  /** @throws MeshError `identity/entry-unknown` */
  entry(id: string): RegistrationEntry {
    const found = this.#records.get(id)?.entry;
    if (found === undefined || found === null) throw unknownEntry(id);
    return found;
  }

  /** The entries whose SVIDs a node may have. */
  forNode(node: Pick<PeerIdentity, "name" | "selectors">): RegistrationEntry[] {
    return this.list()
      .filter((entry) => isParent(entry, node))
      .slice(0, ENTRIES_PER_NODE_MAX);
  }

  /**
   * Makes an entry.
   * @throws MeshError `identity/entry-invalid`, `identity/entry-exists`, `identity/entries-full`, `state/write-failed`
   */
  create(draft: EntryDraft, nowMs: WallMs): RegistrationEntry {
    const id = toHex(this.#deps.random.bytes(ID_BYTES));
    const entry = entryFromDraft(draft, id, this.#trustDomain);
    const twin = this.list().find((other) => contentOf(other) === contentOf(entry));
    if (twin !== undefined) {
      throw new MeshError(
        "identity/entry-exists",
        `Cannot make the entry: ${twin.id} gives the same SPIFFE id to the same processes. Delete that one first to change it.`,
        { id: twin.id },
      );
    }
    if (this.#records.size >= this.#entriesMax && !this.#forgetDeletion()) {
      throw new MeshError(
        "identity/entries-full",
        `Cannot make the entry: an issuer holds at most ${this.#entriesMax} entries. Delete some, or use entries for several nodes (parent 'web-*').`,
      );
    }
    this.#state({ id, version: 1, entry, nowMs });
    return entry;
  }

  /** Deletes an entry; its SVIDs stay valid until they expire. @throws MeshError `identity/entry-unknown`, `state/write-failed` */
  delete(id: string, nowMs: WallMs): RegistrationEntry {
    const entry = this.entry(id);
    this.#state({ id, version: (this.#records.get(id)?.version ?? 0) + 1, entry: null, nowMs });
    return entry;
  }

  /** Hears of every change; gives the way to stop hearing. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #state(input: {
    readonly id: string;
    readonly version: number;
    readonly entry: RegistrationEntry | null;
    readonly nowMs: WallMs;
  }): void {
    const { author, signer, store } = this.#deps;
    const { nowMs, ...what } = input;
    const sequences = [...this.#records.values()].map(({ sequence }) => sequence);
    const record = { ...what, author, sequence: Math.max(0, ...sequences) + 1, atMs: nowMs };
    store.save(record.id, encodeEntryRecord(record, signer));
    this.#put(record);
    this.#publish();
    for (const listener of this.#listeners) listener();
  }

  /** Makes room by the oldest deletion. */
  #forgetDeletion(): boolean {
    const oldest = [...this.#records.values()]
      .filter(({ entry }) => entry === null)
      .sort((a, b) => a.sequence - b.sequence)[0];
    if (oldest === undefined) return false;
    this.#deps.store.remove(oldest.id);
    return this.#records.delete(oldest.id);
  }

  #put(record: EntryRecord): void {
    const held = this.#records.get(record.id);
    if (held === undefined || supersedes(record, held)) this.#records.set(record.id, record);
  }

  #publish(): void {
    this.#deps.meter.set(WORKLOAD_ENTRIES, this.list().length);
  }
}

/** What makes two entries the same: who gets which id. */
function contentOf({ spiffeId, parent, selectors }: RegistrationEntry): string {
  return JSON.stringify([spiffeId, parent, [...selectors].sort()]);
}

function unknownEntry(id: string): MeshError {
  return new MeshError(
    "identity/entry-unknown",
    `There is no registration entry ${id}. See meshctl entry list.`,
    { id },
  );
}
