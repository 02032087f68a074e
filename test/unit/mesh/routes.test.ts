// Routes of a machine: what it holds against a better path and for how long, whom it routes around at once, whom it asks to relay.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import { HYSTERESIS_HOLD_MS } from "../../../src/mesh/links/hysteresis.ts";
import { linkCost, type NeighbourReport, Topology } from "../../../src/mesh/index.ts";
import { Roster } from "../../../src/mesh/membership/roster.ts";
import { meshDefaults } from "../../../src/mesh/options.ts";
import { RELAY_REPUTATION_MIN } from "../../../src/mesh/routing/relays.ts";
import { RouteTable } from "../../../src/mesh/routing/route-table.ts";
import { RELAYS_MAX } from "../../../src/mesh/routing/route-types.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { at, Bench, beaconOf, MemoryMeter, signedBeacon, testNode } from "./fixture.ts";

const ms = (value: number): MonoMs => value as MonoMs;
const id = (number: number): NodeId => testNode(number).nodeId;

/** A route table of node 0 over a roster that the test writes by hand. */
class Table {
  readonly meter = new MemoryMeter();
  readonly roster = new Roster(meshDefaults, this.meter, () => undefined);
  readonly reputations = new Map<NodeId, number>();
  own: NeighbourReport[] = [];
  readonly routes = new RouteTable({
    ...{ roster: this.roster, meter: this.meter, self: id(0), ownNeighbours: () => this.own },
    reputation: (nodeId) => this.reputations.get(nodeId) ?? 0,
  });
  #sequence = 0;

  /** A member's newest beacon: whom it reports with which round trip. */
  says(number: number, links: Readonly<Record<number, number>>): void {
    const member = this.roster.admit(id(number), ms(0), "beacon");
    const beacon = beaconOf(testNode(number), {
      sequence: ++this.#sequence,
      neighbours: reports(links),
    });
    member.accepted = [{ beacon, bytes: new Uint8Array(), digest: "" }];
    this.roster.apply(member, "heartbeat", ms(0));
    this.roster.version++;
  }

  /** The own links. */
  sees(links: Readonly<Record<number, number>>): void {
    this.own = reports(links);
    this.roster.version++;
  }

  hop(target: number, nowMs: number): NodeId | undefined {
    return this.routes.routes(ms(nowMs)).find((route) => route.target === id(target))?.nextHop;
  }
}

function reports(links: Readonly<Record<number, number>>): NeighbourReport[] {
  return Object.entries(links)
    .map(([number, rttMs]) => ({
      ...{ nodeId: id(Number(number)), rttMs, lossRatio: 0, suspect: false },
    }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

/** 0 is linked with 1 and 2, both of them with 3; by way of 1 it is as long as `rttMs` says. */
function diamond(rttMs: number): Table {
  const table = new Table();
  table.sees({ 1: 0, 2: 0 });
  table.says(1, { 0: 0, 3: rttMs });
  table.says(2, { 0: 0, 3: 40 });
  table.says(3, { 1: rttMs, 2: 40 });
  return table;
}

describe("the next hop", () => {
  /** The round trip with which a path over the second link costs this share of 232.9, the path by way of 2. */
  const inUse = linkCost(0, 0, 0) + linkCost(40, 0, 0);
  const rttFor = (share: number): number =>
    10 + ((inUse * share - 2 * linkCost(0, 0, 0)) * 110) / 150;

  /** A diamond whose way by 2 was in use before the one by 1 became `share` of its cost. */
  function improved(share: number): Table {
    const table = diamond(100);
    assert.equal(table.hop(3, 0), id(2));
    const rttMs = rttFor(share);
    table.says(1, { 0: 0, 3: rttMs });
    table.says(3, { 1: rttMs, 2: 40 });
    return table;
  }

  test("changes when another path has been better by a tenth for two half-times", () => {
    const table = improved(0.899);
    assert.equal(table.hop(3, 1_000), id(2));
    assert.equal(table.routes.route(id(3), ms(1_000))?.betterForMs, 0);
    assert.equal(table.hop(3, 1_000 + HYSTERESIS_HOLD_MS - 1), id(2));
    assert.equal(table.hop(3, 1_000 + HYSTERESIS_HOLD_MS), id(1));
    assert.equal(table.routes.route(id(3), ms(20_000))?.betterForMs, undefined);
  });

  test("stays with a path that is less than a tenth worse, for ever", () => {
    const table = improved(0.901);
    for (let nowMs = 0; nowMs < 100_000; nowMs += 5_000) assert.equal(table.hop(3, nowMs), id(2));
  });

  test("waits anew when the better path was no better in between", () => {
    const table = improved(0.85);
    table.hop(3, 0);
    table.says(3, { 1: 100, 2: 40 });
    table.hop(3, 9_000);
    table.says(3, { 1: rttFor(0.85), 2: 40 });
    table.hop(3, 10_000);
    assert.equal(table.hop(3, 10_000 + HYSTERESIS_HOLD_MS - 1), id(2));
    assert.equal(table.hop(3, 10_000 + HYSTERESIS_HOLD_MS), id(1));
  });

  test("is looked at with the detector's ticks, too, so that nobody has to ask for the time to pass", () => {
    const table = improved(0.85);
    table.routes.tick(ms(6_000));
    assert.equal(table.hop(3, 6_000 + HYSTERESIS_HOLD_MS), id(1));
  });

  test("changes at once when the link, the neighbour or the path beyond it is gone", () => {
    const gone: readonly ((table: Table) => void)[] = [
      (table) => table.sees({ 1: 0 }),
      (table) => table.says(2, { 0: 0 }),
      (table) => {
        const member = table.roster.get(id(2));
        assert.ok(member !== undefined && table.roster.apply(member, "probe-failed", ms(0)));
        assert.equal(member.state, "suspect");
      },
    ];
    for (const happens of gone) {
      const table = diamond(100);
      assert.equal(table.hop(3, 0), id(2));
      happens(table);
      assert.equal(table.hop(3, 1), id(1));
    }
  });

  test("is computed anew only after the topology has changed", () => {
    const table = diamond(100);
    const computed = (): number => table.meter.value("meshd_mesh_route_computations_total");
    table.hop(3, 0);
    assert.equal(computed(), 1);
    table.says(2, { 0: 0, 3: 40 });
    table.hop(3, 1);
    assert.equal(computed(), 1, "a beacon that says the same");
    table.says(2, { 0: 0, 3: 50 });
    table.hop(3, 2);
    assert.equal(computed(), 2);
    assert.equal(table.meter.value("meshd_mesh_topology_links"), 4);
  });
});

describe("a route", () => {
  test("is told link by link, with the other ways and what they cost", () => {
    const table = diamond(100);
    const route = table.routes.route(id(3), ms(0));
    assert.deepEqual(
      route?.path.hops.map(({ from, to, rttMs }) => [from, to, rttMs]),
      [
        [id(0), id(2), 0],
        [id(2), id(3), 40],
      ],
    );
    assert.equal(route.alternatives.length, 1);
    assert.equal(route.alternatives[0]?.hops[0]?.to, id(1));
    assert.ok(route.alternatives.every(({ cost }) => cost > route.path.cost));
    const disjoint = table.routes.disjointRoutes(id(3), 5, ms(0));
    assert.deepEqual(
      disjoint.map(({ hops }) => hops[0]?.to),
      [id(2), id(1)],
    );
  });

  test("leads neither to nobody nor to this node", () => {
    const table = diamond(100);
    for (const target of [id(0), id(9)]) {
      assert.equal(table.routes.route(target, ms(0)), undefined);
      assert.deepEqual(table.routes.disjointRoutes(target, 3, ms(0)), []);
      assert.deepEqual(table.routes.relaysFor(target, ms(0)), []);
    }
  });
});

describe("relays", () => {
  const relays = (table: Table, target = 3): (readonly [NodeId, boolean])[] =>
    table.routes.relaysFor(id(target), ms(0)).map((relay) => [relay.nodeId, relay.connected]);

  test("are those connected to both ends, by the cost of the way over them", () => {
    assert.deepEqual(relays(diamond(100)), [
      [id(2), true],
      [id(1), true],
    ]);
  });

  test("are not the suspected, the ill-reputed, those barred by policy, and those who only say so themselves", () => {
    const table = diamond(100);
    table.reputations.set(id(2), RELAY_REPUTATION_MIN);
    assert.equal(relays(table).length, 2);
    table.reputations.set(id(2), RELAY_REPUTATION_MIN - 0.1);
    assert.deepEqual(relays(table), [[id(1), true]]);
    const one = table.roster.get(id(1));
    assert.ok(one !== undefined);
    one.barred = true;
    assert.deepEqual(relays(table), []);
    one.barred = false;
    table.roster.apply(one, "probe-failed", ms(0));
    assert.deepEqual(relays(table), []);
    // 4 claims a link to 3, of which 3 says nothing.
    table.sees({ 1: 0, 2: 0, 4: 0 });
    table.says(4, { 0: 0, 3: 0 });
    assert.deepEqual(relays(table), []);
  });

  test("are in a longer mesh the node before the target, which has to be connected to first", () => {
    const table = new Table();
    table.sees({ 1: 0 });
    table.says(1, { 0: 0, 2: 0 });
    table.says(2, { 1: 0, 3: 0 });
    table.says(3, { 2: 0 });
    assert.deepEqual(relays(table), [[id(2), false]]);
  });

  test("are eight at most", () => {
    const table = new Table();
    const many = Object.fromEntries(Array.from({ length: RELAYS_MAX + 1 }, (_, i) => [10 + i, 0]));
    table.sees(many);
    for (const number of Object.keys(many)) table.says(Number(number), { 0: 0, 3: 0 });
    table.says(3, many);
    assert.equal(relays(table).length, RELAYS_MAX);
  });
});

test("the own links show both directions: the probes of this node, and what the neighbour's beacon says", () => {
  const bench = new Bench();
  bench.know(1);
  bench.start();
  bench.connect(1, 0);
  const { nodeId } = testNode(1);
  bench.machine.handle({ kind: "rtt", nodeId, rttMs: 20 }, at(1));
  bench.machine.handle({ kind: "probe-failed", nodeId }, at(2));
  const link = () => bench.machine.links()[0] ?? assert.fail("no link");
  assert.equal(link().lossBackward, undefined);
  assert.equal(link().etx, 1 / (1 - 1 / 8));
  const neighbours = [{ nodeId: bench.self.nodeId, rttMs: 30, lossRatio: 0.5, suspect: false }];
  bench.machine.receive(signedBeacon(testNode(1), { neighbours }), nodeId, at(3));
  const { rttMs, jitterMs, lossForward, lossBackward, etx, cost, published } = link();
  assert.deepEqual(
    [rttMs, jitterMs, lossForward, lossBackward, published.rttMs],
    [20, 10, 1 / 8, 0.5, 20],
  );
  assert.equal(etx, 1 / ((1 - 1 / 8) * 0.5));
  assert.equal(cost, linkCost(20, 1 / 8, 0.5));
  bench.disconnect(1, 4);
  assert.deepEqual(bench.machine.links(), []);
});

test("a liar's row makes it nobody's neighbour", () => {
  const topology = new Topology();
  topology.setNode(id(0), reports({ 1: 0 }), true);
  topology.setNode(id(1), reports({ 0: 0, 2: 0 }));
  topology.setNode(id(2), reports({ 1: 0 }));
  const { links } = topology;
  topology.setNode(id(7), reports({ 0: 0, 1: 0, 2: 0 }));
  assert.equal(topology.links, links);
});
