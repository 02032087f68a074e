// What libp2p's memory may hold: bounded, and no more bytes than the values have.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Key } from "interface-datastore";
import { RecordStore } from "../../../src/adapters/libp2p/record-store.ts";

const PEERS_MAX = 4_608;
const peer = (number: number): Key => new Key(`/peers/${number}`);

test("the peer written longest ago goes when there is one too many", async () => {
  const store = new RecordStore();
  const value = Uint8Array.of(1);
  for (let number = 0; number < PEERS_MAX; number++) await store.put(peer(number), value);
  await store.put(peer(0), value);
  assert.ok(await store.has(peer(1)), "at the limit all are kept");
  await store.put(peer(PEERS_MAX), value);
  assert.ok(!(await store.has(peer(1))));
  assert.ok(await store.has(peer(0)), "it was written again");
  assert.ok(await store.has(peer(PEERS_MAX)));
});

test("a value is kept without the pool that it was cut from", async () => {
  const store = new RecordStore();
  const key = new Key("/dht/record/a");
  await store.put(key, new Uint8Array(65_536).subarray(5, 8).fill(7));
  const kept = await store.get(key);
  assert.deepEqual(kept, Uint8Array.of(7, 7, 7));
  assert.equal(kept.buffer.byteLength, 3);
});

test("who provides what is not kept", async () => {
  const store = new RecordStore();
  const key = new Key("/dht/provider/a");
  await store.put(key, Uint8Array.of(1));
  assert.ok(!(await store.has(key)));
});
