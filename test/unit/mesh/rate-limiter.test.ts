// Token buckets: at the limit and one past it, refill, refund, and what goes when memory is full.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimiter } from "../../../src/mesh/beacons/rate-limiter.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

const ms = (value: number): MonoMs => value as MonoMs;

test("a bucket gives its burst and not one more, then one per refill", () => {
  const limiter = new RateLimiter({ burst: 3, perSecond: 2, bucketsMax: 10 });
  const taken = [0, 0, 0, 0].map((at) => limiter.take("a", ms(at)));
  assert.deepEqual(taken, [true, true, true, false]);
  assert.equal(limiter.take("a", ms(499)), false);
  assert.equal(limiter.take("a", ms(500)), true);
  assert.equal(limiter.take("b", ms(500)), true);
});

test("asking takes nothing; an idle bucket fills up to its burst only", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 1, bucketsMax: 10 });
  for (let i = 0; i < 5; i++) assert.equal(limiter.has("a", ms(0)), true);
  assert.equal(limiter.take("a", ms(0)), true);
  assert.equal(limiter.has("a", ms(0)), false);
  assert.equal(limiter.take("a", ms(60_000)), true);
  assert.equal(limiter.take("a", ms(60_000)), false);
});

test("a refund gives one token back, never more than the burst", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0, bucketsMax: 10 });
  assert.equal(limiter.take("a", ms(0)), true);
  limiter.refund("a");
  limiter.refund("a");
  assert.equal(limiter.take("a", ms(0)), true);
  assert.equal(limiter.take("a", ms(0)), false);
  limiter.refund("unknown");
  assert.equal(limiter.size, 1);
});

test("at its limit of buckets the longest unused one goes", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0, bucketsMax: 2 });
  limiter.take("a", ms(0));
  limiter.take("b", ms(0));
  limiter.has("a", ms(10_000));
  limiter.take("c", ms(10_000));
  assert.equal(limiter.size, 2);
  assert.equal(limiter.has("a", ms(10_000)), false, "used later than b, so kept empty");
  assert.equal(limiter.has("b", ms(10_000)), true, "forgotten, so full again");
});

test("uses less than ten seconds apart count as one: the order stays that of the first", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 0, bucketsMax: 2 });
  limiter.take("a", ms(0));
  limiter.take("b", ms(0));
  limiter.has("a", ms(9_999));
  limiter.take("c", ms(9_999));
  assert.equal(limiter.has("b", ms(9_999)), false, "kept empty");
});

test("asking makes no bucket; those that are full again go before as many new ones have come", () => {
  const limiter = new RateLimiter({ burst: 2, perSecond: 1, bucketsMax: 1_000 });
  for (let key = 0; key < 500; key++) assert.equal(limiter.has(`asked ${key}`, ms(0)), true);
  assert.equal(limiter.size, 0);
  for (let key = 0; key < 63; key++) limiter.take(`early ${key}`, ms(0));
  limiter.take("empty", ms(999));
  limiter.take("empty", ms(999));
  limiter.take("late", ms(1_000));
  assert.equal(limiter.size, 2);
  assert.equal(limiter.has("empty", ms(1_000)), false, "what is not full is kept");
  assert.equal(limiter.has("early 0", ms(1_000)), true);
});

test("at the limit of buckets, too, those that are full again go", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 1, bucketsMax: 100 });
  for (let key = 0; key < 300; key++) limiter.take(`early ${key}`, ms(0));
  assert.equal(limiter.size, 100);
  const sizes = Array.from({ length: 100 }, (_, key) => {
    limiter.take(`late ${key}`, ms(2_000));
    return limiter.size;
  });
  assert.ok(Math.min(...sizes) < 100, sizes.join());
});

test("a clock that seems to go back gives nothing", () => {
  const limiter = new RateLimiter({ burst: 1, perSecond: 1, bucketsMax: 2 });
  limiter.take("a", ms(5000));
  assert.equal(limiter.take("a", ms(1000)), false);
});
