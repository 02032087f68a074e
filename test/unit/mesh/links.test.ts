// Link metrics: RFC 6298 by hand-made numbers, the cost's clamps, and the hysteresis on both sides.

import assert from "node:assert/strict";
import { test } from "node:test";
import { etx, LINK_COST_BASE, linkCost, RTT_PENALTY_MAX } from "../../../src/mesh/links/cost.ts";
import { HYSTERESIS_SAMPLES, isClearlyBetter } from "../../../src/mesh/links/hysteresis.ts";
import { LinkEstimate, SAMPLES_VALID_MS } from "../../../src/mesh/links/link-estimate.ts";
import { nextRtt, rttTimeoutMs } from "../../../src/mesh/links/rtt.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

const ms = (value: number): MonoMs => value as MonoMs;

test("the first round trip sets mean and half of it as deviation; the next ones are smoothed", () => {
  const first = nextRtt(undefined, 100);
  assert.deepEqual(first, { smoothedMs: 100, variationMs: 50 });
  assert.deepEqual(nextRtt(first, 180), { smoothedMs: 110, variationMs: 57.5 });
  assert.equal(rttTimeoutMs(first, 10, 1000), 300);
  assert.equal(rttTimeoutMs(first, 400, 1000), 400);
  assert.equal(rttTimeoutMs(first, 10, 200), 200);
  assert.equal(rttTimeoutMs({ smoothedMs: 5, variationMs: 0 }, 1, 1000), 6);
});

test("the delay's penalty is clamped at 10 and 120 ms", () => {
  assert.equal(linkCost(0, 0, 0), LINK_COST_BASE);
  assert.equal(linkCost(10, 0, 0), LINK_COST_BASE);
  assert.ok(linkCost(10.1, 0, 0) > LINK_COST_BASE);
  assert.ok(Math.abs(linkCost(65, 0, 0) - (LINK_COST_BASE + RTT_PENALTY_MAX / 2)) < 1e-9);
  assert.ok(Math.abs(linkCost(120, 0, 0) - (LINK_COST_BASE + RTT_PENALTY_MAX)) < 1e-9);
  assert.equal(linkCost(5000, 0, 0), LINK_COST_BASE + RTT_PENALTY_MAX);
});

test("loss multiplies the cost by the expected transmissions, up to where a link is no link", () => {
  assert.equal(etx(0, 0), 1);
  assert.equal(etx(0.5, 0.5), 4);
  assert.equal(etx(1, 0), Number.POSITIVE_INFINITY);
  assert.equal(linkCost(0, 0.5, 0.5), 4 * LINK_COST_BASE);
  assert.equal(linkCost(0, 0.75, 0.75), 16 * LINK_COST_BASE);
  assert.equal(linkCost(0, 0.76, 0.75), Number.POSITIVE_INFINITY);
});

test("loss rises with lost probes, falls with answers, and stays a ratio", () => {
  const link = new LinkEstimate();
  link.answered(10, ms(0));
  for (let i = 0; i < 100; i++) link.lost(ms(i));
  assert.ok(link.lossRatio > 0.99 && link.lossRatio <= 1);
  for (let i = 0; i < 100; i++) link.answered(10, ms(i));
  assert.ok(link.lossRatio < 0.01 && link.lossRatio >= 0);
  assert.equal(link.rttMs, 10);
});

test("better means by a tenth or more, and no link is never better", () => {
  assert.equal(isClearlyBetter(90, 100), true);
  assert.equal(isClearlyBetter(90.1, 100), false);
  assert.equal(isClearlyBetter(100, Number.POSITIVE_INFINITY), true);
  assert.equal(isClearlyBetter(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY), false);
});

test("two half-times are eleven samples: after them an outlier has lost three quarters of its weight", () => {
  assert.equal(HYSTERESIS_SAMPLES, 11);
  const link = new LinkEstimate();
  link.answered(0, ms(0));
  link.answered(80, ms(1));
  const outlier = link.rttMs ?? 0;
  for (let i = 0; i < HYSTERESIS_SAMPLES; i++) link.answered(0, ms(2 + i));
  assert.ok((link.rttMs ?? 0) < outlier / 4);
});

test("what is published moves with the eleventh sample that differs by a tenth, however far apart they are", () => {
  for (const apartMs of [100, 12_000]) {
    const link = new LinkEstimate();
    assert.equal(link.answered(10, ms(0)), true);
    for (let i = 1; i < HYSTERESIS_SAMPLES; i++) {
      assert.equal(link.answered(80, ms(i * apartMs)), false);
      assert.equal(link.differing, i);
    }
    assert.equal(link.published.rttMs, 10);
    assert.equal(link.answered(80, ms(HYSTERESIS_SAMPLES * apartMs)), true);
    assert.ok(Math.abs(link.published.rttMs - 80) < 20);
    assert.equal(link.differing, 0);
  }
});

test("a difference below a tenth is never published", () => {
  const link = new LinkEstimate();
  link.answered(10, ms(0));
  // 96 + 6.9 * 150/110 is 105.4, and a tenth above 96 is 105.6.
  for (let i = 1; i < 200; i++) assert.equal(link.answered(16.9, ms(i)), false);
  for (let i = 200; i < 200 + HYSTERESIS_SAMPLES - 1; i++)
    assert.equal(link.answered(18, ms(i)), false);
});

test("a flicker that goes back in time is not published", () => {
  const link = new LinkEstimate();
  link.answered(10, ms(0));
  link.answered(60, ms(1000));
  for (let i = 2; i < 40; i++) assert.equal(link.answered(10, ms(i * 1000)), false);
  assert.equal(link.published.rttMs, 10);
});

test("a lost link comes back slowly, too: an answer after a total loss is not believed at once", () => {
  const link = new LinkEstimate();
  link.answered(10, ms(0));
  for (let i = 1; i < 60; i++) link.lost(ms(i));
  assert.ok(link.published.lossRatio > 0.9);
  assert.equal(link.answered(10, ms(61)), false);
});

test("an estimate survives a reconnect for three minutes, and begins anew after them", () => {
  const link = new LinkEstimate();
  link.reconnected(ms(0));
  link.answered(30, ms(1000));
  link.lost(ms(1000));
  link.reconnected(ms(1000 + SAMPLES_VALID_MS - 1));
  assert.equal(link.rttMs, 30);
  assert.equal(link.lossRatio, 1 / 8);
  link.reconnected(ms(1000 + SAMPLES_VALID_MS));
  assert.equal(link.rttMs, undefined);
  assert.equal(link.lossRatio, 0);
  assert.equal(link.answered(90, ms(200_000)), true);
  assert.equal(link.published.rttMs, 90);
});
