// Names of zones. A configured zone has the operator's name; automatic zones are the subtrees of a binary prefix tree
// over NodeIds: `auto/` holds all of them, `auto/01` those whose NodeId begins with the bits 01. So a node's
// automatic zone follows from its NodeId and a depth, and anyone can check whether a node can be in one at all.

import type { NodeId } from "../../identity/index.ts";

/** The zone of a node that leaves the choice to the mesh. */
export const AUTO_ZONE = "auto";
/** No configured name has the slash. */
const AUTO_PREFIX = "auto/";
/** Deep enough for zones of 4,096 in a mesh of 16 million. */
export const AUTO_DEPTH_MAX = 12;

/** The first `depth` bits of a NodeId as text. */
function bitsOf(nodeId: NodeId, depth: number): string {
  const digits = Math.ceil(depth / 4);
  const bits = Array.from(nodeId.slice(0, digits), (digit) =>
    Number.parseInt(digit, 16).toString(2).padStart(4, "0"),
  );
  return bits.join("").slice(0, depth);
}

/** The automatic zone of a node at a depth, 0..{@link AUTO_DEPTH_MAX}. */
export function autoZone(nodeId: NodeId, depth: number): string {
  return AUTO_PREFIX + bitsOf(nodeId, depth);
}

/** The depth of an automatic zone; `undefined` for a configured one. */
export function depthOf(zone: string): number | undefined {
  return zone.startsWith(AUTO_PREFIX) ? zone.length - AUTO_PREFIX.length : undefined;
}

/** Whether the name is one that a zone can have: of automatic ones only bits, and not too many. */
export function isZoneName(zone: string): boolean {
  const depth = depthOf(zone);
  if (depth === undefined) return true;
  return depth <= AUTO_DEPTH_MAX && /^[01]*$/.test(zone.slice(AUTO_PREFIX.length));
}

/** Whether a node can be in a zone: always in a configured one, in an automatic one by its NodeId. */
export function fits(nodeId: NodeId, zone: string): boolean {
  const depth = depthOf(zone);
  return depth === undefined || autoZone(nodeId, depth) === zone;
}

/** Whether a node that says it is in `zone` is one for the members of `of`: automatic zones go by the NodeId alone. */
export function belongs(nodeId: NodeId, zone: string, of: string): boolean {
  if (zone === of) return true;
  return depthOf(zone) !== undefined && depthOf(of) !== undefined && fits(nodeId, of);
}

/** Whether an automatic zone lies within another, itself not included. */
export function isPartOf(zone: string, of: string): boolean {
  const [depth, depthOfOuter] = [depthOf(zone), depthOf(of)];
  if (depth === undefined || depthOfOuter === undefined) return false;
  return depth > depthOfOuter && zone.startsWith(of);
}

/**
 * Where a node starts: in its configured zone, or, when that is left to the mesh, in the automatic one that it was in last.
 * @param remembered from the disk: a name that this node cannot have any more is no help
 */
export function startingZone(
  configured: string,
  remembered: string | undefined,
  nodeId: NodeId,
): string {
  if (configured !== AUTO_ZONE || remembered === undefined) return configured;
  const isGood = depthOf(remembered) !== undefined && isZoneName(remembered);
  return isGood && fits(nodeId, remembered) ? remembered : configured;
}
