// The event queue's order and limits, and the clocks of a node.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isMeshError } from "../../../src/foundation/index.ts";
import { EventQueue } from "../../../src/sim/event-queue.ts";
import { NodeClock, WALL_START_MS } from "../../../src/sim/virtual-clock.ts";

test("events come out by time, and within one instant in the order they went in", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), (times) => {
      const queue = new EventQueue<number>();
      for (const [order, atMs] of times.entries()) queue.schedule(atMs, order);
      const expected = times
        .map((atMs, order) => ({ atMs, order }))
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)
        .map(({ order }) => order);
      const got: number[] = [];
      for (let next = queue.next(10); next !== undefined; next = queue.next(10)) got.push(next);
      assert.deepEqual(got, expected);
    }),
  );
});

test("the queue grows, and gives places back", () => {
  const queue = new EventQueue<number>();
  for (let round = 0; round < 3; round++) {
    const startMs = queue.nowMs;
    for (let i = 0; i < 5_000; i++) queue.schedule(startMs + ((i * 7919) % 5_000), i);
    let lastMs = startMs;
    for (let i = 0; i < 5_000; i++) {
      const event = queue.next(Infinity);
      assert.equal(queue.nowMs, startMs + ((event! * 7919) % 5_000));
      assert.ok(queue.nowMs >= lastMs);
      lastMs = queue.nowMs;
    }
  }
  assert.equal(queue.size, 0);
  assert.equal(queue.nextAtMs, undefined);
});

test("the queue holds its limit and refuses one more", () => {
  const queue = new EventQueue<string>(2);
  queue.schedule(1, "a");
  queue.schedule(1, "b");
  assert.throws(
    () => queue.schedule(1, "c"),
    (error) => isMeshError(error, "sim/queue-full"),
  );
  assert.equal(queue.next(1), "a");
  queue.schedule(1, "c");
  assert.equal(queue.size, 2);
});

test("nothing is scheduled before the present, at NaN neither", () => {
  const queue = new EventQueue<string>();
  queue.schedule(5, "a");
  assert.equal(queue.next(4), undefined);
  assert.equal(queue.next(5), "a");
  queue.schedule(5, "now");
  const past = (error: unknown): boolean => isMeshError(error, "sim/past-event");
  assert.throws(() => queue.schedule(4.999, "b"), past);
  assert.throws(() => queue.schedule(Number.NaN, "b"), past);
});

test("time advances to a moment, but never past a waiting event", () => {
  const queue = new EventQueue<string>();
  queue.schedule(10, "a");
  queue.advance(11);
  assert.equal(queue.nowMs, 0);
  queue.advance(10);
  assert.equal(queue.nowMs, 10);
});

test("a clock that runs fast reads more and waits less", () => {
  const clock = new NodeClock({ driftPpm: 100_000, monoOffsetMs: 5 });
  assert.ok(Math.abs(clock.at(1000).monoMs - 1105) < 1e-9);
  assert.ok(Math.abs(clock.trueDelayMs(1100) - 1000) < 1e-9);
});

test("a step moves the wall clock and not the monotonic one", () => {
  const clock = new NodeClock({ wallOffsetMs: -50 });
  assert.equal(clock.at(100).wallMs, WALL_START_MS + 50);
  clock.stepWall(-3_600_000);
  assert.equal(clock.at(100).wallMs, WALL_START_MS + 50 - 3_600_000);
  assert.equal(clock.at(100).monoMs, 100);
});

test("a clock that would stand still is refused", () => {
  assert.throws(
    () => new NodeClock({ driftPpm: -1_000_000 }),
    (error) => isMeshError(error, "sim/bad-option"),
  );
  assert.ok(new NodeClock({ driftPpm: -999_999 }));
});

test("a drift begins and ends without a jump, and both clocks have it", () => {
  const clock = new NodeClock();
  clock.drift(100_000, 1_000);
  assert.equal(clock.at(1_000).monoMs, 1_000);
  assert.ok(Math.abs(clock.at(2_000).monoMs - 2_100) < 1e-9);
  assert.equal(clock.at(2_000).wallMs, WALL_START_MS + 2_100);
  clock.drift(0, 2_000);
  assert.ok(Math.abs(clock.at(3_000).monoMs - 3_100) < 1e-9);
  assert.throws(
    () => clock.drift(-1_000_000, 3_000),
    (error) => isMeshError(error, "sim/bad-option"),
  );
});
