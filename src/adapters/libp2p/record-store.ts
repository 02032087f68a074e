// What libp2p keeps between its parts: peers and DHT records, in memory. Provider records are not kept: nothing here
// uses them, and any member could send them without end. Peers are bounded: libp2p forgets one only hours after it was seen.

import { MemoryDatastore } from "datastore-core";
import type { Key } from "interface-datastore";

/** Where kad-dht keeps who provides what. */
const PROVIDERS_PREFIX = "/dht/provider";

/** Where the peer store keeps what it knows of peers, half a kilobyte each; the one written longest ago goes first. */
const PEERS_PREFIX = "/peers/";
/** Above the members that the mesh machine keeps. */
const PEERS_MAX = 4_608;

export class RecordStore extends MemoryDatastore {
  readonly #peers = new Map<string, Key>();

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString();
    if (name.startsWith(PROVIDERS_PREFIX)) return key;
    if (name.startsWith(PEERS_PREFIX)) this.#bound(name, key);
    // A copy: what comes is often a few bytes of a pool of 64 KiB, which would be kept as a whole.
    return super.put(key, Uint8Array.from(value));
  }

  #bound(name: string, key: Key): void {
    this.#peers.delete(name);
    this.#peers.set(name, key);
    const [oldest] = this.#peers;
    if (this.#peers.size <= PEERS_MAX || oldest === undefined) return;
    this.#peers.delete(oldest[0]);
    void super.delete(oldest[1]);
  }
}
