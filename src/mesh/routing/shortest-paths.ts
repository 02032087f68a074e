// Shortest paths from one node: Dijkstra (1959) with a binary heap in typed arrays that are reused from run to run.
// Equal costs go to the lower slot; costs are positive, so the cost to go falls along the next hops and no loop can form.

import { assert } from "../../foundation/index.ts";
import type { Graph } from "../topology/topology.ts";

const NOBODY = -1;

/** A path, both ends included. */
export interface Path {
  readonly nodes: readonly number[];
  readonly cost: number;
}

/** Reusable workspace; a run's results stand until the next. */
export class ShortestPaths {
  #cost = new Float64Array(0);
  #previous = new Int32Array(0);
  #firstHop = new Int32Array(0);
  #hops = new Int32Array(0);
  /** Heap of node indices, and each node's place in it (-1: not in it). */
  #heap = new Int32Array(0);
  #place = new Int32Array(0);
  #heapSize = 0;

  /** Finds the shortest paths from `source` to every node of the graph, none of them through `avoided`. */
  run(graph: Graph, source: number, avoided = NOBODY): void {
    const nodes = graph.slots;
    this.#reset(nodes);
    this.#cost[source] = 0;
    this.#hops[source] = 0;
    this.#push(source);
    // Costs are positive, so a heap in order gives every node once; anything else would cost time, not correctness.
    for (let taken = 0; this.#heapSize > 0; taken++) {
      assert(taken < nodes, "the heap of the shortest paths is out of order");
      const node = this.#pop();
      if (node !== avoided) this.#relax(graph, node, source);
    }
  }

  /** `Infinity` when there is no path. */
  cost(target: number): number {
    return this.#cost[target] ?? Number.POSITIVE_INFINITY;
  }

  /** The neighbour of the source on the way; -1 when there is no path or the target is the source. */
  nextHop(target: number): number {
    return this.#firstHop[target] ?? NOBODY;
  }

  /** Links on the way; -1 when there is no path. */
  hops(target: number): number {
    return this.#hops[target] ?? NOBODY;
  }

  /** The path; `undefined` when there is none. */
  path(target: number): Path | undefined {
    const cost = this.cost(target);
    if (cost === Number.POSITIVE_INFINITY) return undefined;
    const nodes: number[] = [];
    for (let node = target; node !== NOBODY; node = this.#previous[node] ?? NOBODY)
      nodes.push(node);
    return { nodes: nodes.reverse(), cost };
  }

  #reset(nodes: number): void {
    if (this.#cost.length < nodes) {
      // A graph grows by a node at a time; half of the room would stay empty, in each of several workspaces.
      const room = Math.ceil(1.25 * nodes);
      this.#cost = new Float64Array(room);
      this.#previous = new Int32Array(room);
      this.#firstHop = new Int32Array(room);
      this.#hops = new Int32Array(room);
      this.#heap = new Int32Array(room);
      this.#place = new Int32Array(room);
    }
    this.#cost.fill(Number.POSITIVE_INFINITY);
    this.#previous.fill(NOBODY);
    this.#firstHop.fill(NOBODY);
    this.#hops.fill(NOBODY);
    this.#place.fill(NOBODY);
    this.#heapSize = 0;
  }

  #relax(graph: Graph, node: number, source: number): void {
    const { targets, costs } = graph;
    const base = this.#cost[node] ?? 0;
    const start = graph.starts[node] ?? 0;
    const end = start + (graph.lengths[node] ?? 0);
    for (let at = start; at < end; at++) {
      const target = targets[at] ?? 0;
      const cost = base + (costs[at] ?? 0);
      if (cost >= (this.#cost[target] ?? 0)) continue;
      this.#cost[target] = cost;
      this.#previous[target] = node;
      this.#firstHop[target] = node === source ? target : (this.#firstHop[node] ?? NOBODY);
      this.#hops[target] = (this.#hops[node] ?? 0) + 1;
      this.#push(target);
    }
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#cost[a] ?? 0) - (this.#cost[b] ?? 0);
    return difference < 0 || (difference === 0 && a < b);
  }

  /** Puts a node in, or moves it up after its cost fell. */
  #push(node: number): void {
    let at = this.#place[node] ?? NOBODY;
    if (at === NOBODY) at = this.#heapSize++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const other = this.#heap[parent] ?? 0;
      if (!this.#before(node, other)) break;
      this.#heap[at] = other;
      this.#place[other] = at;
      at = parent;
    }
    this.#heap[at] = node;
    this.#place[node] = at;
  }

  #pop(): number {
    const top = this.#heap[0] ?? 0;
    const last = this.#heap[--this.#heapSize] ?? 0;
    this.#place[top] = NOBODY;
    if (this.#heapSize === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heapSize) break;
      const right = child + 1;
      if (right < this.#heapSize && this.#before(this.#heap[right] ?? 0, this.#heap[child] ?? 0)) {
        child = right;
      }
      const other = this.#heap[child] ?? 0;
      if (!this.#before(other, last)) break;
      this.#heap[at] = other;
      this.#place[other] = at;
      at = child;
    }
    this.#heap[at] = last;
    this.#place[last] = at;
    return top;
  }
}
