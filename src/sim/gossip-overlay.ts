// Who passes gossip to whom: a model of gossipsub's meshes (libp2p/specs, pubsub/gossipsub). Every topic has an
// overlay of its own among its subscribers: a node keeps D of the connected ones as mesh peers, never more than
// Dhi, and grafts anew when fewer than Dlo are left. Mesh peers push to each other; the other subscribers hear
// once a heartbeat what is to be had (IHAVE) and ask for what they lack (IWANT).
//
// Simpler than gossipsub: peers know each other's subscriptions, and a graft and its answer take no time; a peer
// at Dhi is not asked, so that nobody has to prune for size and there is no backoff. No scores: who they would
// send away is the business of the adapter's tests.

import type { NodeIndex } from "./node-types.ts";
import type { SeededRandom } from "./random.ts";

/** Mesh peers of a node in one topic. */
export interface MeshDegree {
  /** D: what a node grafts up to. 0: no mesh at all. */
  readonly target: number;
  /** Dlo: with fewer it grafts at its heartbeat. */
  readonly low: number;
  /** Dhi: with so many it refuses to be grafted. */
  readonly high: number;
}

/** The degrees that go with a D: those of the daemon for the daemon's. */
export function meshDegree(target: number): MeshDegree {
  return { target, low: Math.ceil((2 * target) / 3), high: Math.ceil((3 * target) / 2) };
}

const NOBODY: readonly NodeIndex[] = [];

/** The meshes of all topics. */
export class GossipOverlay {
  readonly #random: SeededRandom;
  readonly #degree: MeshDegree;
  /** Per node: the topics it subscribes to, and its mesh peers in each, in order of arrival. */
  readonly #meshes: Map<string, NodeIndex[]>[];

  constructor(nodes: number, random: SeededRandom, degree: MeshDegree) {
    this.#random = random;
    this.#degree = degree;
    this.#meshes = Array.from({ length: nodes }, () => new Map<string, NodeIndex[]>());
  }

  /** The topics of a node, in order of subscription. */
  topics(node: NodeIndex): Iterable<string> {
    return this.#meshesOf(node).keys();
  }

  isSubscribed(node: NodeIndex, topic: string): boolean {
    return this.#meshesOf(node).has(topic);
  }

  /** The peers that `node` pushes messages of the topic to; none when it does not subscribe. */
  mesh(node: NodeIndex, topic: string): readonly NodeIndex[] {
    return this.#meshesOf(node).get(topic) ?? NOBODY;
  }

  /** Joins a topic and grafts. False when the node subscribes already. */
  subscribe(node: NodeIndex, topic: string, connected: readonly NodeIndex[]): boolean {
    const meshes = this.#meshesOf(node);
    if (meshes.has(topic)) return false;
    meshes.set(topic, []);
    this.#graft(node, topic, connected);
    return true;
  }

  /** Leaves a topic; its mesh peers are pruned. False when the node does not subscribe. */
  unsubscribe(node: NodeIndex, topic: string): boolean {
    const meshes = this.#meshesOf(node);
    const mesh = meshes.get(topic);
    if (mesh === undefined) return false;
    for (const peer of mesh) this.#forget(peer, topic, node);
    return meshes.delete(topic);
  }

  /** A connection is up: each end grafts the other where it has fewer than it wants. */
  connected(node: NodeIndex, peer: NodeIndex): void {
    for (const [topic, mesh] of this.#meshesOf(node)) {
      if (mesh.length < this.#degree.target) this.#graft(node, topic, [peer]);
    }
  }

  /** The gossip heartbeat: grafts where too few mesh peers are left. */
  maintain(node: NodeIndex, connected: readonly NodeIndex[]): void {
    for (const [topic, mesh] of this.#meshesOf(node)) {
      if (mesh.length < this.#degree.low) this.#graft(node, topic, connected);
    }
  }

  /** Connected subscribers of the topic that are no mesh peers of the node. */
  others(node: NodeIndex, topic: string, connected: readonly NodeIndex[]): NodeIndex[] {
    const mesh = this.mesh(node, topic);
    return connected.filter((peer) => this.isSubscribed(peer, topic) && !mesh.includes(peer));
  }

  /** `node` gave its connection to `peer` up; the other end finds out by itself. */
  cut(node: NodeIndex, peer: NodeIndex): void {
    for (const topic of this.#meshesOf(node).keys()) this.#forget(node, topic, peer);
  }

  /** The node stopped: its subscriptions are gone, and those that have it in a mesh find out by themselves. */
  drop(node: NodeIndex): void {
    this.#meshesOf(node).clear();
  }

  /** Grafts random ones of `candidates` up to D. */
  #graft(node: NodeIndex, topic: string, candidates: readonly NodeIndex[]): void {
    const mesh = this.#meshesOf(node).get(topic);
    if (mesh === undefined || mesh.length >= this.#degree.target) return;
    const willing = this.others(node, topic, candidates).filter(
      (peer) => this.mesh(peer, topic).length < this.#degree.high,
    );
    if (willing.length === 0) return;
    for (const peer of this.#random.sample(willing, this.#degree.target - mesh.length)) {
      mesh.push(peer);
      const theirs = this.#meshesOf(peer).get(topic);
      if (theirs?.includes(node) === false) theirs.push(node);
    }
  }

  #forget(node: NodeIndex, topic: string, peer: NodeIndex): void {
    const mesh = this.#meshesOf(node).get(topic);
    const at = mesh?.indexOf(peer) ?? -1;
    if (at >= 0) mesh?.splice(at, 1);
  }

  #meshesOf(node: NodeIndex): Map<string, NodeIndex[]> {
    const meshes = this.#meshes[node];
    if (meshes === undefined) throw new RangeError(`no node ${node}`);
    return meshes;
  }
}
