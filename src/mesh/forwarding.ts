// Whom a heartbeat is passed on to. Its origin sends it to every node that it is connected to, so to those a copy from here says
// nothing new; and heartbeats are nearly all that gossip carries. Every third goes to them all the same, but may wait to go with others: where
// a connection is up at its origin's end alone, that is still within the intervals after which a member counts as late.

import type { NodeId } from "../identity/index.ts";
import { decodeHeartbeat } from "./beacons/heartbeat.ts";
import type { NeighbourReport } from "./beacons/state-beacon.ts";
import { currentBeacon } from "./membership/member.ts";
import type { Forwarding } from "./machine-types.ts";
import type { Roster } from "./membership/roster.ts";

const SPARE_EVERY = 3;

/**
 * Whether and when `self` passes a gossip message on to a neighbour. What the origin's signed beacon says of its connections decides,
 * so who lies about them keeps none but its own heartbeats from others.
 */
export function forwarding(
  self: NodeId,
  roster: Roster,
  bytes: Uint8Array,
  to: NodeId,
): Forwarding {
  const heartbeat = decodeHeartbeat(bytes);
  if (!heartbeat.ok) return "now";
  const { nodeId, index } = heartbeat.value;
  const origin = roster.get(nodeId);
  const neighbours = origin && currentBeacon(origin)?.neighbours;
  if (neighbours === undefined || !isConnectedTo(neighbours, to)) return "now";
  // Not the same one for every pair of nodes, or some would go to nobody and others to all.
  return (index + lastByte(self) + lastByte(to)) % SPARE_EVERY === 0 ? "spare" : "never";
}

function lastByte(nodeId: NodeId): number {
  return Number.parseInt(nodeId.slice(-2), 16);
}

/** @param neighbours ascending by node id, as a beacon has them */
function isConnectedTo(neighbours: readonly NeighbourReport[], nodeId: NodeId): boolean {
  let [from, to] = [0, neighbours.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const one = neighbours[middle];
    if (one === undefined || one.nodeId === nodeId) return one?.suspect === false;
    if (one.nodeId < nodeId) from = middle + 1;
    else to = middle;
  }
  return false;
}
