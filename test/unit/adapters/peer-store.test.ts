// What stands between libp2p and its peer store, on libp2p's own store: how often it is asked, and what does not get in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { KEEP_ALIVE, type PeerId, type PeerStore } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { ADDRESSES_PER_PEER_MAX, boundPeerStore } from "../../../src/adapters/libp2p/peer-store.ts";
import { silentLogger } from "../../../src/adapters/libp2p/silent-logger.ts";

const address = (port: number): ReturnType<typeof multiaddr> =>
  multiaddr(`/ip4/10.0.0.1/tcp/${port}`);
const newPeer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair("Ed25519"));

/** A node that is never started, its store bound, and how often the store below was read and written. */
async function bound(): Promise<{
  readonly store: PeerStore;
  readonly calls: { get: number; merge: number };
}> {
  const { peerId, peerStore: store } = await createLibp2p({ start: false, logger: silentLogger });
  const calls = { get: 0, merge: 0 };
  const { get, merge } = { get: store.get.bind(store), merge: store.merge.bind(store) };
  store.get = (...asked) => {
    calls.get++;
    return get(...asked);
  };
  store.merge = (...asked) => {
    calls.merge++;
    return merge(...asked);
  };
  boundPeerStore({ peerId, peerStore: store });
  return { store, calls };
}

test("what the store has is neither written nor read again", async () => {
  const { store, calls } = await bound();
  const peer = await newPeer();
  const known = { multiaddrs: [address(1), address(2)], protocols: ["/a"] };
  await store.merge(peer, known);
  calls.get = 0;
  for (let i = 0; i < 3; i++) await store.merge(peer, known);
  assert.deepEqual((await store.get(peer)).protocols, ["/a"]);
  assert.equal(await store.has(peer), true);
  assert.deepEqual(calls, { get: 0, merge: 1 });
  const { addresses } = await store.merge(peer, { multiaddrs: [address(2), address(3)] });
  assert.deepEqual(addresses.map(({ multiaddr }) => multiaddr.toString()).sort(), [
    ...[1, 2, 3].map((port) => address(port).toString()),
  ]);
  await store.merge(peer, { protocols: ["/b"] });
  assert.deepEqual([...(await store.get(peer)).protocols].sort(), ["/a", "/b"]);
  assert.equal(calls.merge, 3);
});

test("what was changed or deleted otherwise is not remembered as it was", async () => {
  const { store } = await bound();
  const peer = await newPeer();
  await store.merge(peer, { multiaddrs: [address(1)] });
  await store.patch(peer, { protocols: ["/new"] });
  assert.deepEqual((await store.get(peer)).protocols, ["/new"]);
  await store.save(peer, { multiaddrs: [address(2)] });
  assert.deepEqual(
    (await store.get(peer)).addresses.map(({ multiaddr }) => multiaddr.toString()),
    [address(2).toString()],
  );
  await store.delete(peer);
  assert.equal(await store.has(peer), false);
  await assert.rejects(store.get(peer), { name: "NotFoundError" });
});

test("of a peer's addresses only so many are kept, and none that is too long", async () => {
  const { store } = await bound();
  const peer = await newPeer();
  const long = multiaddr(`/dns4/${"a".repeat(63)}.${`${"b".repeat(60)}.`.repeat(4)}example/tcp/1`);
  await store.merge(peer, { multiaddrs: [long] });
  assert.equal((await store.get(peer)).addresses.length, 0);
  for (let from = 1; from <= 64; from += 8)
    await store.merge(peer, {
      multiaddrs: Array.from({ length: 8 }, (_, at) => address(from + at)),
    });
  assert.equal((await store.get(peer)).addresses.length, ADDRESSES_PER_PEER_MAX);
});

test("the DHT's wish to keep a connection is not heard, other tags are", async () => {
  const { store } = await bound();
  const peer = await newPeer();
  await store.merge(peer, {
    tags: { "kad-close": { value: 50 }, [`${KEEP_ALIVE}-kad-dht`]: { value: 1 } },
  });
  const relay = `${KEEP_ALIVE}-circuit-relay`;
  await store.merge(peer, { tags: { [relay]: { value: 1 } } });
  assert.deepEqual([...(await store.get(peer)).tags.keys()].sort(), ["kad-close", relay].sort());
});
