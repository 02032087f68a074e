// What libp2p keeps between its parts: peers and DHT records, in memory. Provider records are not kept: nothing here
// uses them, and any member could send them without end. The records of others are bounded.

import { MemoryDatastore } from "datastore-core";
import type { Key } from "interface-datastore";

/** Where kad-dht keeps who provides what. */
const PROVIDERS_PREFIX = "/dht/provider";

/** Where it keeps records, about 16 KiB each; the one written longest ago goes first. */
const RECORDS_PREFIX = "/dht/record";
export const RECORDS_MAX = 512;

export class RecordStore extends MemoryDatastore {
  readonly #records = new Map<string, Key>();

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString();
    if (name.startsWith(PROVIDERS_PREFIX)) return key;
    if (name.startsWith(RECORDS_PREFIX)) this.#bound(name, key);
    return super.put(key, value);
  }

  /** Records of others (and the own) that are kept now. */
  get records(): number {
    return this.#records.size;
  }

  #bound(name: string, key: Key): void {
    this.#records.delete(name);
    this.#records.set(name, key);
    const [oldest] = this.#records;
    if (this.#records.size <= RECORDS_MAX || oldest === undefined) return;
    this.#records.delete(oldest[0]);
    void super.delete(oldest[1]);
  }
}
