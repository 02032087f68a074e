// How deep the automatic zones lie. All nodes decide by this rule from the same summaries, without a coordinator.
// A node's cost grows with the members of its zone (heartbeats: 1.6 kB/s each) and with the number of zones (summaries: 0.15 kB/s
// each), so it is least with zones of a third of √N. A zone should have half of √N members, and not fewer than a floor below
// which gossip is cheap anyway. It is split above one and a half times that and merged below half of it: between the two a mesh
// may grow or shrink threefold before anything moves.
// Within this band the mesh's own median depth decides, so that nodes which came by different ways end up together.

import { AUTO_DEPTH_MAX } from "./zone-names.ts";

/** What one zone tells about the size of the mesh. */
export interface ZoneSize {
  readonly depth: number;
  readonly members: number;
}

/** The upper median; `undefined` of nothing. */
function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/**
 * The size of the mesh that its zones tell: the sum of their members, but not more than their median implies. NodeIds are
 * spread evenly, so each zone is a sample, `members · 2^depth`; the median of these bounds what a gateway that lies can add,
 * and what is told twice while zones split. @returns 0 without a zone
 */
export function meshSize(zones: readonly ZoneSize[]): number {
  const sum = zones.reduce((total, { members }) => total + members, 0);
  return Math.min(sum, median(zones.map(({ depth, members }) => members * 2 ** depth)) ?? 0);
}

/** The depth that most of the mesh has; `undefined` without a zone. */
export function commonDepth(zones: readonly ZoneSize[]): number | undefined {
  return median(zones.map(({ depth }) => depth));
}

const SHARE_OF_ROOT = 0.5;
const SPLIT_ABOVE = 1.5;
const MERGE_BELOW = 0.5;

/** What the rule knows. */
export interface DepthInput {
  /** Where the node is. */
  readonly depth: number;
  /** Of the whole mesh. */
  readonly size: number;
  readonly common: number | undefined;
  /** Members that a zone should have at least. */
  readonly membersMin: number;
}

/** The depth that a node should have. */
export function wantedDepth({ depth, size, common, membersMin }: DepthInput): number {
  const wanted = Math.max(SHARE_OF_ROOT * Math.sqrt(size), membersMin);
  const isTooLarge = (at: number): boolean =>
    size / 2 ** at > SPLIT_ABOVE * wanted && at < AUTO_DEPTH_MAX;
  const isTooSmall = (at: number): boolean => size / 2 ** at < MERGE_BELOW * wanted && at > 0;
  let at = depth;
  while (isTooLarge(at)) at++;
  while (isTooSmall(at)) at--;
  if (at !== depth || common === undefined) return at;
  return isTooLarge(common) || isTooSmall(common) ? depth : common;
}

/** The depth at which an automatic mesh of this size comes to rest, having grown. */
export function depthOfSize(size: number, membersMin: number): number {
  return wantedDepth({ depth: 0, size, common: undefined, membersMin });
}
