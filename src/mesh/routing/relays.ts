// Who can lead a connection to a node that cannot be dialled: members connected to it, best those that this node has a connection to.
// Unknown is no relay: without an accepted beacon of its own, and both ends' word for its link to the target, nobody is asked.

import type { NodeId } from "../../identity/index.ts";
import type { Member } from "../membership/member.ts";
import type { Topology } from "../topology/topology.ts";
import { RELAYS_MAX, type RelayView } from "./route-types.ts";
import type { Path } from "./shortest-paths.ts";

/** Who is thought worse of than this relays nothing: reputation is in [-100, 0] and halves with time. */
export const RELAY_REPUTATION_MIN = -20;

export interface RelayChoice {
  readonly topology: Topology;
  readonly self: NodeId;
  readonly target: NodeId;
  /** The path in use, if any: the node before the target is worth connecting to. */
  readonly path: Path | undefined;
  readonly member: (nodeId: NodeId) => Member | undefined;
  readonly reputation: (nodeId: NodeId) => number;
}

/** In order of preference: connected ones first, then by the cost from here to the target. */
export function chooseRelays(choice: RelayChoice): RelayView[] {
  const { topology, self, target, path } = choice;
  const [selfSlot, targetSlot] = [topology.slot(self), topology.slot(target)];
  if (targetSlot === -1 || target === self) return [];
  const relays: RelayView[] = [];
  for (const slot of neighboursOf(topology, targetSlot)) {
    const nodeId = topology.id(slot);
    const last = topology.edge(slot, targetSlot);
    if (nodeId === undefined || last === undefined || !isFit(choice, nodeId)) continue;
    const first = topology.edge(selfSlot, slot);
    if (first !== undefined) relays.push({ nodeId, cost: first.cost + last.cost, connected: true });
    else if (path?.nodes.at(-2) === slot)
      relays.push({ nodeId, cost: path.cost, connected: false });
  }
  return relays.sort(byPreference).slice(0, RELAYS_MAX);
}

function neighboursOf({ starts, lengths, targets }: Topology, slot: number): Int32Array {
  const start = starts[slot] ?? 0;
  return targets.subarray(start, start + (lengths[slot] ?? 0));
}

function isFit({ self, member, reputation }: RelayChoice, nodeId: NodeId): boolean {
  const relay = member(nodeId);
  if (relay === undefined || nodeId === self) return false;
  const isKnown = relay.state === "alive" && relay.accepted.length > 0 && !relay.barred;
  return isKnown && reputation(nodeId) >= RELAY_REPUTATION_MIN;
}

function byPreference(a: RelayView, b: RelayView): number {
  if (a.connected !== b.connected) return a.connected ? -1 : 1;
  return a.cost - b.cost || (a.nodeId < b.nodeId ? -1 : 1);
}
