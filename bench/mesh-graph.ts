// Topology and shortest paths beside a peer that does the same with maps and objects: the obvious program, without typed arrays.
// Rows that end in /ratio are our median rate by the peer's in the same run. Targets of the design: 1,000,000 nodes added, 20,000,000
// link costs, 50,000 trees of shortest paths over 50 nodes and 2,000 over 1,000, a second.

import type { NodeId } from "../src/identity/index.ts";
import { linkCost, type NeighbourReport, ShortestPaths, Topology } from "../src/mesh/index.ts";
import { disjointPaths } from "../src/mesh/routing/disjoint-paths.ts";
import { type BenchResult, type BenchSuite, measureRate, summarize } from "./measure.ts";

const DEGREE = 12;

/** Digests of keys differ from the first digit on: so do these. */
export const nodeIdOf = (n: number): NodeId =>
  (Math.imul(n + 1, 0x9e37_79b1) >>> 0).toString(16).padStart(8, "0").repeat(8) as NodeId;

/** A random-looking graph: every node linked with `degree` others, both ends reporting it. */
export function reportsOf(nodes: number, degree: number): NeighbourReport[][] {
  const rows = Array.from({ length: nodes }, () => new Map<number, NeighbourReport>());
  for (let a = 0; a < nodes; a++) {
    for (let k = 1; k <= degree / 2; k++) {
      const b = (a + (k * k + k) / 2) % nodes;
      if (a === b) continue;
      const rttMs = 1 + ((a * 7 + b * 13) % 90);
      rows[a]?.set(b, { nodeId: nodeIdOf(b), rttMs, lossRatio: 0, suspect: false });
      rows[b]?.set(a, { nodeId: nodeIdOf(a), rttMs, lossRatio: 0, suspect: false });
    }
  }
  return rows.map((row) => [...row.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)));
}

/** The peer: rows and edges in maps, kept in step by the same rule; the nearest node is found by looking at all. */
class MapGraph {
  readonly #rows = new Map<NodeId, Map<NodeId, NeighbourReport>>();
  readonly #edges = new Map<NodeId, Map<NodeId, number>>();

  setNode(nodeId: NodeId, neighbours: readonly NeighbourReport[]): void {
    for (const other of this.#edges.get(nodeId)?.keys() ?? [])
      this.#edges.get(other)?.delete(nodeId);
    this.#rows.set(nodeId, new Map(neighbours.map((report) => [report.nodeId, report])));
    const edges = new Map<NodeId, number>();
    for (const forth of neighbours) {
      const back = this.#rows.get(forth.nodeId)?.get(nodeId);
      if (back === undefined || forth.suspect || back.suspect) continue;
      const rttMs = Math.max(forth.rttMs, back.rttMs);
      const cost = linkCost(rttMs, forth.lossRatio, back.lossRatio);
      edges.set(forth.nodeId, cost);
      this.#edges.get(forth.nodeId)?.set(nodeId, cost);
    }
    this.#edges.set(nodeId, edges);
  }

  shortestPaths(source: NodeId): Map<NodeId, number> {
    const costs = new Map([[source, 0]]);
    const open = new Set([source]);
    while (open.size > 0) {
      let nearest = source;
      let least = Number.POSITIVE_INFINITY;
      for (const node of open) {
        const cost = costs.get(node) ?? least;
        if (cost < least) [nearest, least] = [node, cost];
      }
      open.delete(nearest);
      for (const [to, step] of this.#edges.get(nearest) ?? []) {
        const cost = least + step;
        if (cost >= (costs.get(to) ?? Number.POSITIVE_INFINITY)) continue;
        costs.set(to, cost);
        open.add(to);
      }
    }
    return costs;
  }
}

/** Adds nodes one after another; a graph that has all of them begins anew. */
function adder(rows: readonly NeighbourReport[][], make: () => Pick<Topology, "setNode">) {
  const ids = rows.map((_, i) => nodeIdOf(i));
  let graph = make();
  let added = 0;
  return (): void => {
    if (added === ids.length) {
      graph = make();
      added = 0;
    }
    graph.setNode(ids[added] ?? nodeIdOf(0), rows[added] ?? []);
    added++;
  };
}

/** Beacons of members whose neighbours stay and whose round trips have changed. */
function updater(rows: readonly NeighbourReport[][], graph: Pick<Topology, "setNode">) {
  const slower = rows.map((row) => row.map((report) => ({ ...report, rttMs: report.rttMs + 5 })));
  const ids = rows.map((_, i) => nodeIdOf(i));
  let at = 0;
  return (): void => {
    const node = at % ids.length;
    const row = (at++ / ids.length) & 1 ? rows[node] : slower[node];
    graph.setNode(ids[node] ?? nodeIdOf(0), row ?? []);
  };
}

function filled<G extends Pick<Topology, "setNode">>(
  graph: G,
  rows: readonly NeighbourReport[][],
): G {
  for (const [i, row] of rows.entries()) graph.setNode(nodeIdOf(i), row);
  return graph;
}

/** Rates of the graph's operations, and of the peer's. */
export const graphSuite: BenchSuite = (report, options) => {
  const name = (what: string): string => `mesh/topology/${what}`;
  const compare = (what: string, ours: () => unknown, peer: () => unknown): void => {
    const fast = measureRate(name(what), ours, options);
    const slow = measureRate(name(`${what}/maps`), peer, options);
    for (const row of [fast, slow, ratio(name(`${what}/ratio`), fast, slow)]) report(row);
  };
  const large = reportsOf(1000, DEGREE);
  const make = (): Topology => new Topology();
  const makePeer = (): MapGraph => new MapGraph();
  compare("node-add", adder(large, make), adder(large, makePeer));
  const graph = filled(make(), large);
  compare("row-update", updater(large, graph), updater(large, filled(makePeer(), large)));

  // Inputs change with each call and the results are summed, so that no call can be left out.
  const rtts = Float64Array.from({ length: 1024 }, (_, i) => (i * 37) % 150);
  const losses = Float64Array.from({ length: 1024 }, (_, i) => ((i * 11) % 40) / 100);
  let at = 0;
  let sum = 0;
  const cost = (): void => {
    at = (at + 1) & 1023;
    sum += linkCost(rtts[at] ?? 0, losses[at] ?? 0, losses[1023 - at] ?? 0);
  };
  report(measureRate(name("link-cost"), cost, options));

  for (const nodes of [50, 1000]) {
    const rows = reportsOf(nodes, DEGREE);
    const ours = filled(make(), rows);
    const peer = filled(makePeer(), rows);
    const paths = new ShortestPaths();
    let source = 0;
    const next = (): number => (source = (source + 1) % nodes);
    const tree = (): void => {
      paths.run(ours, next());
      sum += paths.cost((source + nodes / 2) % nodes);
    };
    compare(`shortest-paths-${nodes}`, tree, () => peer.shortestPaths(nodeIdOf(next())));
    const disjoint = (): void => {
      sum += disjointPaths(ours, next(), (source + nodes / 2) % nodes, 3).length;
    };
    report(measureRate(name(`disjoint-3-of-${nodes}`), disjoint, options));
  }
  return sum > 0 ? Promise.resolve() : Promise.reject(new Error("the bench computed nothing"));
};

function ratio(name: string, ours: BenchResult, peer: BenchResult): BenchResult {
  return summarize(name, "x", [ours.p50 / peer.p50]);
}
