// What libp2p keeps between its parts: peers, DHT records and who provides what, in memory. All are bounded, the one written
// longest ago goes first: libp2p forgets a peer only hours after it was seen. What one peer provides is bounded by itself, since any
// member may send as much of it as it likes.

import { MemoryDatastore } from "datastore-core";
import { Key, type Pair, type Query } from "interface-datastore";
import { MeshError } from "../../foundation/index.ts";
import type { NetworkErrorCode } from "./network-errors.ts";

/** Where kad-dht keeps who provides what, as `<content>/<peer>`: in all, and of one peer, which has one for each task that it serves. */
const PROVIDERS_PREFIX = "/dht/provider";
const PROVIDERS_MAX = 2_048;
const PROVIDERS_PER_PEER_MAX = 8;

/** Where it keeps records, about 16 KiB each. */
const RECORDS_PREFIX = "/dht/record";
export const RECORDS_MAX = 512;

/** Where the peer store keeps what it knows of peers, half a kilobyte each; more than the mesh machine keeps members. */
const PEERS_PREFIX = "/peers/";
const PEERS_MAX = 4_608;

/** The longest key in use has 122. A member chooses what it provides, and libp2p takes a digest of any length. */
const KEY_CHARS_MAX = 160;

export class RecordStore extends MemoryDatastore {
  // Names, not keys: the bytes of a key are often a part of a pool of 64 KiB, which would be kept as a whole; so are those of a value.
  readonly #records = new Set<string>();
  readonly #peers = new Set<string>();
  readonly #providers = new Set<string>();

  /** @throws MeshError `network/request-failed` for a key that none of ours is */
  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString();
    if (name.length > KEY_CHARS_MAX)
      throw new MeshError<NetworkErrorCode>("network/request-failed", "The key is too long.");
    if (name.startsWith(PROVIDERS_PREFIX)) this.#boundProviders(name);
    if (name.startsWith(RECORDS_PREFIX)) this.#bound(this.#records, RECORDS_MAX, name);
    if (name.startsWith(PEERS_PREFIX)) this.#bound(this.#peers, PEERS_MAX, name);
    return super.put(key, Uint8Array.from(value));
  }

  /** Records of others (and the own) that are kept now. */
  get records(): number {
    return this.#records.size;
  }

  override delete(key: Key): void | Promise<void> {
    for (const names of [this.#records, this.#peers, this.#providers]) names.delete(key.toString());
    return super.delete(key);
  }

  /** Any member may ask who provides what, with a few bytes: that must not look at every peer and record, too. */
  override *_all(query: Query): Generator<Pair> {
    const { prefix = "" } = query;
    if (!prefix.startsWith(PROVIDERS_PREFIX)) {
      yield* super._all(query) as Generator<Pair, void>;
      return;
    }
    for (const name of this.#providers) {
      if (!name.startsWith(prefix)) continue;
      const key = new Key(name);
      yield { key, value: super.get(key) as Uint8Array };
    }
  }

  #boundProviders(name: string): void {
    const peer = name.slice(name.lastIndexOf("/"));
    const others = [...this.#providers].filter((other) => other !== name && other.endsWith(peer));
    const [oldest] = others;
    if (others.length >= PROVIDERS_PER_PEER_MAX && oldest !== undefined)
      void this.delete(new Key(oldest));
    this.#bound(this.#providers, PROVIDERS_MAX, name);
  }

  #bound(names: Set<string>, most: number, name: string): void {
    names.delete(name);
    names.add(name);
    const [oldest] = names;
    if (names.size <= most || oldest === undefined) return;
    names.delete(oldest);
    void super.delete(new Key(oldest));
  }
}
