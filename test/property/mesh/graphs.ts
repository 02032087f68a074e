// Small graphs for the properties of topology and routing, and the slow and obvious answers to compare with.

import fc from "fast-check";
import type { NodeId } from "../../../src/identity/index.ts";
import { linkCost, type NeighbourReport, type Topology } from "../../../src/mesh/index.ts";

/** Ids do not ascend with the number. */
export const id = (n: number): NodeId =>
  ((n * 7) % 16).toString(16).padEnd(64, (n % 16).toString(16)) as NodeId;

export interface DrawnLink {
  readonly a: number;
  readonly b: number;
  readonly rttMs: number;
  readonly loss: number;
}

export interface Drawn {
  readonly nodes: number;
  readonly links: readonly DrawnLink[];
}

/** A graph of undirected links that both ends report alike. */
export function drawn(nodesMax: number, linksMax: number): fc.Arbitrary<Drawn> {
  return fc.integer({ min: 1, max: nodesMax }).chain((nodes) => {
    const node = fc.integer({ min: 0, max: nodes - 1 });
    const link = fc.record({
      ...{ a: node, b: node },
      rttMs: fc.integer({ min: 0, max: 200 }),
      loss: fc.constantFrom(0, 0, 0.1, 0.5),
    });
    return fc.record({
      nodes: fc.constant(nodes),
      links: fc
        .uniqueArray(link, { maxLength: linksMax, selector: ({ a, b }) => [a, b].sort().join() })
        .map((links) => links.filter(({ a, b }) => a !== b)),
    });
  });
}

export function reportsOf(node: number, links: readonly DrawnLink[]): NeighbourReport[] {
  return links
    .filter(({ a, b }) => a === node || b === node)
    .map(({ a, b, rttMs, loss }) => ({
      ...{ nodeId: id(a === node ? b : a), rttMs, lossRatio: loss, suspect: false },
    }))
    .sort((x, y) => (x.nodeId < y.nodeId ? -1 : 1));
}

/** Brings a topology to a drawing, by as many changes as there are nodes. */
export function setAll(topology: Topology, { nodes, links }: Drawn, own?: number): Topology {
  for (let node = 0; node < nodes; node++) {
    topology.setNode(id(node), reportsOf(node, links), node === own);
  }
  return topology;
}

/** The costs of the drawing's links, by both ends. */
export function costMatrix({ nodes, links }: Drawn): number[][] {
  const cost = Array.from({ length: nodes }, () =>
    Array.from({ length: nodes }, () => Number.POSITIVE_INFINITY),
  );
  for (const { a, b, rttMs, loss } of links)
    cost[a]![b] = cost[b]![a] = linkCost(rttMs, loss, loss);
  return cost;
}

/** Floyd and Warshall. */
export function shortestCosts(drawing: Drawn): number[][] {
  const cost = costMatrix(drawing);
  for (let k = 0; k < drawing.nodes; k++) cost[k]![k] = 0;
  for (let k = 0; k < drawing.nodes; k++) {
    for (let i = 0; i < drawing.nodes; i++) {
      for (let j = 0; j < drawing.nodes; j++) {
        cost[i]![j] = Math.min(cost[i]![j]!, cost[i]![k]! + cost[k]![j]!);
      }
    }
  }
  return cost;
}

/** Every path without a repeated node. */
export function simplePaths(
  cost: readonly (readonly number[])[],
  from: number,
  to: number,
): { nodes: number[]; cost: number }[] {
  if (from === to) return [];
  const found: { nodes: number[]; cost: number }[] = [];
  const walk = (nodes: number[], sum: number): void => {
    const last = nodes.at(-1)!;
    if (last === to) {
      found.push({ nodes, cost: sum });
      return;
    }
    for (const [next, step] of cost[last]!.entries()) {
      if (step !== Number.POSITIVE_INFINITY && !nodes.includes(next))
        walk([...nodes, next], sum + step);
    }
  };
  walk([from], 0);
  return found;
}
