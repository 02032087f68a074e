// The topology as the roster implies it, kept in step: only what has changed since the last look is set anew.

import type { NodeId } from "../../identity/index.ts";
import type { NeighbourReport, StateBeacon } from "../beacons/state-beacon.ts";
import { currentBeacon, type Member } from "../membership/member.ts";
import type { Roster } from "../membership/roster.ts";
import { Topology } from "../topology/topology.ts";

export interface MeshGraphDeps {
  readonly roster: Pick<Roster, "version" | "all" | "get">;
  readonly self: NodeId;
  readonly ownNeighbours: () => readonly NeighbourReport[];
}

/** The topology of members that routes may lead to and through. */
export class MeshGraph {
  readonly topology = new Topology();
  readonly #deps: MeshGraphDeps;
  /** The beacon whose neighbours a member has in the topology. */
  readonly #set = new Map<NodeId, StateBeacon | undefined>();
  #rosterVersion = -1;

  constructor(deps: MeshGraphDeps) {
    this.#deps = deps;
  }

  /** Takes over what the roster has learned. */
  update(): void {
    const { roster, self, ownNeighbours } = this.#deps;
    if (this.#rosterVersion === roster.version) return;
    this.#rosterVersion = roster.version;
    this.topology.setNode(self, ownNeighbours(), true);
    for (const nodeId of this.#set.keys()) {
      const member = roster.get(nodeId);
      if (member === undefined || !isRoutable(member)) this.#remove(nodeId);
    }
    for (const member of roster.all()) if (isRoutable(member)) this.#add(member);
  }

  #add(member: Member): void {
    const beacon = currentBeacon(member);
    const { nodeId } = member;
    if (this.#set.get(nodeId) === beacon && this.#set.has(nodeId)) return;
    this.#set.set(nodeId, beacon);
    this.topology.setNode(nodeId, beacon?.neighbours ?? []);
  }

  #remove(nodeId: NodeId): void {
    this.#set.delete(nodeId);
    this.topology.removeNode(nodeId);
  }
}

/** Routes lead to and through the living; a suspect is avoided before it is dead. */
function isRoutable(member: Member): boolean {
  return member.state === "alive" || (member.state === "joining" && member.connected);
}
