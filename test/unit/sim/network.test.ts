// Links: latency, loss, duplication, order, bandwidth, partitions and limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import { LinkTable } from "../../../src/sim/links.ts";
import { LOST, Network, type NetworkOptions } from "../../../src/sim/network.ts";
import { SeededRandom } from "../../../src/sim/random.ts";

const CALM: Partial<NetworkOptions> = { jitterMs: 0, tailRatio: 0, bytesPerMs: Infinity };

const NODES = 4;

/** A network with links of its own. */
class TestNetwork extends Network {
  readonly links: LinkTable;

  constructor(options: Partial<NetworkOptions>, seed: number) {
    const links = new LinkTable(NODES);
    super(links, NODES, SeededRandom.fromSeed(seed), { ...CALM, ...options });
    this.links = links;
  }
}

function network(options: Partial<NetworkOptions> = {}, seed = 1): TestNetwork {
  return new TestNetwork(options, seed);
}

function arrivals(
  net: TestNetwork,
  from: number,
  to: number,
  count: number,
  sizeBytes = 100,
): number[] {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    times.push(net.transmit(net.links.ensure(from, to), sizeBytes, 0), net.copyAtMs);
  }
  return times.filter((atMs) => atMs !== LOST);
}

test("a pair keeps one latency both ways, within the range", () => {
  const net = network({ latencyMinMs: 10, latencyMaxMs: 20 });
  assert.equal(net.latencyMs(0, 1), net.latencyMs(1, 0));
  assert.ok(net.latencyMs(0, 1) >= 10 && net.latencyMs(0, 1) < 20);
  assert.notEqual(net.latencyMs(0, 1), net.latencyMs(0, 2));
  assert.deepEqual(arrivals(net, 0, 1, 1), [net.latencyMs(0, 1)]);
});

test("latencies depend on seed and pair, not on which pair is used first", () => {
  const [one, other] = [network(), network()];
  for (let a = 0; a < NODES; a++) one.links.ensure(a, (a + 1) % NODES);
  arrivals(one, 2, 3, 1);
  assert.equal(one.latencyMs(0, 1), other.latencyMs(0, 1));
  assert.deepEqual(arrivals(other, 0, 1, 1), [one.latencyMs(0, 1)]);
  assert.notEqual(network({}, 2).latencyMs(0, 1), one.latencyMs(0, 1));
});

test("a new latency range moves every pair, each to the same place in it", () => {
  const net = network({ latencyMinMs: 0, latencyMaxMs: 10 });
  const before = net.latencyMs(0, 1);
  net.configure({ latencyMinMs: 100, latencyMaxMs: 200 });
  assert.ok(Math.abs(net.latencyMs(0, 1) - (100 + 10 * before)) < 1e-9);
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
  assert.equal(net.landed(net.links.ensure(0, 1)), true);
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

test("one block is lifted and the others stand", () => {
  const net = network();
  const oneWay = net.block([0], [1]);
  const cut = net.partition([[0], [1]]);
  net.lift(oneWay);
  net.lift(oneWay);
  assert.deepEqual([net.isBlocked(0, 1), net.isBlocked(1, 0)], [true, true]);
  assert.equal(arrivals(net, 0, 1, 1).length, 0);
  net.lift(cut);
  assert.equal(net.isPartitioned, false);
  assert.equal(arrivals(net, 0, 1, 1).length, 1);
});

test("a block that appears while a message flies takes it", () => {
  const net = network();
  assert.equal(arrivals(net, 0, 1, 1).length, 1);
  net.block([0], [1]);
  assert.equal(net.landed(net.links.ensure(0, 1)), false);
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
