// The seeded generator: its published answers, its forks and its draws.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hash32, SeededRandom } from "../../../src/sim/random.ts";

const draw = (random: SeededRandom, count: number): number[] =>
  Array.from({ length: count }, () => random.uint32());

test("xoshiro128** gives its reference sequence from the state 1, 2, 3, 4", () => {
  const random = SeededRandom.fromState([1, 2, 3, 4]);
  assert.deepEqual(draw(random, 6), [11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
});

test("one seed is one sequence, and the next seed another", () => {
  assert.deepEqual(draw(SeededRandom.fromSeed(7), 8), draw(SeededRandom.fromSeed(7), 8));
  assert.notDeepEqual(draw(SeededRandom.fromSeed(7), 8), draw(SeededRandom.fromSeed(8), 8));
  assert.notDeepEqual(draw(SeededRandom.fromSeed(0), 4), [0, 0, 0, 0]);
});

test("a fork depends on the seed and the labels, not on what was drawn before", () => {
  const used = SeededRandom.fromSeed(7);
  draw(used, 100);
  const early = SeededRandom.fromSeed(7).fork("a").fork("b");
  assert.deepEqual(draw(used.fork("a").fork("b"), 4), draw(early, 4));
  const otherSeed = SeededRandom.fromSeed(8).fork("a").fork("b");
  assert.notDeepEqual(draw(SeededRandom.fromSeed(7).fork("a").fork("b"), 4), draw(otherSeed, 4));
  const other = SeededRandom.fromSeed(7).fork("b").fork("a");
  assert.notDeepEqual(draw(SeededRandom.fromSeed(7).fork("a").fork("b"), 4), draw(other, 4));
});

test("fractions stay in [0, 1) and fill it evenly", () => {
  const random = SeededRandom.fromSeed(1);
  const bins = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const fraction = random.fraction();
    assert.ok(fraction >= 0 && fraction < 1);
    const bin = Math.floor(fraction * 10);
    bins[bin] = bins[bin]! + 1;
  }
  for (const count of bins) assert.ok(count > 850 && count < 1150, `bin of ${count}`);
});

test("chance is never at 0 and always at 1", () => {
  const random = SeededRandom.fromSeed(2);
  for (let i = 0; i < 1000; i++) {
    assert.equal(random.chance(0), false);
    assert.equal(random.chance(1), true);
  }
});

test("below reaches every value and nothing else", () => {
  const random = SeededRandom.fromSeed(3);
  const seen = new Set(Array.from({ length: 200 }, () => random.below(6)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5]);
  assert.equal(random.below(1), 0);
});

test("a sample has distinct items, and all of them when it asks for more", () => {
  const random = SeededRandom.fromSeed(4);
  const items = [1, 2, 3, 4, 5];
  for (let i = 0; i < 50; i++) {
    const picked = random.sample(items, 3);
    assert.equal(new Set(picked).size, 3);
    for (const item of picked) assert.ok(items.includes(item));
  }
  assert.deepEqual(random.sample(items, 9).sort(), items);
  assert.deepEqual(random.sample([], 2), []);
});

test("bytes have the asked length, whole words or not", () => {
  for (const length of [0, 1, 3, 4, 5, 32]) {
    assert.equal(SeededRandom.fromSeed(5).bytes(length).length, length);
  }
  const long = SeededRandom.fromSeed(5).bytes(8);
  assert.deepEqual(SeededRandom.fromSeed(5).bytes(5), long.subarray(0, 5));
});

test("hash32 is FNV-1a", () => {
  assert.equal(hash32(""), 0x811c9dc5);
  assert.equal(hash32("a"), 0xe40c292c);
  assert.equal(hash32("foobar"), 0xbf9cf968);
});
