// A swarm as its checkers see it.

import type { MemberState } from "../../mesh/index.ts";
import type { Census } from "../census.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { MeshNode } from "../mesh-node.ts";
import type { NodeIndex } from "../node-types.ts";
import type { World } from "../world.ts";

/** A pair of which one does not see the other as it should. */
export interface Disagreement {
  readonly observer: NodeIndex;
  readonly subject: NodeIndex;
  readonly state: MemberState | "unknown";
}

/** What checkers may ask. */
export interface SwarmView {
  readonly nowMs: number;
  readonly size: number;
  readonly connectionsMax: number;
  readonly world: World<MeshDatagram>;
  readonly census: Census;
  /** The running honest node at this place. */
  node(node: NodeIndex): MeshNode | undefined;
  /** Up, honest and in good health. */
  isHealthy(node: NodeIndex): boolean;
  healthy(): NodeIndex[];
  isConnected(a: NodeIndex, b: NodeIndex): boolean;
  peers(node: NodeIndex): readonly NodeIndex[];
  /** How `observer` sees the others; those it does not know are absent. */
  states(observer: NodeIndex): Iterable<readonly [NodeIndex, MemberState]>;
  stateOf(observer: NodeIndex, subject: NodeIndex): MemberState | undefined;
  /** The zone that a node is in, or was in last. */
  zoneOf(node: NodeIndex): string;
  /** Whether the first is meant to have the second among its members. */
  shouldKnow(observer: NodeIndex, subject: NodeIndex): boolean;
  /** The first pair that keeps the swarm from being converged; `tolerated` counts as alive. */
  disagreement(tolerated?: MemberState): Disagreement | undefined;
}
