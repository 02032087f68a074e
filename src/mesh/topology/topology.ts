// The mesh as a graph: one row of reported links per node, compiled into compressed sparse rows of typed arrays.
// An edge counts when both ends report it in signed beacons and neither suspects the other: one liar cannot draw
// itself next to anyone. The own node's row needs no second word, because it holds the authenticated connection.

import type { NodeId } from "../../identity/index.ts";
import type { NeighbourReport } from "../beacons/state-beacon.ts";
import { linkCost } from "../links/cost.ts";

/** The compiled graph; indices follow ascending node ids. */
export interface Graph {
  readonly ids: readonly NodeId[];
  readonly index: ReadonlyMap<NodeId, number>;
  /** Row `i` is `offsets[i]` to `offsets[i + 1]`; nodes + 1 entries. */
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
  readonly costs: Float64Array;
  readonly rttMs: Float64Array;
  /** The worse of the two directions. */
  readonly lossRatio: Float64Array;
}

interface Row {
  readonly neighbours: readonly NeighbourReport[];
  /** The row is believed without the other end's word. */
  readonly own: boolean;
}

/** Reported links by node; bounded by whoever sets the nodes. */
export class Topology {
  readonly #rows = new Map<NodeId, Row>();
  #compiled: Graph | undefined;

  /** How many nodes there are. */
  get size(): number {
    return this.#rows.size;
  }

  /** Adds a node or replaces its links. @param neighbours ascending by node id, as a beacon has them */
  setNode(nodeId: NodeId, neighbours: readonly NeighbourReport[], own = false): void {
    this.#rows.set(nodeId, { neighbours, own });
    this.#compiled = undefined;
  }

  removeNode(nodeId: NodeId): void {
    if (this.#rows.delete(nodeId)) this.#compiled = undefined;
  }

  clear(): void {
    this.#rows.clear();
    this.#compiled = undefined;
  }

  /** The graph of the links that count; compiled anew only after a change. */
  graph(): Graph {
    this.#compiled ??= compile(this.#rows);
    return this.#compiled;
  }
}

/** Reports with their targets as indices; unknown targets are left out. */
class Reports {
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
  readonly source: (NeighbourReport | undefined)[] = [];

  constructor(rows: readonly Row[], index: ReadonlyMap<NodeId, number>) {
    let reports = 0;
    for (const row of rows) reports += row.neighbours.length;
    this.offsets = new Int32Array(rows.length + 1);
    this.targets = new Int32Array(reports);
    let used = 0;
    for (let i = 0; i < rows.length; i++) {
      for (const report of rows[i]?.neighbours ?? []) {
        const target = index.get(report.nodeId);
        if (target === undefined) continue;
        this.targets[used++] = target;
        this.source.push(report);
      }
      this.offsets[i + 1] = used;
    }
  }

  /** What `from` reports of `to`: rows ascend, so it is a binary search. */
  find(from: number, to: number): NeighbourReport | undefined {
    let low = this.offsets[from] ?? 0;
    let high = (this.offsets[from + 1] ?? 0) - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const target = this.targets[middle] ?? 0;
      if (target === to) return this.source[middle];
      if (target < to) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}

interface Edge {
  readonly rttMs: number;
  readonly lossRatio: number;
  readonly cost: number;
}

/** The edge of two reports; `undefined` when it does not count. */
function edgeOf(
  forth: NeighbourReport | undefined,
  back: NeighbourReport | undefined,
  believed: boolean,
): Edge | undefined {
  if (forth?.suspect === true || back?.suspect === true) return undefined;
  if (!believed && (forth === undefined || back === undefined)) return undefined;
  const rttMs = Math.max(forth?.rttMs ?? 0, back?.rttMs ?? 0);
  const lossForth = forth?.lossRatio ?? 0;
  const lossBack = back?.lossRatio ?? 0;
  const cost = linkCost(rttMs, lossForth, lossBack);
  if (cost === Number.POSITIVE_INFINITY) return undefined;
  return { rttMs, lossRatio: Math.max(lossForth, lossBack), cost };
}

function compile(rows: ReadonlyMap<NodeId, Row>): Graph {
  const ids = [...rows.keys()].sort();
  const index = new Map(ids.map((id, i) => [id, i]));
  const ordered = ids.map((id) => rows.get(id) ?? { neighbours: [], own: false });
  const reports = new Reports(ordered, index);
  const edges: { from: number; to: number; edge: Edge }[] = [];
  for (let from = 0; from < ids.length; from++) {
    const end = reports.offsets[from + 1] ?? 0;
    for (let at = reports.offsets[from] ?? 0; at < end; at++) {
      const to = reports.targets[at] ?? 0;
      const own = ordered[from]?.own === true;
      const back = reports.find(to, from);
      // The own word decides alone, both ways: a link it does not report has no connection.
      if (ordered[to]?.own === true && back === undefined) continue;
      const edge = edgeOf(reports.source[at], back, own);
      if (edge === undefined) continue;
      edges.push({ from, to, edge });
      if (own && back === undefined) edges.push({ from: to, to: from, edge });
    }
  }
  return pack(ids, index, edges);
}

/** Counting sort by source; within a row edges keep the order in which they were found. */
function pack(
  ids: readonly NodeId[],
  index: ReadonlyMap<NodeId, number>,
  edges: readonly { from: number; to: number; edge: Edge }[],
): Graph {
  const offsets = new Int32Array(ids.length + 1);
  for (const { from } of edges) offsets[from + 1] = (offsets[from + 1] ?? 0) + 1;
  for (let i = 0; i < ids.length; i++) offsets[i + 1] = (offsets[i + 1] ?? 0) + (offsets[i] ?? 0);
  const next = offsets.slice();
  const targets = new Int32Array(edges.length);
  const costs = new Float64Array(edges.length);
  const rttMs = new Float64Array(edges.length);
  const lossRatio = new Float64Array(edges.length);
  for (const { from, to, edge } of edges) {
    const at = next[from] ?? 0;
    next[from] = at + 1;
    targets[at] = to;
    costs[at] = edge.cost;
    rttMs[at] = edge.rttMs;
    lossRatio[at] = edge.lossRatio;
  }
  return { ids, index, offsets, targets, costs, rttMs, lossRatio };
}
