// The gossip model's parts: seen-caches, message numbers, edges; and the bounded questions of a node.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { GenerationSet, GossipOverlay } from "../../../src/sim/gossip-overlay.ts";
import { GossipStore } from "../../../src/sim/gossip-store.ts";
import { Pending } from "../../../src/sim/pending.ts";
import { SeededRandom } from "../../../src/sim/random.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();

test("a seen number is remembered for at least a half-life and at most two", () => {
  const seen = new GenerationSet(100, 1000);
  assert.equal(seen.add(1, 50), true);
  assert.equal(seen.add(1, 99), false);
  assert.equal(seen.add(1, 149), false, "half a life later at the earliest");
  assert.equal(seen.add(1, 250), true, "two half-lives later it is gone");
});

test("after a long silence nothing is remembered", () => {
  const seen = new GenerationSet(100, 1000);
  seen.add(1, 0);
  assert.equal(seen.add(1, 200), true);
});

test("a full generation turns early", () => {
  const seen = new GenerationSet(1e9, 2);
  for (const value of [1, 2, 3, 4]) seen.add(value, 0);
  assert.equal(seen.add(2, 0), false, "the generation before is still there");
  assert.equal(seen.add(5, 0), true);
  assert.equal(seen.add(1, 0), true, "two generations back is gone");
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

test("an edge that either side grafted carries both ways; a cut is noticed by its own side", () => {
  const overlay = new GossipOverlay(3, SeededRandom.fromSeed(1), 1);
  overlay.graft(0, [1]);
  assert.deepEqual([...overlay.edges(0)], [1]);
  assert.deepEqual([...overlay.edges(1)], [0]);
  overlay.graft(0, [1, 2]);
  assert.deepEqual([...overlay.edges(0)], [1], "it has enough of its own");
  overlay.cut(0, 1);
  assert.deepEqual([...overlay.edges(0)], []);
  assert.deepEqual([...overlay.edges(1)], [0]);
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
