// Connections as the two ends see them. A connection has a number; each end holds it open on its own, so
// after a crash or a partition one end may believe in what the other has forgotten, as with TCP.

import type { NodeIndex } from "./node-types.ts";

/** The connections of all nodes. */
export class ConnectionTable {
  /** Per node: peer to connection number. */
  readonly #open: Map<NodeIndex, number>[];
  readonly #dialling: Set<NodeIndex>[];
  readonly #perNodeMax: number;
  #numbers = 0;

  constructor(nodes: number, perNodeMax: number) {
    this.#open = Array.from({ length: nodes }, () => new Map<NodeIndex, number>());
    this.#dialling = Array.from({ length: nodes }, () => new Set<NodeIndex>());
    this.#perNodeMax = perNodeMax;
  }

  /** The peers of `node` by its own view, oldest connection first. */
  peers(node: NodeIndex): readonly NodeIndex[] {
    return [...(this.#open[node]?.keys() ?? [])];
  }

  /** The number of the connection that `node` believes it has to `peer`. */
  held(node: NodeIndex, peer: NodeIndex): number | undefined {
    return this.#open[node]?.get(peer);
  }

  /** Both ends hold the same connection. */
  isLive(a: NodeIndex, b: NodeIndex): boolean {
    const number = this.held(a, b);
    return number !== undefined && number === this.held(b, a);
  }

  /** Marks a dial as under way; false when one is, or a connection is held already. */
  beginDial(node: NodeIndex, peer: NodeIndex): boolean {
    const dialling = this.#dialling[node];
    if (dialling === undefined || dialling.has(peer) || this.held(node, peer) !== undefined)
      return false;
    dialling.add(peer);
    return true;
  }

  endDial(node: NodeIndex, peer: NodeIndex): void {
    this.#dialling[node]?.delete(peer);
  }

  /** Whether both ends have room for one more. An end that replaces a stale connection has. */
  hasRoom(a: NodeIndex, b: NodeIndex): boolean {
    return this.#hasRoom(a, b) && this.#hasRoom(b, a);
  }

  /** Opens a new connection at both ends. */
  open(a: NodeIndex, b: NodeIndex): void {
    const number = ++this.#numbers;
    this.#open[a]?.set(b, number);
    this.#open[b]?.set(a, number);
  }

  /** Closes at one end; false when that end held none (or another than `number`). */
  close(node: NodeIndex, peer: NodeIndex, number?: number): boolean {
    const open = this.#open[node];
    const held = open?.get(peer);
    if (open === undefined || held === undefined || (number !== undefined && held !== number))
      return false;
    open.delete(peer);
    return true;
  }

  /** Forgets everything one end held and every dial it had under way, as a crash does. */
  drop(node: NodeIndex): void {
    this.#open[node]?.clear();
    this.#dialling[node]?.clear();
  }

  #hasRoom(node: NodeIndex, peer: NodeIndex): boolean {
    const open = this.#open[node];
    return open !== undefined && (open.has(peer) || open.size < this.#perNodeMax);
  }
}
