// What libp2p keeps between its parts: peers and DHT records, in memory. Provider records are not kept: nothing here
// uses them, and any member could send them without end.

import { MemoryDatastore } from "datastore-core";
import type { Key } from "interface-datastore";

/** Where kad-dht keeps who provides what. */
const PROVIDERS_PREFIX = "/dht/provider";

export class RecordStore extends MemoryDatastore {
  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    return key.toString().startsWith(PROVIDERS_PREFIX) ? key : super.put(key, value);
  }
}
