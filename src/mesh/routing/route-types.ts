// Links, paths and routes as they are shown and asked for.

import type { NodeId } from "../../identity/index.ts";

/** A link of the own node as it is measured now, beside what its beacon reports. */
export interface OwnLinkView {
  readonly nodeId: NodeId;
  /** Smoothed; absent before the first answer to a probe. */
  readonly rttMs?: number;
  /** Mean deviation of the round trip. */
  readonly jitterMs?: number;
  /** Share of the own probes without an answer, 0..1. */
  readonly lossForward: number;
  /** The same as the neighbour reports it; absent while its beacon does not name this node. */
  readonly lossBackward?: number;
  /** Expected transmissions, both directions; `Infinity` when nothing gets through. */
  readonly etx: number;
  /** Cost of what is measured now; `Infinity` for no link. */
  readonly cost: number;
  /** What the beacon says. It is replaced once `differing` reaches `needed` samples. */
  readonly published: { readonly rttMs: number; readonly lossRatio: number };
  readonly differing: number;
  readonly needed: number;
}

/** One link of a path, in its direction. */
export interface HopView {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly rttMs: number;
  readonly lossForward: number;
  readonly lossBackward: number;
  readonly cost: number;
}

/** A path from the own node. */
export interface PathView {
  readonly hops: readonly HopView[];
  readonly cost: number;
}

/** The route to a node, and why it is this one. */
export interface RouteDetail {
  readonly target: NodeId;
  readonly path: PathView;
  /** The best path over each other neighbour, the cheapest first; at most {@link ALTERNATIVES_MAX}. */
  readonly alternatives: readonly PathView[];
  /** How long some path has been better by a tenth; absent when none is. */
  readonly betterForMs?: number;
  /** For how long it has to be so until the next hop changes. */
  readonly holdMs: number;
}

/** A node that can lead a connection to the target. */
export interface RelayView {
  readonly nodeId: NodeId;
  /** From here to the target by this node. */
  readonly cost: number;
  /** Connected to this node, so that it can be asked at once. */
  readonly connected: boolean;
}

/** What {@link RouteDetail} and the list of relays hold at most. */
export const ALTERNATIVES_MAX = 4;
export const RELAYS_MAX = 8;
/** Disjoint paths at once. */
export const DISJOINT_MAX = 8;
