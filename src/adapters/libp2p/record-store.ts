// What libp2p keeps between its parts: peers, DHT records and who provides what, in memory. All are bounded, the one written
// longest ago goes first: libp2p forgets a peer only hours after it was seen. What one peer provides is bounded by itself, since any
// member may send as much of it as it likes.

import { MemoryDatastore } from "datastore-core";
import { Key } from "interface-datastore";

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

export class RecordStore extends MemoryDatastore {
  // Names, not keys: the bytes of a key are often a part of a pool of 64 KiB, which would be kept as a whole; so are those of a value.
  readonly #records = new Set<string>();
  readonly #peers = new Set<string>();
  readonly #providers = new Set<string>();

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString();
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
