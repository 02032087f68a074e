// The directed links of a world that are in use. A link is a row: whoever keeps something per link has a column of its own,
// indexed by the link's number. Only pairs that ever exchanged a byte have links, so a world costs memory by what its
// nodes do, not by the square of their number.

import type { NodeIndex } from "./node-types.ts";

/** The number of a directed link. The opposite direction has the number `link ^ 1`. */
export type LinkIndex = number;

/** Links by their ends. */
export class LinkTable {
  readonly #from: NodeIndex[] = [];
  readonly #to: NodeIndex[] = [];
  /** Per node: its peers to the links that lead there. */
  readonly #out: Map<NodeIndex, LinkIndex>[];

  constructor(nodes: number) {
    this.#out = Array.from({ length: nodes }, () => new Map<NodeIndex, LinkIndex>());
  }

  /** Directed links so far; their numbers are 0 to `size - 1`. */
  get size(): number {
    return this.#from.length;
  }

  from(link: LinkIndex): NodeIndex {
    return this.#from[link] ?? -1;
  }

  to(link: LinkIndex): NodeIndex {
    return this.#to[link] ?? -1;
  }

  /** The link of a pair; undefined when the pair was never used. */
  find(from: NodeIndex, to: NodeIndex): LinkIndex | undefined {
    return this.#out[from]?.get(to);
  }

  /** The link of a pair; made, with its opposite, when it is used first. */
  ensure(from: NodeIndex, to: NodeIndex): LinkIndex {
    const known = this.find(from, to);
    if (known !== undefined) return known;
    const link = this.#from.length;
    this.#from.push(from, to);
    this.#to.push(to, from);
    this.#out[from]?.set(to, link);
    this.#out[to]?.set(from, link + 1);
    return link;
  }
}
