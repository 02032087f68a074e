// Shortest paths against brute force on random graphs, and what the topology takes for an edge.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../../src/identity/index.ts";
import {
  type Graph,
  linkCost,
  type NeighbourReport,
  ShortestPaths,
  Topology,
} from "../../../src/mesh/index.ts";

const seed = 20_260_102;
const id = (n: number): NodeId => n.toString(16).padStart(64, "0") as NodeId;

interface Drawn {
  readonly nodes: number;
  readonly links: readonly { a: number; b: number; rttMs: number; loss: number }[];
}

const drawn: fc.Arbitrary<Drawn> = fc.integer({ min: 1, max: 9 }).chain((nodes) => {
  const node = fc.integer({ min: 0, max: nodes - 1 });
  const link = fc.record({
    ...{ a: node, b: node },
    rttMs: fc.integer({ min: 0, max: 200 }),
    loss: fc.constantFrom(0, 0, 0.1, 0.5),
  });
  return fc.record({
    nodes: fc.constant(nodes),
    links: fc.uniqueArray(link, { maxLength: 20, selector: ({ a, b }) => [a, b].sort().join() }),
  });
});

function graphOf({ nodes, links }: Drawn): Graph {
  const topology = new Topology();
  for (let node = 0; node < nodes; node++) {
    const reports: NeighbourReport[] = [];
    for (const { a, b, rttMs, loss } of links) {
      if (a === b || (a !== node && b !== node)) continue;
      const nodeId = id(a === node ? b : a);
      reports.push({ nodeId, rttMs, lossRatio: loss, suspect: false });
    }
    reports.sort((x, y) => (x.nodeId < y.nodeId ? -1 : 1));
    topology.setNode(id(node), reports);
  }
  return topology.graph();
}

/** Floyd and Warshall. */
function bruteForce({ nodes, links }: Drawn): number[][] {
  const cost = Array.from({ length: nodes }, (_, i) =>
    Array.from({ length: nodes }, (_, j) => (i === j ? 0 : Number.POSITIVE_INFINITY)),
  );
  for (const { a, b, rttMs, loss } of links) {
    if (a !== b) cost[a]![b] = cost[b]![a] = linkCost(rttMs, loss, loss);
  }
  for (let k = 0; k < nodes; k++) {
    for (let i = 0; i < nodes; i++) {
      for (let j = 0; j < nodes; j++) {
        cost[i]![j] = Math.min(cost[i]![j]!, cost[i]![k]! + cost[k]![j]!);
      }
    }
  }
  return cost;
}

test("costs equal brute force, paths add up, and the cost to go falls along the next hops", () => {
  fc.assert(
    fc.property(drawn, (drawing) => {
      const graph = graphOf(drawing);
      const expected = bruteForce(drawing);
      const paths = new ShortestPaths();
      for (let source = 0; source < drawing.nodes; source++) {
        paths.run(graph, source);
        for (let target = 0; target < drawing.nodes; target++) {
          const cost = expected[source]![target]!;
          if (cost === Number.POSITIVE_INFINITY) {
            assert.equal(paths.path(target), undefined);
            assert.equal(paths.nextHop(target), -1);
            continue;
          }
          assert.ok(Math.abs(paths.cost(target) - cost) < 1e-6);
          const path = paths.path(target);
          assert.ok(path !== undefined);
          assert.equal(path.nodes[0], source);
          assert.equal(path.nodes.at(-1), target);
          assert.equal(path.nodes.length - 1, paths.hops(target));
          if (target === source) continue;
          const hop = paths.nextHop(target);
          assert.equal(path.nodes[1], hop);
          assert.ok(expected[hop]![target]! < cost);
        }
      }
    }),
    { seed, numRuns: 150 },
  );
});

test("the graph does not depend on the order in which nodes were set", () => {
  fc.assert(
    fc.property(drawn, fc.array(fc.nat(), { minLength: 9, maxLength: 9 }), (drawing, keys) => {
      const graph = graphOf(drawing);
      const shuffled = new Topology();
      const order = Array.from({ length: drawing.nodes }, (_, i) => i).sort(
        (a, b) => keys[a]! - keys[b]!,
      );
      for (const node of order) {
        const reports: NeighbourReport[] = [];
        const end = graph.offsets[node + 1]!;
        for (let at = graph.offsets[node]!; at < end; at++) {
          const [rttMs, lossRatio] = [graph.rttMs[at]!, graph.lossRatio[at]!];
          reports.push({
            nodeId: graph.ids[graph.targets[at]!]!,
            rttMs,
            lossRatio,
            suspect: false,
          });
        }
        shuffled.setNode(id(node), reports);
      }
      assert.deepEqual(shuffled.graph(), graph);
    }),
    { seed, numRuns: 100 },
  );
});

const report = (node: number, suspect = false): NeighbourReport => ({
  ...{ nodeId: id(node), rttMs: 1, lossRatio: 0, suspect },
});

test("an edge needs the word of both ends, and neither may suspect the other", () => {
  const topology = new Topology();
  topology.setNode(id(1), [report(2)]);
  topology.setNode(id(2), []);
  assert.equal(topology.graph().targets.length, 0);
  topology.setNode(id(2), [report(1)]);
  assert.equal(topology.graph().targets.length, 2);
  topology.setNode(id(2), [report(1, true)]);
  assert.equal(topology.graph().targets.length, 0);
});

test("the own node's word alone makes an edge, and its silence alone unmakes one", () => {
  const topology = new Topology();
  topology.setNode(id(1), [report(2)], true);
  topology.setNode(id(2), []);
  topology.setNode(id(3), [report(1)]);
  const graph = topology.graph();
  assert.deepEqual([...graph.offsets], [0, 1, 2, 2]);
  assert.deepEqual([...graph.targets], [1, 0]);
});

test("a link to a node that is not in the topology is no link; a removed node takes its links along", () => {
  const topology = new Topology();
  topology.setNode(id(1), [report(2), report(9)], true);
  topology.setNode(id(2), [report(1)]);
  assert.equal(topology.graph().targets.length, 2);
  topology.removeNode(id(2));
  assert.equal(topology.graph().targets.length, 0);
});
