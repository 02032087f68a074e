// Which neighbours a node passes gossip to, and which messages it has seen. A model of gossipsub's eager
// push and lazy repair (libp2p/specs, pubsub/gossipsub): each node grafts a few of its connections, an edge
// grafted by either side carries messages both ways, and a seen-cache stops what comes around again. Once a
// heartbeat each node offers its recent messages (IHAVE) to some connected peers that are no edge of it,
// who ask for what they lack (IWANT): that is what joins overlays which a partition has grown apart.

import type { NodeIndex } from "./node-types.ts";
import type { SeededRandom } from "./random.ts";

/** A set of numbers that forgets by generations: an entry lives between one and two half-lives. */
export class GenerationSet {
  readonly #halfLifeMs: number;
  readonly #max: number;
  #young = new Set<number>();
  #old = new Set<number>();
  #turnedAtMs = 0;

  /** At most `2 * max` entries; when the young generation is full it turns early and the oldest go. */
  constructor(halfLifeMs: number, max: number) {
    this.#halfLifeMs = halfLifeMs;
    this.#max = max;
  }

  has(value: number): boolean {
    return this.#young.has(value) || this.#old.has(value);
  }

  /** True when the value was not there; it is afterwards. */
  add(value: number, nowMs: number): boolean {
    const ageMs = nowMs - this.#turnedAtMs;
    if (ageMs >= 2 * this.#halfLifeMs) this.#young.clear();
    if (ageMs >= this.#halfLifeMs) this.#turn(nowMs);
    if (this.has(value)) return false;
    if (this.#young.size >= this.#max) this.#turn(nowMs);
    this.#young.add(value);
    return true;
  }

  #turn(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Set();
    this.#turnedAtMs = nowMs;
  }
}

/** The edges that carry gossip between nodes. */
export class GossipOverlay {
  readonly #random: SeededRandom;
  readonly #graftsPerNode: number;
  /** Per node: the peers it grafted itself. */
  readonly #grafted: Set<NodeIndex>[];
  /** Per node: the peers that it grafted or that grafted it, in order of arrival. */
  readonly #edges: Set<NodeIndex>[];

  constructor(nodes: number, random: SeededRandom, graftsPerNode: number) {
    this.#random = random;
    this.#graftsPerNode = graftsPerNode;
    this.#grafted = Array.from({ length: nodes }, () => new Set());
    this.#edges = Array.from({ length: nodes }, () => new Set());
  }

  /** The peers that `node` pushes to. */
  edges(node: NodeIndex): ReadonlySet<NodeIndex> {
    return this.#edges[node] ?? new Set();
  }

  /** Grafts from the node's connections until it has enough of its own. */
  graft(node: NodeIndex, connected: Iterable<NodeIndex>): void {
    const own = this.#grafted[node];
    if (own === undefined || own.size >= this.#graftsPerNode) return;
    const candidates = [...connected].filter((peer) => !own.has(peer));
    for (const peer of this.#random.sample(candidates, this.#graftsPerNode - own.size)) {
      own.add(peer);
      this.#edges[node]?.add(peer);
      this.#edges[peer]?.add(node);
    }
  }

  /** `count` random peers among `connected` that are no edge of the node. */
  others(node: NodeIndex, connected: readonly NodeIndex[], count: number): NodeIndex[] {
    const edges = this.edges(node);
    const candidates = connected.filter((peer) => !edges.has(peer));
    return candidates.length === 0 ? [] : this.#random.sample(candidates, count);
  }

  /** `node` gave its connection to `peer` up; the other end finds out by itself. */
  cut(node: NodeIndex, peer: NodeIndex): void {
    this.#grafted[node]?.delete(peer);
    this.#edges[node]?.delete(peer);
  }
}
