// Connections as the two ends see them. A connection has a number; each end holds it open on its own, so
// after a crash or a partition one end may believe in what the other has forgotten, as with TCP.

import type { LinkIndex, LinkTable } from "./links.ts";
import type { NodeIndex } from "./node-types.ts";

/** No connection is held. */
export const NO_CONNECTION = 0;
const NO_PEERS: readonly NodeIndex[] = [];

/** The connections of all nodes. */
export class ConnectionTable {
  readonly #links: LinkTable;
  /** Per link: the connection that its near end believes in. */
  readonly #held: number[] = [];
  /** Per node: its peers by its own view, oldest connection first. */
  readonly #peers: NodeIndex[][];
  readonly #dialling: Set<NodeIndex>[];
  readonly #perNodeMax: number;
  #numbers = NO_CONNECTION;

  constructor(links: LinkTable, nodes: number, perNodeMax: number) {
    this.#links = links;
    this.#peers = Array.from({ length: nodes }, () => []);
    this.#dialling = Array.from({ length: nodes }, () => new Set<NodeIndex>());
    this.#perNodeMax = perNodeMax;
  }

  /** The peers of `node` by its own view, oldest connection first. */
  peers(node: NodeIndex): readonly NodeIndex[] {
    return this.#peers[node] ?? NO_PEERS;
  }

  /** The connection that the near end of a link believes in, or {@link NO_CONNECTION}. */
  on(link: LinkIndex): number {
    return this.#held[link] ?? NO_CONNECTION;
  }

  /** The connection that `node` believes it has to `peer`, or {@link NO_CONNECTION}. */
  held(node: NodeIndex, peer: NodeIndex): number {
    const link = this.#links.find(node, peer);
    return link === undefined ? NO_CONNECTION : this.on(link);
  }

  /** Both ends hold the same connection. */
  isLive(a: NodeIndex, b: NodeIndex): boolean {
    const link = this.#links.find(a, b);
    if (link === undefined) return false;
    return this.on(link) !== NO_CONNECTION && this.on(link) === this.on(link ^ 1);
  }

  /** Marks a dial as under way; false when one is, or a connection is held already. */
  beginDial(node: NodeIndex, peer: NodeIndex): boolean {
    const dialling = this.#dialling[node];
    if (dialling === undefined || dialling.has(peer)) return false;
    if (this.held(node, peer) !== NO_CONNECTION) return false;
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
    const link = this.#links.ensure(a, b);
    this.#hold(link, number);
    this.#hold(link ^ 1, number);
  }

  /** Closes at one end; false when that end held none (or another than `number`). */
  close(node: NodeIndex, peer: NodeIndex, number?: number): boolean {
    const link = this.#links.find(node, peer);
    const held = link === undefined ? NO_CONNECTION : this.on(link);
    if (link === undefined || held === NO_CONNECTION) return false;
    if (number !== undefined && held !== number) return false;
    this.#held[link] = NO_CONNECTION;
    this.#peers[node] = this.peers(node).filter((other) => other !== peer);
    return true;
  }

  /** Forgets everything one end held and every dial it had under way, as a crash does. */
  drop(node: NodeIndex): void {
    for (const peer of this.peers(node)) {
      const link = this.#links.find(node, peer);
      if (link !== undefined) this.#held[link] = NO_CONNECTION;
    }
    this.#peers[node] = [];
    this.#dialling[node]?.clear();
  }

  #hold(link: LinkIndex, number: number): void {
    while (this.#held.length <= link) this.#held.push(NO_CONNECTION);
    const node = this.#links.from(link);
    if (this.#held[link] === NO_CONNECTION) {
      this.#peers[node] = [...this.peers(node), this.#links.to(link)];
    }
    this.#held[link] = number;
  }

  #hasRoom(node: NodeIndex, peer: NodeIndex): boolean {
    return this.held(node, peer) !== NO_CONNECTION || this.peers(node).length < this.#perNodeMax;
  }
}
