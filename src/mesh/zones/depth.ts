// How deep the automatic zones lie. All nodes decide by this rule from the same summaries, without a coordinator.
// A zone should have about √N members, and not fewer than a floor below which gossip is cheap anyway. It is split above
// twice that and merged below half of it: between the two a mesh may grow or shrink fourfold before anything moves.
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
  const wanted = Math.max(Math.sqrt(size), membersMin);
  const isTooLarge = (at: number): boolean => size / 2 ** at > 2 * wanted && at < AUTO_DEPTH_MAX;
  const isTooSmall = (at: number): boolean => size / 2 ** at < wanted / 2 && at > 0;
  let at = depth;
  while (isTooLarge(at)) at++;
  while (isTooSmall(at)) at--;
  if (at !== depth || common === undefined) return at;
  return isTooLarge(common) || isTooSmall(common) ? depth : common;
}
