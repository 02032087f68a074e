// The mesh as a graph in typed arrays, changed in place: a row of reported links for each node, each entry with the cost of its
// edge. An edge counts when both ends report it in signed beacons and neither suspects the other: one liar cannot draw
// itself next to anyone. The own node's row needs no second word, because it holds the authenticated connection.

import type { NodeId } from "../../identity/index.ts";
import type { NeighbourReport } from "../beacons/state-beacon.ts";
import { linkCost } from "../links/cost.ts";
import { RowPool, widened } from "./row-pool.ts";

/** What paths are computed on. Nodes are slots; the entries of slot `s` are `starts[s]` to `starts[s] + lengths[s]`. */
export interface Graph {
  /** Slots are below this; some may be unused. */
  readonly slots: number;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly targets: Int32Array;
  /** By entry, > 0; `Infinity` for an entry that is no edge. */
  readonly costs: Float64Array;
}

/** An edge as both ends see it. */
export interface Edge {
  /** The slower of the two measurements. */
  readonly rttMs: number;
  /** What each end loses of its probes of the other; 0 where only the own node has spoken. */
  readonly lossForward: number;
  readonly lossBackward: number;
  readonly cost: number;
}

/** Slots at the beginning. */
const SLOTS = 64;
const NONE = -1;
const ABSENT = 0;
const PRESENT = 1;
const OWN = 2;

/**
 * Reported links by node. A slot belongs to a node while that is set or any row names it, so slots and entries are bounded by
 * the nodes that are set and the neighbours that a beacon may report.
 */
export class Topology implements Graph {
  readonly #slotOf = new Map<NodeId, number>();
  readonly #ids: (NodeId | undefined)[] = [];
  readonly #unused: number[] = [];
  readonly #pool = new RowPool();
  #state = new Uint8Array(SLOTS);
  /** How many entries name a slot. */
  #mentions = new Int32Array(SLOTS);
  #starts = new Int32Array(SLOTS);
  #lengths = new Int32Array(SLOTS);
  #rooms = new Int32Array(SLOTS);
  #ownSlot = NONE;
  #nodes = 0;
  #entries = 0;
  #version = 0;

  /** How many nodes are set. */
  get size(): number {
    return this.#nodes;
  }

  /** Rises whenever a node comes or goes or the cost of an edge changes. */
  get version(): number {
    return this.#version;
  }

  /** How many usable links there are: entries that are edges come in pairs, but for the own node's without a second word. */
  get links(): number {
    return Math.ceil(this.#entries / 2);
  }

  get slots(): number {
    return this.#ids.length;
  }

  get starts(): Int32Array {
    return this.#starts;
  }

  get lengths(): Int32Array {
    return this.#lengths;
  }

  get targets(): Int32Array {
    return this.#pool.targets;
  }

  get costs(): Float64Array {
    return this.#pool.costs;
  }

  /** The slot of a node that is set; -1 for any other. */
  slot(nodeId: NodeId): number {
    const slot = this.#slotOf.get(nodeId) ?? NONE;
    return slot === NONE || this.#state[slot] === ABSENT ? NONE : slot;
  }

  /** The node in a slot; `undefined` for one without. */
  id(slot: number): NodeId | undefined {
    return this.#state[slot] === ABSENT ? undefined : this.#ids[slot];
  }

  /** The edge between two slots, from the first one's side; `undefined` when there is none. */
  edge(from: number, to: number): Edge | undefined {
    const at = this.#find(from, to);
    const back = this.#find(to, from);
    const cost = this.#pool.costs[at] ?? Number.POSITIVE_INFINITY;
    if (cost === Number.POSITIVE_INFINITY) return undefined;
    const { rttMs, lossRatio } = this.#pool;
    return {
      rttMs: Math.max(rttMs[at] ?? 0, rttMs[back] ?? 0),
      lossForward: lossRatio[at] ?? 0,
      lossBackward: lossRatio[back] ?? 0,
      cost,
    };
  }

  /** Adds a node or replaces its links. @param neighbours ascending by node id, as a beacon has them */
  setNode(nodeId: NodeId, neighbours: readonly NeighbourReport[], own = false): void {
    const slot = this.#intern(nodeId);
    const state = own ? OWN : PRESENT;
    const before = this.#state[slot];
    if (before === ABSENT) {
      this.#nodes++;
      this.#version++;
    }
    this.#state[slot] = state;
    if (own) this.#ownSlot = slot;
    else if (before === OWN) this.#ownSlot = NONE;
    if (before !== state || !this.#updated(slot, neighbours)) this.#replace(slot, neighbours);
  }

  removeNode(nodeId: NodeId): void {
    const slot = this.slot(nodeId);
    if (slot === NONE) return;
    this.#replace(slot, []);
    this.#state[slot] = ABSENT;
    if (slot === this.#ownSlot) this.#ownSlot = NONE;
    this.#linkOwn(slot);
    this.#nodes--;
    this.#version++;
    if (this.#mentions[slot] === 0) this.#release(slot);
  }

  /** The usual case, the same neighbours with other numbers, without a look-up; false when it is another. */
  #updated(slot: number, neighbours: readonly NeighbourReport[]): boolean {
    const { targets, rttMs, lossRatio, suspect } = this.#pool;
    const start = this.#starts[slot] ?? 0;
    if (neighbours.length !== this.#lengths[slot]) return false;
    for (let i = 0; i < neighbours.length; i++) {
      if (this.#ids[targets[start + i] ?? 0] !== neighbours[i]?.nodeId) return false;
    }
    for (let i = 0; i < neighbours.length; i++) {
      const report = neighbours[i];
      const at = start + i;
      if (report === undefined) continue;
      const flag = report.suspect ? 1 : 0;
      const same = rttMs[at] === report.rttMs && lossRatio[at] === report.lossRatio;
      if (same && suspect[at] === flag) continue;
      rttMs[at] = report.rttMs;
      lossRatio[at] = report.lossRatio;
      suspect[at] = flag;
      this.#link(slot, at);
    }
    return true;
  }

  #replace(slot: number, neighbours: readonly NeighbourReport[]): void {
    const oldStart = this.#starts[slot] ?? 0;
    const oldLength = this.#lengths[slot] ?? 0;
    const oldRoom = this.#rooms[slot] ?? 0;
    for (let at = oldStart; at < oldStart + oldLength; at++) this.#unlink(slot, at);
    this.#write(slot, neighbours);
    // After the new ones are named, so that a neighbour that stays keeps its slot.
    for (let at = oldStart; at < oldStart + oldLength; at++) {
      this.#forget(this.#pool.targets[at] ?? 0);
    }
    if (oldRoom > 0) this.#pool.free(oldStart, oldRoom);
    const start = this.#starts[slot] ?? 0;
    const end = start + (this.#lengths[slot] ?? 0);
    for (let at = start; at < end; at++) this.#link(slot, at);
    this.#linkOwn(slot);
  }

  /** A new row of entries without cost. */
  #write(slot: number, neighbours: readonly NeighbourReport[]): void {
    const room = neighbours.length === 0 ? 0 : RowPool.roomFor(neighbours.length);
    const start = room === 0 ? 0 : this.#pool.take(room);
    const { targets, costs, rttMs, lossRatio, suspect } = this.#pool;
    let at = start;
    for (const report of neighbours) {
      const target = this.#intern(report.nodeId);
      if (target === slot) continue;
      this.#mentions[target] = (this.#mentions[target] ?? 0) + 1;
      targets[at] = target;
      costs[at] = Number.POSITIVE_INFINITY;
      rttMs[at] = report.rttMs;
      lossRatio[at] = report.lossRatio;
      suspect[at] = report.suspect ? 1 : 0;
      at++;
    }
    this.#starts[slot] = start;
    this.#lengths[slot] = at - start;
    this.#rooms[slot] = room;
  }

  /** Computes the edge of an entry, in both directions. */
  #link(from: number, at: number): void {
    const to = this.#pool.targets[at] ?? 0;
    const back = this.#find(to, from);
    const cost = this.#cost(from, at, to, back);
    this.#setCost(at, cost);
    if (back !== NONE) this.#setCost(back, cost);
  }

  #cost(from: number, at: number, to: number, back: number): number {
    const { rttMs, lossRatio, suspect } = this.#pool;
    if (this.#state[to] === ABSENT || suspect[at] === 1) return Number.POSITIVE_INFINITY;
    if (back !== NONE) {
      if (suspect[back] === 1) return Number.POSITIVE_INFINITY;
      const slower = Math.max(rttMs[at] ?? 0, rttMs[back] ?? 0);
      return linkCost(slower, lossRatio[at] ?? 0, lossRatio[back] ?? 0);
    }
    if (from !== this.#ownSlot) return Number.POSITIVE_INFINITY;
    return linkCost(rttMs[at] ?? 0, lossRatio[at] ?? 0, 0);
  }

  #unlink(from: number, at: number): void {
    const { costs, targets } = this.#pool;
    if (costs[at] === Number.POSITIVE_INFINITY) return;
    const back = this.#find(targets[at] ?? 0, from);
    this.#setCost(at, Number.POSITIVE_INFINITY);
    if (back !== NONE) this.#setCost(back, Number.POSITIVE_INFINITY);
  }

  /** The own row's entry about a slot, whose own word may be missing. */
  #linkOwn(slot: number): void {
    if (this.#ownSlot === NONE || this.#ownSlot === slot) return;
    const at = this.#find(this.#ownSlot, slot);
    if (at !== NONE) this.#link(this.#ownSlot, at);
  }

  #setCost(at: number, cost: number): void {
    const { costs } = this.#pool;
    const before = costs[at];
    if (before === cost) return;
    if (before === Number.POSITIVE_INFINITY) this.#entries++;
    else if (cost === Number.POSITIVE_INFINITY) this.#entries--;
    costs[at] = cost;
    this.#version++;
  }

  /** The entry of `from` about `to`; -1 when there is none. */
  #find(from: number, to: number): number {
    const { targets } = this.#pool;
    const start = this.#starts[from] ?? 0;
    const end = start + (this.#lengths[from] ?? 0);
    for (let at = start; at < end; at++) if (targets[at] === to) return at;
    return NONE;
  }

  #intern(nodeId: NodeId): number {
    const known = this.#slotOf.get(nodeId);
    if (known !== undefined) return known;
    const slot = this.#unused.pop() ?? this.#ids.length;
    this.#ids[slot] = nodeId;
    this.#slotOf.set(nodeId, slot);
    if (slot >= this.#state.length) this.#grow(2 * slot);
    return slot;
  }

  #forget(slot: number): void {
    const mentions = (this.#mentions[slot] ?? 0) - 1;
    this.#mentions[slot] = mentions;
    if (mentions === 0 && this.#state[slot] === ABSENT) this.#release(slot);
  }

  #release(slot: number): void {
    const nodeId = this.#ids[slot];
    if (nodeId !== undefined) this.#slotOf.delete(nodeId);
    this.#ids[slot] = undefined;
    this.#unused.push(slot);
  }

  #grow(length: number): void {
    this.#state = widened(this.#state, new Uint8Array(length));
    this.#mentions = widened(this.#mentions, new Int32Array(length));
    this.#starts = widened(this.#starts, new Int32Array(length));
    this.#lengths = widened(this.#lengths, new Int32Array(length));
    this.#rooms = widened(this.#rooms, new Int32Array(length));
  }
}
