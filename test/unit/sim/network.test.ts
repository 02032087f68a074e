// Links: latency, loss, duplication, order, bandwidth, partitions and limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import { Network, type NetworkOptions } from "../../../src/sim/network.ts";
import { SeededRandom } from "../../../src/sim/random.ts";

const CALM: Partial<NetworkOptions> = { jitterMs: 0, tailRatio: 0, bytesPerMs: Infinity };

function network(options: Partial<NetworkOptions> = {}): Network {
  return new Network(4, SeededRandom.fromSeed(1), { ...CALM, ...options });
}

function arrivals(
  net: Network,
  from: number,
  to: number,
  count: number,
  sizeBytes = 100,
): number[] {
  const times: number[] = [];
  for (let i = 0; i < count; i++) net.transmit(from, to, sizeBytes, 0, (atMs) => times.push(atMs));
  return times;
}

test("a pair keeps one latency both ways, within the range", () => {
  const net = network({ latencyMinMs: 10, latencyMaxMs: 20 });
  assert.equal(net.latencyMs(0, 1), net.latencyMs(1, 0));
  assert.ok(net.latencyMs(0, 1) >= 10 && net.latencyMs(0, 1) < 20);
  assert.notEqual(net.latencyMs(0, 1), net.latencyMs(0, 2));
  assert.deepEqual(arrivals(net, 0, 1, 1), [net.latencyMs(0, 1)]);
});

test("loss takes its share, and 0 and 1 are exact", () => {
  assert.equal(arrivals(network({ lossRatio: 0 }), 0, 1, 500).length, 500);
  assert.equal(arrivals(network({ lossRatio: 1 }), 0, 1, 500).length, 0);
  const got = arrivals(network({ lossRatio: 0.1 }), 0, 1, 2000).length;
  assert.ok(got > 1740 && got < 1860, `${got} of 2000`);
});

test("duplication brings a message twice", () => {
  const net = network({ duplicateRatio: 1 });
  assert.equal(arrivals(net, 0, 1, 5).length, 10);
  assert.equal(net.counts.duplicated, 5);
});

test("jitter above the gap between messages reorders them", () => {
  const times = arrivals(network({ jitterMs: 50 }), 0, 1, 20);
  assert.notDeepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
});

test("bandwidth makes messages wait for those before them", () => {
  const net = network({ bytesPerMs: 10 });
  const latencyMs = net.latencyMs(0, 1);
  assert.deepEqual(
    arrivals(net, 0, 1, 3),
    [10, 20, 30].map((ms) => ms + latencyMs),
  );
});

test("a link holds its limit in flight and drops one more until one lands", () => {
  const net = network({ inFlightMax: 2 });
  assert.equal(arrivals(net, 0, 1, 3).length, 2);
  assert.equal(net.counts.overflowed, 1);
  assert.equal(arrivals(net, 1, 0, 1).length, 1, "the other direction has its own room");
  assert.equal(net.landed(0, 1), true);
  assert.equal(arrivals(net, 0, 1, 2).length, 1);
});

test("a one-way block stops one way", () => {
  const net = network();
  net.block([0], [1, 2]);
  assert.equal(arrivals(net, 0, 1, 1).length, 0);
  assert.equal(arrivals(net, 1, 0, 1).length, 1);
  assert.equal(net.isOpen(0, 1), false);
  assert.equal(net.isOpen(0, 3), true);
});

test("a partition stops both ways between groups, and healing opens all", () => {
  const net = network();
  net.partition([[0, 1], [2]]);
  assert.deepEqual([net.isOpen(0, 1), net.isOpen(0, 2), net.isOpen(1, 2)], [true, false, false]);
  assert.equal(net.isOpen(3, 0) && net.isOpen(3, 2), true, "a node in no group reaches all");
  assert.equal(net.isPartitioned, true);
  net.heal();
  assert.equal(net.isPartitioned, false);
  assert.equal(arrivals(net, 0, 2, 1).length, 1);
});

test("a block that appears while a message flies takes it", () => {
  const net = network();
  assert.equal(arrivals(net, 0, 1, 1).length, 1);
  net.block([0], [1]);
  assert.equal(net.landed(0, 1), false);
  assert.equal(net.counts.arrived, 0);
});

test("options out of range are refused", () => {
  const bad = (error: unknown): boolean => isMeshError(error, "sim/bad-option");
  const cases: Partial<NetworkOptions>[] = [
    { lossRatio: 1.01 },
    { lossRatio: -0.01 },
    { duplicateRatio: Number.NaN },
    { latencyMinMs: 20, latencyMaxMs: 10 },
    { jitterMs: -1 },
    { bytesPerMs: 0 },
    { inFlightMax: 0 },
  ];
  for (const options of cases) assert.throws(() => network(options), bad, JSON.stringify(options));
  assert.throws(() => network().configure({ lossRatio: 2 }), bad);
});

test("corruption takes its share of what lands, and none without", () => {
  const of = (corruptRatio: number): number => {
    const net = network({ corruptRatio });
    return Array.from({ length: 2000 }, () => net.isCorrupted()).filter(Boolean).length;
  };
  assert.equal(of(0), 0);
  assert.equal(of(1), 2000);
  const got = of(0.1);
  assert.ok(got > 140 && got < 260, `${got} of 2000`);
});

test("extra latency is added to every message", () => {
  const net = network();
  const [before] = arrivals(net, 0, 1, 1);
  net.configure({ extraLatencyMs: 70 });
  assert.deepEqual(arrivals(net, 0, 1, 1), [before! + 70]);
});
