// The gossip model's parts: seen-caches, message numbers, edges; and the bounded questions of a node.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gossipDegree } from "../../../src/mesh/index.ts";
import { SeenMessages } from "../../../src/sim/seen-messages.ts";
import { GossipOverlay, meshDegree } from "../../../src/sim/gossip-overlay.ts";
import { GossipStore } from "../../../src/sim/gossip-store.ts";
import type { GossipMessage } from "../../../src/sim/node-types.ts";
import { Pending } from "../../../src/sim/pending.ts";
import { SeededRandom } from "../../../src/sim/random.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();

function lacks(seen: SeenMessages, message: GossipMessage, generation: number): boolean {
  return seen.lacking([message], generation).length === 1;
}

/** The n-th message of a topic and generation. */
function messageOf(place: number, generation = 0, topic = "t"): GossipMessage {
  return { number: 0, topic, bytes: new Uint8Array(), word: 0, generation, place };
}

test("a message is seen once, whatever its place, in each topic apart", () => {
  const seen = new SeenMessages();
  for (const place of [0, 31, 32, 1_000, 5, 100_000]) {
    assert.equal(seen.add(messageOf(place), 0), true, `first ${place}`);
    assert.equal(seen.add(messageOf(place), 0), false, `again ${place}`);
    assert.equal(lacks(seen, messageOf(place), 0), false);
    assert.equal(lacks(seen, messageOf(place + 1), 0), true);
    assert.equal(seen.add(messageOf(place, 0, "other"), 0), true);
  }
});

test("a seen message is remembered through the generation after its own, then nobody wants it", () => {
  const seen = new SeenMessages();
  seen.add(messageOf(1, 0), 0);
  assert.equal(lacks(seen, messageOf(1, 0), 1), false);
  assert.equal(seen.add(messageOf(1, 1), 1), true, "another generation's first");
  assert.equal(seen.add(messageOf(2, 0), 1), true, "late, but still new");
  assert.equal(lacks(seen, messageOf(1, 1), 1), false);
  assert.equal(lacks(seen, messageOf(7, 0), 2), false, "too old to be new");
  assert.equal(seen.add(messageOf(1, 3), 3), true);
});

test("equal bytes become a new message when the generation after theirs is over", () => {
  const store = new GossipStore(sha256, 1000, 100);
  const bytes = Uint8Array.of(1);
  const first = store.intern("a", bytes, 999);
  assert.equal(store.intern("a", bytes, 1999), first);
  const second = store.intern("a", bytes, 2000);
  assert.deepEqual([second.generation, second.place], [2, 0]);
  assert.notEqual(second.number, first.number);
});

test("a store that is full still numbers what comes, but knows it no more", () => {
  const store = new GossipStore(sha256, 1000, 1);
  store.intern("a", Uint8Array.of(1), 0);
  const beyond = store.intern("a", Uint8Array.of(2), 0);
  assert.equal(beyond.place, 1);
  assert.notEqual(store.intern("a", Uint8Array.of(2), 0), beyond);
});

test("equal bytes on one topic are one message, on another topic another", () => {
  const store = new GossipStore(sha256, 1000, 100);
  const bytes = Uint8Array.of(1, 2, 3);
  const first = store.intern("a", bytes, 0);
  assert.equal(store.intern("a", Uint8Array.of(1, 2, 3), 0), first);
  assert.notEqual(store.intern("b", bytes, 0).number, first.number);
  bytes[0] = 9;
  assert.deepEqual(first.bytes, Uint8Array.of(1, 2, 3), "the store has a copy");
  assert.equal(store.count, 2);
});

function overlayOf(nodes: number, target: number): GossipOverlay {
  return new GossipOverlay(nodes, SeededRandom.fromSeed(1), meshDegree(target));
}

const sorted = (peers: readonly number[]): number[] => [...peers].sort((a, b) => a - b);

test("the degrees of the daemon's D are the daemon's", () => {
  assert.deepEqual(meshDegree(gossipDegree.target), gossipDegree);
});

test("a graft joins both ends, in the topics that both subscribe to and in no other", () => {
  const overlay = overlayOf(3, 6);
  overlay.subscribe(0, "a", []);
  overlay.subscribe(0, "b", []);
  overlay.subscribe(1, "b", []);
  overlay.connected(0, 1);
  assert.deepEqual(
    [overlay.mesh(0, "a"), overlay.mesh(0, "b"), overlay.mesh(1, "b")],
    [[], [1], [0]],
  );
  overlay.subscribe(1, "a", [0]);
  assert.deepEqual([overlay.mesh(0, "a"), overlay.mesh(1, "a")], [[1], [0]]);
  assert.equal(overlay.subscribe(1, "a", [0]), false, "it does already");
});

test("a node takes D mesh peers, and grafts anew only when fewer than Dlo are left", () => {
  const overlay = overlayOf(10, 6);
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  for (const node of all) overlay.subscribe(node, "t", []);
  overlay.subscribe(0, "t", all);
  const mesh = sorted(overlay.mesh(0, "t"));
  assert.equal(mesh.length, 6);
  assert.deepEqual(
    sorted(overlay.others(0, "t", all)),
    all.filter((peer) => !mesh.includes(peer)),
  );
  for (const peer of mesh.slice(0, 2)) overlay.cut(0, peer);
  overlay.maintain(0, all);
  assert.equal(overlay.mesh(0, "t").length, 4, "Dlo is enough");
  overlay.cut(0, mesh[2]!);
  overlay.maintain(0, all);
  assert.equal(overlay.mesh(0, "t").length, 6);
});

test("nobody has more than Dhi mesh peers, however many want to graft it", () => {
  const overlay = overlayOf(20, 2);
  overlay.subscribe(0, "t", []);
  for (let node = 1; node < 20; node++) overlay.subscribe(node, "t", [0]);
  assert.equal(overlay.mesh(0, "t").length, 3);
});

test("who leaves a topic is pruned at once; a lost connection is noticed by its own side", () => {
  const overlay = overlayOf(2, 6);
  overlay.subscribe(0, "t", []);
  overlay.subscribe(1, "t", [0]);
  overlay.cut(0, 1);
  assert.deepEqual([overlay.mesh(0, "t"), overlay.mesh(1, "t")], [[], [0]]);
  overlay.unsubscribe(0, "t");
  overlay.subscribe(0, "t", [1]);
  assert.deepEqual([overlay.mesh(0, "t"), overlay.mesh(1, "t")], [[1], [0]]);
  overlay.unsubscribe(1, "t");
  assert.deepEqual([overlay.mesh(0, "t"), overlay.others(0, "t", [1])], [[], []]);
  assert.equal(overlay.unsubscribe(1, "t"), false);
});

test("questions are numbered, settled once, and the oldest makes room", () => {
  const pending = new Pending<string>(2);
  assert.deepEqual(pending.ask("a"), { number: 1, dropped: undefined });
  pending.ask("b");
  assert.deepEqual(pending.ask("c"), { number: 3, dropped: 1 });
  assert.equal(pending.settle(1), undefined);
  assert.equal(pending.settle(2), "b");
  assert.equal(pending.settle(2), undefined);
  assert.equal(pending.size, 1);
});
