// The registration entries that an issuer knows, of its own making and of other issuers', and the making of new ones. What is in the book
// is on disk first. Two books that have exchanged their records are equal: entry-record.ts says which of two statements counts.

import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import { MeshError, toHex } from "../../foundation/index.ts";
import type { Meter, Random, WallMs } from "../../ports/index.ts";
import { WORKLOAD_ENTRIES } from "../metrics.ts";
import { nodeIdOf } from "../node-keys.ts";
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
/** Issuers whose records are kept, former ones included. */
const AUTHORS_MAX = 16;
/** Bytes of records in one answer; base64 makes a third more of them. */
const PART_BYTES_MAX = 512 * 1024;

/** Where records are kept. */
export interface EntryStore {
  records(): readonly Uint8Array[];
  /** Atomic; a record of the same id is replaced. */
  save(id: string, record: Uint8Array): void;
  remove(id: string): void;
  /** The keys of the issuers whose records are kept. */
  authors(): readonly AuthorKeys[];
  saveAuthor(nodeId: NodeId, keys: AuthorKeys): void;
}

/** By what an author's records are verified: its NodeId commits to both. */
export interface AuthorKeys {
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

/** Up to which of an author's statements a book has all. */
export interface Have {
  readonly author: NodeId;
  readonly sequence: number;
}

/** Records for another book, verifiable by themselves. */
export interface RecordsPart {
  readonly authors: AuthorKeys[];
  readonly records: Uint8Array[];
  readonly more: boolean;
}

interface Kept {
  readonly record: EntryRecord;
  readonly bytes: Uint8Array;
}

export interface EntryBookDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly random: Pick<Random, "bytes">;
  readonly meter: Meter;
  readonly store: EntryStore;
  /** The issuer's own NodeId and key. */
  readonly author: NodeId;
  readonly signer: MlDsaSigner;
  readonly ed25519: Uint8Array;
}

export class EntryBook {
  readonly #deps: EntryBookDeps;
  readonly #trustDomain: string;
  readonly #entriesMax: number;
  /** In the order in which they were stated. */
  #records = new Map<string, Kept>();
  readonly #authors = new Map<NodeId, AuthorKeys>();
  readonly #listeners = new Set<() => void>();

  /** @throws MeshError `identity/entry-record-invalid` for a stored record that none of its issuers signed */
  constructor(deps: EntryBookDeps, trustDomain: string, entriesMax: number = ENTRIES_MAX) {
    this.#deps = deps;
    this.#trustDomain = trustDomain;
    this.#entriesMax = entriesMax;
    const { signer, store, author, ed25519 } = deps;
    this.#authors.set(author, { ed25519, mldsa65: signer.publicKey });
    for (const keys of store.authors()) this.#authors.set(this.#idOf(keys), keys);
    for (const bytes of store.records()) {
      const record = this.#read(bytes);
      if (record !== undefined) this.#put({ record, bytes });
      else
        throw new MeshError(
          "identity/entry-record-invalid",
          "Cannot use a stored registration entry: no issuer that is known here signed it so. Restore a backup.",
        );
    }
    this.#sort();
    this.#publish();
  }

  /** All entries, in the order in which they were made. */
  list(): RegistrationEntry[] {
    return [...this.#records.values()].flatMap(({ record }) => record.entry ?? []);
  }

  /** When an entry was made. */
  madeAtMs(id: string): WallMs {
    return (this.#records.get(id)?.record.atMs ?? 0) as WallMs;
  }

  /** @throws MeshError `identity/entry-unknown` */
  entry(id: string): RegistrationEntry {
    const found = this.#records.get(id)?.record.entry;
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
    this.#state({
      id,
      version: (this.#records.get(id)?.record.version ?? 0) + 1,
      entry: null,
      nowMs,
    });
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
    const own = this.have().find((one) => one.author === author)?.sequence ?? 0;
    // At least the time: after a restore the others have records of this author that are newer than its own disk.
    const sequence = Math.max(own + 1, Math.floor(nowMs / 1_000));
    const record = { ...what, author, sequence, atMs: nowMs };
    const bytes = encodeEntryRecord(record, signer);
    store.save(record.id, bytes);
    this.#put({ record, bytes });
    this.#changed();
  }

  /** What is here of each author. */
  have(): Have[] {
    const newest = new Map<NodeId, number>();
    for (const { record } of this.#records.values())
      newest.set(record.author, Math.max(record.sequence, newest.get(record.author) ?? 0));
    return [...newest].map(([author, sequence]) => ({ author, sequence }));
  }

  /** What another book has not, an author's oldest first, as much as fits an answer. */
  recordsAbove(have: readonly Have[]): RecordsPart {
    const known = new Map(have.map(({ author, sequence }) => [author, sequence]));
    const wanted = [...this.#records.values()]
      .filter(({ record }) => record.sequence > (known.get(record.author) ?? 0))
      .sort((a, b) => a.record.sequence - b.record.sequence);
    let bytes = 0;
    const part = wanted.filter(({ bytes: { length } }) => (bytes += length) <= PART_BYTES_MAX);
    const authors = new Set(part.map(({ record }) => record.author));
    return {
      authors: [...authors].flatMap((author) => this.#authors.get(author) ?? []),
      records: part.map((kept) => kept.bytes),
      more: part.length < wanted.length,
    };
  }

  /**
   * Takes what another issuer has sent. What is of no issuer, or not signed by its author, is left out.
   * @param mayWrite whether a node may be the author of entries: it issues now, or did when its keys were taken
   * @throws MeshError `state/write-failed`
   */
  merge(
    { authors, records }: Omit<RecordsPart, "more">,
    mayWrite: (nodeId: NodeId) => boolean,
  ): void {
    const { store } = this.#deps;
    for (const keys of authors) {
      const nodeId = this.#idOf(keys);
      if (this.#authors.has(nodeId) || !mayWrite(nodeId) || this.#authors.size >= AUTHORS_MAX)
        continue;
      store.saveAuthor(nodeId, keys);
      this.#authors.set(nodeId, keys);
    }
    let isChanged = false;
    for (const bytes of records) {
      const record = this.#read(bytes);
      if (record === undefined || !this.#isNews(record)) continue;
      store.save(record.id, bytes);
      isChanged = this.#put({ record, bytes });
    }
    if (!isChanged) return;
    this.#sort();
    this.#changed();
  }

  #isNews(record: EntryRecord): boolean {
    const held = this.#records.get(record.id);
    if (held !== undefined) return supersedes(record, held.record);
    return this.#records.size < this.#entriesMax || this.#forgetDeletion();
  }

  /** A record, if one of the authors signed it and says so. */
  #read(bytes: Uint8Array): EntryRecord | undefined {
    const trustDomain = this.#trustDomain;
    for (const [author, { mldsa65: publicKey }] of this.#authors) {
      const parsed = parseEntryRecord(this.#deps.engine, { bytes, publicKey, trustDomain });
      if (parsed.ok && parsed.value.author === author) return parsed.value;
    }
    return undefined;
  }

  #idOf({ ed25519, mldsa65 }: AuthorKeys): NodeId {
    return nodeIdOf(this.#deps.engine, ed25519, mldsa65);
  }

  /** One order everywhere: a node that turns to another issuer is told nothing new. */
  #sort(): void {
    const order = (a: EntryRecord, b: EntryRecord): number =>
      a.atMs - b.atMs || (a.id < b.id ? -1 : 1);
    this.#records = new Map([...this.#records].sort(([, a], [, b]) => order(a.record, b.record)));
  }

  #changed(): void {
    this.#publish();
    for (const listener of this.#listeners) listener();
  }

  /** Makes room by the oldest deletion. */
  #forgetDeletion(): boolean {
    const oldest = [...this.#records.values()]
      .map(({ record }) => record)
      .filter(({ entry }) => entry === null)
      .sort((a, b) => a.atMs - b.atMs)[0];
    if (oldest === undefined) return false;
    this.#deps.store.remove(oldest.id);
    return this.#records.delete(oldest.id);
  }

  #put(kept: Kept): true {
    this.#records.set(kept.record.id, kept);
    return true;
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
