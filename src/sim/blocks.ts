// Who cannot reach whom: partitions as a group number per node, and one-way blocks between two sets. Each stands until it
// is lifted, by itself or with all others, and a pair is open when none is in its way.

import { MeshError } from "../foundation/index.ts";
import type { SimErrorCode } from "./errors.ts";
import type { NodeIndex } from "./node-types.ts";

/** Blocks that stand at once; a flapping link lifts what it put up. */
const BLOCKS_MAX = 4_096;
const IN_NO_GROUP = -1;

/** Names a block, to lift it. */
export type BlockId = number;

type Block = (from: NodeIndex, to: NodeIndex) => boolean;

/** The blocks between the nodes of a world. */
export class Blocks {
  readonly #nodes: number;
  readonly #blocks = new Map<BlockId, Block>();
  #ids = 0;
  #version = 0;

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  /** Rises with every change: whoever keeps an answer compares it. */
  get version(): number {
    return this.#version;
  }

  /** How many stand. */
  get size(): number {
    return this.#blocks.size;
  }

  /**
   * Stops everything from any of `from` to any of `to`; one way only.
   * @throws MeshError `sim/bad-option` when too many stand
   */
  block(from: Iterable<NodeIndex>, to: Iterable<NodeIndex>): BlockId {
    const [sources, targets] = [new Set(from), new Set(to)];
    return this.#add((a, b) => a !== b && sources.has(a) && targets.has(b));
  }

  /**
   * Cuts the nodes into groups that cannot reach one another, both ways. Nodes in no group stay linked to all.
   * @throws MeshError `sim/bad-option` when too many stand
   */
  partition(groups: readonly (readonly NodeIndex[])[]): BlockId {
    const groupOf = new Int32Array(this.#nodes).fill(IN_NO_GROUP);
    for (const [index, group] of groups.entries()) for (const node of group) groupOf[node] = index;
    return this.#add((a, b) => {
      const [from, to] = [groupOf[a] ?? IN_NO_GROUP, groupOf[b] ?? IN_NO_GROUP];
      return from !== to && from !== IN_NO_GROUP && to !== IN_NO_GROUP;
    });
  }

  /** Lifts one block; nothing when it is lifted already. */
  lift(id: BlockId): void {
    if (this.#blocks.delete(id)) this.#version++;
  }

  liftAll(): void {
    this.#blocks.clear();
    this.#version++;
  }

  isBlocked(from: NodeIndex, to: NodeIndex): boolean {
    for (const blocks of this.#blocks.values()) if (blocks(from, to)) return true;
    return false;
  }

  #add(block: Block): BlockId {
    if (this.#blocks.size >= BLOCKS_MAX) {
      const code: SimErrorCode = "sim/bad-option";
      throw new MeshError(code, `At most ${BLOCKS_MAX} blocks stand at once. Lift some first.`);
    }
    this.#version++;
    const id = ++this.#ids;
    this.#blocks.set(id, block);
    return id;
  }
}
