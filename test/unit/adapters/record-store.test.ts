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

test("of what one peer provides the newest few are kept, whatever others provide", async () => {
  const store = new RecordStore();
  const value = Uint8Array.of(1);
  const entry = (content: number, of: string): Key => new Key(`/dht/provider/c${content}/${of}`);
  await store.put(entry(0, "honest"), value);
  for (let content = 0; content < 8; content++) await store.put(entry(content, "flooder"), value);
  assert.ok(await store.has(entry(0, "flooder")), "at the limit all are kept");
  await store.put(entry(0, "flooder"), value);
  await store.put(entry(8, "flooder"), value);
  assert.ok(!(await store.has(entry(1, "flooder"))));
  assert.ok(await store.has(entry(0, "flooder")), "it was written again");
  for (let content = 9; content < 1_000; content++)
    await store.put(entry(content, "flooder"), value);
  assert.ok(await store.has(entry(0, "honest")));
  let kept = 0;
  for await (const one of store.query({ prefix: "/dht/provider" })) kept += one.value.length;
  assert.equal(kept, 9);
});

test("who provides what is bounded in all", async () => {
  const store = new RecordStore();
  const entry = (peer: number): Key => new Key(`/dht/provider/c/${peer}`);
  for (let peer = 0; peer < 2_048; peer++) await store.put(entry(peer), Uint8Array.of(1));
  assert.ok(await store.has(entry(0)));
  await store.put(entry(2_048), Uint8Array.of(1));
  assert.ok(!(await store.has(entry(0))));
  assert.ok(await store.has(entry(1)));
});

test("a key as long as the longest in use is kept, and one that is longer than any is refused", async () => {
  const store = new RecordStore();
  const provider = (length: number): Key =>
    new Key("/dht/provider/".padEnd(length - 2, "c") + "/p", false);
  await store.put(provider(160), Uint8Array.of(1));
  assert.ok(await store.has(provider(160)));
  assert.throws(() => store.put(provider(161), Uint8Array.of(1)), {
    code: "network/request-failed",
  });
  let kept = 0;
  for await (const one of store.query({ prefix: "/dht/provider" })) kept += one.value.length;
  assert.equal(kept, 1);
});

test("a search among the providers finds those of its content, and all others find the rest", async () => {
  const store = new RecordStore();
  const keys = ["/dht/provider/a/p", "/dht/provider/a/q", "/dht/provider/b/p", "/peers/p"];
  for (const [at, key] of keys.entries()) await store.put(new Key(key), Uint8Array.of(at));
  const found = async (prefix: string): Promise<[string, number | undefined][]> => {
    const pairs: [string, number | undefined][] = [];
    for await (const { key, value } of store.query({ prefix }))
      pairs.push([key.toString(), value[0]]);
    return pairs;
  };
  assert.deepEqual(await found("/dht/provider/a"), [
    ["/dht/provider/a/p", 0],
    ["/dht/provider/a/q", 1],
  ]);
  assert.deepEqual(await found("/peers"), [["/peers/p", 3]]);
  assert.equal((await found("")).length, 4);
});
