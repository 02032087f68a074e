// The topology is changed in place: after any history it must say what a reading of all rows from the start would say.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../../src/identity/index.ts";
import { linkCost, type NeighbourReport, Topology } from "../../../src/mesh/index.ts";
import { id } from "./graphs.ts";

const seed = 20_260_102;
const NODES = 7;

type Change =
  | { kind: "set"; node: number; own: boolean; reports: readonly NeighbourReport[] }
  | { kind: "remove"; node: number };

const node = fc.integer({ min: 0, max: NODES - 1 });
const reports = fc
  .uniqueArray(
    fc.record({
      // Two more than there ever are: neighbours that nobody knows.
      nodeId: fc.integer({ min: 0, max: NODES + 1 }).map(id),
      rttMs: fc.constantFrom(0, 20, 200),
      lossRatio: fc.constantFrom(0, 0, 0.5, 0.9),
      suspect: fc.constantFrom(false, false, false, true),
    }),
    { maxLength: NODES, selector: ({ nodeId }) => nodeId },
  )
  .map((rows) => rows.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)));
// Node 0 is the own one in half of its rows: whether a row is believed alone may change, too.
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), node, own: fc.boolean(), reports }),
  fc.record({ kind: fc.constant("set" as const), node, own: fc.boolean(), reports }),
  fc.record({ kind: fc.constant("remove" as const), node }),
);

/** The rules, read off the rows. */
class Model {
  readonly rows = new Map<NodeId, { reports: readonly NeighbourReport[]; own: boolean }>();

  cost(from: NodeId, to: NodeId): number {
    const none = Number.POSITIVE_INFINITY;
    const [a, b] = [this.rows.get(from), this.rows.get(to)];
    if (a === undefined || b === undefined || from === to) return none;
    const forth = a.reports.find(({ nodeId }) => nodeId === to);
    const back = b.reports.find(({ nodeId }) => nodeId === from);
    if (forth === undefined || (back === undefined && !a.own)) return none;
    if (forth.suspect || back?.suspect === true) return none;
    const rttMs = Math.max(forth.rttMs, back?.rttMs ?? 0);
    return linkCost(rttMs, forth.lossRatio, back?.lossRatio ?? 0);
  }
}

test("after any history of changes the edges are those that the rows of the moment imply", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (history) => {
      const topology = new Topology();
      const model = new Model();
      for (const step of history) {
        const nodeId = id(step.node);
        if (step.kind === "remove") {
          topology.removeNode(nodeId);
          model.rows.delete(nodeId);
        } else {
          const own = step.own && step.node === 0;
          topology.setNode(nodeId, step.reports, own);
          model.rows.set(nodeId, { reports: step.reports, own });
        }
        check(topology, model);
      }
    }),
    { seed, numRuns: 400 },
  );
});

function check(topology: Topology, model: Model): void {
  assert.equal(topology.size, model.rows.size);
  let entries = 0;
  for (let a = 0; a < NODES + 2; a++) {
    const from = topology.slot(id(a));
    assert.equal(from >= 0, model.rows.has(id(a)));
    for (let b = 0; b < NODES + 2; b++) {
      const edge = topology.edge(from, topology.slot(id(b)));
      const cost = edge?.cost ?? Number.POSITIVE_INFINITY;
      assert.ok(
        Math.abs(cost - model.cost(id(a), id(b))) < 1e-9 || cost === model.cost(id(a), id(b)),
      );
      if (edge !== undefined) entries++;
    }
  }
  assert.equal(topology.links, Math.ceil(entries / 2));
}

test("the version rises with every change of an edge, and with nothing else", () => {
  const topology = new Topology();
  const row = (rttMs: number) => [{ nodeId: id(2), rttMs, lossRatio: 0, suspect: false }];
  topology.setNode(id(1), row(20), true);
  topology.setNode(id(2), []);
  const { version } = topology;
  topology.setNode(id(1), row(20), true);
  topology.setNode(id(2), []);
  assert.equal(topology.version, version);
  // Below 10 ms a round trip costs nothing, so neither does its change.
  topology.setNode(id(1), row(21), true);
  assert.ok(topology.version > version);
  topology.setNode(id(1), row(5), true);
  const low = topology.version;
  topology.setNode(id(1), row(6), true);
  assert.equal(topology.version, low);
});

test("nodes that come and go leave no slot and no row behind", () => {
  const topology = new Topology();
  const far = (n: number): NodeId => n.toString(16).padStart(64, "0") as NodeId;
  const row = (n: number) =>
    [n - 1, n + 1, n + 2].map((other) => ({
      ...{ nodeId: far(other), rttMs: 1, lossRatio: 0, suspect: false },
    }));
  for (let n = 1; n <= 20; n++) topology.setNode(far(n), row(n));
  const { slots } = topology;
  const room = topology.targets.length;
  for (let n = 21; n <= 5_000; n++) {
    topology.removeNode(far(n - 20));
    topology.setNode(far(n), row(n));
  }
  assert.ok(topology.slots <= slots + 4, `${topology.slots} slots after ${slots}`);
  assert.equal(topology.targets.length, room);
});
