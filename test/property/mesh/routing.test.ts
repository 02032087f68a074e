// Paths against brute force on small graphs; next hops that are held lead to no loop.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NeighbourReport, ShortestPaths, Topology } from "../../../src/mesh/index.ts";
import { disjointPaths } from "../../../src/mesh/routing/disjoint-paths.ts";
import { NextHops } from "../../../src/mesh/routing/next-hops.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { costMatrix, type Drawn, drawn, id, setAll, shortestCosts, simplePaths } from "./graphs.ts";

const seed = 20_260_102;

test("costs equal brute force, paths add up, and the cost to go falls along the next hops", () => {
  fc.assert(
    fc.property(drawn(9, 20), (drawing) => {
      const topology = setAll(new Topology(), drawing);
      const expected = shortestCosts(drawing);
      const paths = new ShortestPaths();
      for (let source = 0; source < drawing.nodes; source++) {
        paths.run(topology, topology.slot(id(source)));
        for (let target = 0; target < drawing.nodes; target++) {
          const slot = topology.slot(id(target));
          const cost = expected[source]![target]!;
          if (cost === Number.POSITIVE_INFINITY) {
            assert.equal(paths.path(slot), undefined);
            assert.equal(paths.nextHop(slot), -1);
            continue;
          }
          assert.ok(Math.abs(paths.cost(slot) - cost) < 1e-6);
          const path = paths.path(slot);
          assert.ok(path !== undefined);
          assert.equal(path.nodes[0], topology.slot(id(source)));
          assert.equal(path.nodes.at(-1), slot);
          assert.equal(path.nodes.length - 1, paths.hops(slot));
          if (target === source) continue;
          const hop = paths.nextHop(slot);
          assert.equal(path.nodes[1], hop);
          const number = numberOf(topology, drawing)(hop);
          assert.ok(expected[number]![target]! < cost);
        }
      }
    }),
    { seed, numRuns: 150 },
  );
});

test("a path that avoids a node does so, and costs what it costs without that node", () => {
  fc.assert(
    fc.property(drawn(8, 16), (drawing) => {
      const topology = setAll(new Topology(), drawing);
      const avoided = drawing.nodes - 1;
      const links = drawing.links.filter(({ a, b }) => a !== avoided && b !== avoided);
      const expected = shortestCosts({ ...drawing, links });
      const paths = new ShortestPaths();
      paths.run(topology, topology.slot(id(0)), topology.slot(id(avoided)));
      for (let target = 0; target < avoided; target++) {
        const cost = paths.cost(topology.slot(id(target)));
        assert.ok(cost === expected[0]![target] || Math.abs(cost - expected[0]![target]!) < 1e-6);
      }
    }),
    { seed, numRuns: 150 },
  );
});

/** The number of the node in a slot. */
function numberOf(topology: Topology, { nodes }: Drawn): (slot: number) => number {
  const numbers = new Map(
    Array.from({ length: nodes }, (_, number) => [topology.slot(id(number)), number]),
  );
  return (slot) => numbers.get(slot) ?? assert.fail(`no node in slot ${slot}`);
}

/** The least total cost of `count` paths without a common inner node; undefined when there are not so many. */
function leastDisjoint(
  paths: readonly { readonly nodes: readonly number[]; readonly cost: number }[],
  count: number,
): number | undefined {
  let least: number | undefined;
  const choose = (from: number, taken: ReadonlySet<number>, sum: number, left: number): void => {
    if (left === 0) {
      least = Math.min(least ?? Number.POSITIVE_INFINITY, sum);
      return;
    }
    for (let i = from; i < paths.length; i++) {
      const inner = paths[i]!.nodes.slice(1, -1);
      if (inner.some((node) => taken.has(node))) continue;
      choose(i + 1, new Set([...taken, ...inner]), sum + paths[i]!.cost, left - 1);
    }
  };
  choose(0, new Set(), 0, count);
  return least;
}

test("disjoint paths are as many and as cheap as brute force finds", () => {
  let many = 0;
  fc.assert(
    fc.property(drawn(7, 14), fc.integer({ min: 1, max: 4 }), (drawing, count) => {
      const topology = setAll(new Topology(), drawing);
      const [from, to] = [0, drawing.nodes - 1];
      const slot = (number: number): number => topology.slot(id(number));
      const found = disjointPaths(topology, slot(from), slot(to), count);
      const all = simplePaths(costMatrix(drawing), from, to);
      let expected = 0;
      while (expected < count && leastDisjoint(all, expected + 1) !== undefined) expected++;
      assert.equal(found.length, expected);
      if (expected >= 2) many++;
      const sum = found.reduce((total, { cost }) => total + cost, 0);
      assert.ok(Math.abs(sum - (leastDisjoint(all, expected) ?? 0)) < 1e-6, `${sum}`);
      const inner = found.flatMap(({ nodes }) => nodes.slice(1, -1));
      assert.equal(new Set(inner).size, inner.length);
      for (const { nodes, cost } of found) {
        assert.equal(nodes[0], slot(from));
        assert.equal(nodes.at(-1), slot(to));
        const steps = nodes.slice(1).map((node, i) => topology.edge(nodes[i]!, node)!.cost);
        assert.ok(Math.abs(steps.reduce((total, step) => total + step, 0) - cost) < 1e-6);
      }
    }),
    { seed, numRuns: 500 },
  );
  assert.ok(many > 50, `only ${many} graphs had two disjoint paths or more`);
});

test("two disjoint paths are found where taking the shortest first leaves none (Suurballe's trap)", () => {
  // 0-1-2-3-4 is the shortest; without its nodes nothing is left, but 0-1-4 and 0-3-4 exist: two links are taken back.
  const link = (a: number, b: number, rttMs: number) => ({ a, b, rttMs, loss: 0 });
  const chain = [link(0, 1, 0), link(1, 2, 0), link(2, 3, 0), link(3, 4, 0)];
  const detours = [link(0, 3, 500), link(1, 4, 500)].map((one) => ({ ...one, loss: 0.5 }));
  const topology = setAll(new Topology(), { nodes: 5, links: [...chain, ...detours] });
  const slot = (number: number): number => topology.slot(id(number));
  const [first] = disjointPaths(topology, slot(0), slot(4), 1);
  assert.deepEqual(first?.nodes, [0, 1, 2, 3, 4].map(slot));
  const both = disjointPaths(topology, slot(0), slot(4), 2).map(({ nodes }) => nodes);
  assert.deepEqual(
    new Set(both.map(String)),
    new Set(
      [
        [0, 1, 4],
        [0, 3, 4],
      ].map((path) => String(path.map(slot))),
    ),
  );
});

test("whatever each node holds, following the next hops of all of them ends at the target", () => {
  const step = fc.record({ drawing: drawn(7, 16), waitMs: fc.constantFrom(0, 4_000, 11_000) });
  let held = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 8 }), (history) => {
      // The last graph's nodes have been there all the time, each with its own memory of what it held.
      const nodes = Math.max(...history.map(({ drawing }) => drawing.nodes));
      const topologies = Array.from({ length: nodes }, () => new Topology());
      const tables = topologies.map((topology, node) => new NextHops(topology, id(node)));
      let nowMs = 0;
      for (const { drawing, waitMs } of history) {
        nowMs += waitMs;
        const graph = { ...drawing, nodes };
        const costs = shortestCosts(graph);
        for (const [node, topology] of topologies.entries()) {
          setAll(topology, graph, node);
          tables[node]!.update(nowMs as MonoMs);
        }
        for (let target = 0; target < nodes; target++) {
          for (let node = 0; node < nodes; node++)
            held += walk(node, target, topologies, tables, costs);
        }
      }
    }),
    { seed, numRuns: 150 },
  );
  assert.ok(held > 100, `only ${held} next hops were held against a better path`);
});

/** Goes hop by hop, each decided by the node it is at; gives how many hops were not the best ones. */
function walk(
  from: number,
  target: number,
  topologies: readonly Topology[],
  tables: readonly NextHops[],
  costs: readonly (readonly number[])[],
): number {
  const reachable = costs[from]![target] !== Number.POSITIVE_INFINITY;
  let held = 0;
  for (let node = from; node !== target; ) {
    const path = tables[node]!.path(id(target));
    assert.equal(path !== undefined, reachable);
    if (path === undefined) return held;
    const hop = topologies[node]!.id(path.nodes[1]!);
    const next = topologies.findIndex((_, number) => id(number) === hop);
    assert.ok(costs[next]![target]! < costs[node]![target]! - 1e-9, "the cost to go did not fall");
    if (path.cost > costs[node]![target]! + 1e-6) held++;
    node = next;
  }
  return held;
}

const report = (node: number, suspect = false): NeighbourReport => ({
  ...{ nodeId: id(node), rttMs: 1, lossRatio: 0, suspect },
});

test("an edge needs the word of both ends, and neither may suspect the other", () => {
  const topology = new Topology();
  topology.setNode(id(1), [report(2)]);
  topology.setNode(id(2), []);
  assert.equal(topology.links, 0);
  topology.setNode(id(2), [report(1)]);
  assert.equal(topology.links, 1);
  topology.setNode(id(2), [report(1, true)]);
  assert.equal(topology.links, 0);
});

test("the own node's word alone makes an edge, and its silence alone unmakes one", () => {
  const topology = new Topology();
  topology.setNode(id(1), [report(2)], true);
  topology.setNode(id(2), []);
  topology.setNode(id(3), [report(1)]);
  const slot = (node: number): number => topology.slot(id(node));
  assert.ok(topology.edge(slot(1), slot(2)) !== undefined);
  assert.equal(topology.edge(slot(1), slot(3)), undefined);
  assert.equal(topology.edge(slot(3), slot(1)), undefined);
});
