// Link metrics: RFC 6298 by hand-made numbers, the cost's clamps, and the hysteresis on both sides.

import assert from "node:assert/strict";
import { test } from "node:test";
import { etx, LINK_COST_BASE, linkCost, RTT_PENALTY_MAX } from "../../../src/mesh/links/cost.ts";
import { HYSTERESIS_HOLD_MS, LinkEstimate } from "../../../src/mesh/links/link-estimate.ts";
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

test("what is published moves only after a tenth of difference has lasted", () => {
  const link = new LinkEstimate();
  assert.equal(link.answered(10, ms(0)), true);
  assert.equal(link.answered(80, ms(1000)), false);
  for (let i = 2; i < 5; i++) assert.equal(link.answered(80, ms(i * 1000)), false);
  const sinceMs = [...Array(20).keys()].map((i) => 5000 + i * 1000);
  const movedAt = sinceMs.find((time) => link.answered(80, ms(time)));
  assert.ok(movedAt !== undefined && movedAt >= 1000 + HYSTERESIS_HOLD_MS);
  assert.ok(link.published.rttMs > 60);
});

test("a flicker that goes back in time is not published", () => {
  const link = new LinkEstimate();
  link.answered(10, ms(0));
  link.answered(80, ms(1000));
  for (let i = 2; i < 40; i++) assert.equal(link.answered(10, ms(i * 1000)), false);
  assert.equal(link.published.rttMs, 10);
});
