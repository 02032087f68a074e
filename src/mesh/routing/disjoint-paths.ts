// Paths that share no node but their ends, with the least total cost: Suurballe's problem (1974) solved as Bhandari (1999) does,
// by successive shortest paths in the residual graph of split nodes. A later path may take back links of an earlier one,
// which is why k times "shortest path, then remove its nodes" does not find what this finds.

import { assert } from "../../foundation/index.ts";
import type { Graph } from "../topology/topology.ts";
import type { Path } from "./shortest-paths.ts";

const NOBODY = -1;

/** A node's two halves: a path enters by one and leaves by the other, and between them there is room for one path. */
const entry = (node: number): number => 2 * node;
const exit = (node: number): number => 2 * node + 1;
const nodeOf = (half: number): number => half >> 1;
const isEntry = (half: number): boolean => (half & 1) === 0;

/** At most `count` paths, the cheapest first; fewer when there are no more. Costs are positive. */
export function disjointPaths(graph: Graph, source: number, target: number, count: number): Path[] {
  const flow = new Flow(graph, source, target);
  if (source === target) return [];
  for (let found = 0; found < count; found++) if (!flow.augment()) break;
  return flow.paths().sort((a, b) => a.cost - b.cost);
}

/** The links taken so far, by their two ends. */
class Flow {
  readonly #graph: Graph;
  readonly #source: number;
  readonly #target: number;
  readonly #taken = new Map<number, number>();
  /** The next and the previous node on the path through a node; the ends have none. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #cost: Float64Array;
  readonly #parent: Int32Array;

  constructor(graph: Graph, source: number, target: number) {
    this.#graph = graph;
    this.#source = source;
    this.#target = target;
    this.#next = new Int32Array(graph.slots).fill(NOBODY);
    this.#previous = new Int32Array(graph.slots).fill(NOBODY);
    this.#cost = new Float64Array(2 * graph.slots);
    this.#parent = new Int32Array(2 * graph.slots);
  }

  /** Adds one path, rerouting the others where that is cheaper; false when there is no room for another. */
  augment(): boolean {
    this.#search();
    if (this.#cost[entry(this.#target)] === Number.POSITIVE_INFINITY) return false;
    let half = entry(this.#target);
    for (let parent = this.#parent[half] ?? NOBODY; parent !== NOBODY; ) {
      if (isEntry(half) && !isEntry(parent)) this.#take(nodeOf(parent), nodeOf(half));
      else if (isEntry(parent) && nodeOf(parent) !== nodeOf(half))
        this.#taken.delete(this.#key(nodeOf(half), nodeOf(parent)));
      half = parent;
      parent = this.#parent[half] ?? NOBODY;
    }
    this.#connect();
    return true;
  }

  paths(): Path[] {
    const paths: Path[] = [];
    for (const key of this.#taken.keys()) {
      if (Math.floor(key / this.#graph.slots) !== this.#source) continue;
      const nodes = [this.#source];
      let cost = 0;
      for (let node = key % this.#graph.slots; node !== NOBODY; node = this.#next[node] ?? NOBODY) {
        cost += this.#taken.get(this.#key(nodes.at(-1) ?? NOBODY, node)) ?? 0;
        nodes.push(node);
        assert(nodes.length <= this.#graph.slots, "a path of the disjoint paths goes in a circle");
      }
      paths.push({ nodes, cost });
    }
    return paths;
  }

  /** Bellman and Ford with a queue: a link taken back has a negative cost, but no circle has. */
  #search(): void {
    this.#cost.fill(Number.POSITIVE_INFINITY);
    this.#parent.fill(NOBODY);
    const waiting = new Set<number>([exit(this.#source)]);
    this.#cost[exit(this.#source)] = 0;
    for (const half of waiting) {
      waiting.delete(half);
      const node = nodeOf(half);
      if (isEntry(half)) this.#leaveEntry(node, waiting);
      else this.#leaveExit(node, waiting);
    }
  }

  #leaveEntry(node: number, waiting: Set<number>): void {
    const previous = this.#previous[node] ?? NOBODY;
    if (node === this.#target) return;
    if (previous === NOBODY) this.#reach(exit(node), entry(node), 0, waiting);
    else {
      const cost = this.#taken.get(this.#key(previous, node)) ?? 0;
      this.#reach(exit(previous), entry(node), -cost, waiting);
    }
  }

  #leaveExit(node: number, waiting: Set<number>): void {
    const { starts, lengths, targets, costs } = this.#graph;
    if (this.#previous[node] !== NOBODY) this.#reach(entry(node), exit(node), 0, waiting);
    const start = starts[node] ?? 0;
    const end = start + (lengths[node] ?? 0);
    for (let at = start; at < end; at++) {
      const to = targets[at] ?? 0;
      if (to === this.#source || this.#taken.has(this.#key(node, to))) continue;
      this.#reach(entry(to), exit(node), costs[at] ?? Number.POSITIVE_INFINITY, waiting);
    }
  }

  #reach(half: number, from: number, step: number, waiting: Set<number>): void {
    const cost = (this.#cost[from] ?? 0) + step;
    // Rounding must not make a circle of cost zero look like a gain.
    if (!(cost < (this.#cost[half] ?? 0) - 1e-9)) return;
    this.#cost[half] = cost;
    this.#parent[half] = from;
    waiting.add(half);
  }

  #take(from: number, to: number): void {
    const { starts, lengths, targets, costs } = this.#graph;
    const start = starts[from] ?? 0;
    const row = targets.subarray(start, start + (lengths[from] ?? 0));
    this.#taken.set(this.#key(from, to), costs[start + row.indexOf(to)] ?? 0);
  }

  /** Follows which node is next to which from the links taken. */
  #connect(): void {
    this.#next.fill(NOBODY);
    this.#previous.fill(NOBODY);
    for (const key of this.#taken.keys()) {
      const from = Math.floor(key / this.#graph.slots);
      const to = key % this.#graph.slots;
      if (from !== this.#source) this.#next[from] = to;
      if (to !== this.#target) this.#previous[to] = from;
    }
  }

  #key(from: number, to: number): number {
    return from * this.#graph.slots + to;
  }
}
