// What libp2p keeps between its parts: peers and DHT records, in memory. Provider records are not kept: nothing here
// uses them, and any member could send them without end. Records and peers are bounded, the one written longest ago goes
// first: libp2p forgets a peer only hours after it was seen.

import { MemoryDatastore } from "datastore-core";
import { Key } from "interface-datastore";

/** Where kad-dht keeps who provides what. */
const PROVIDERS_PREFIX = "/dht/provider";

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

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString();
    if (name.startsWith(PROVIDERS_PREFIX)) return key;
    if (name.startsWith(RECORDS_PREFIX)) this.#bound(this.#records, RECORDS_MAX, name);
    if (name.startsWith(PEERS_PREFIX)) this.#bound(this.#peers, PEERS_MAX, name);
    return super.put(key, Uint8Array.from(value));
  }

  /** Records of others (and the own) that are kept now. */
  get records(): number {
    return this.#records.size;
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
