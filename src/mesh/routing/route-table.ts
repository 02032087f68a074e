// Topology and routes as the roster implies them, derived anew only after a change.

import type { NodeId } from "../../identity/index.ts";
import type { Meter } from "../../ports/index.ts";
import type { NeighbourReport } from "../beacons/state-beacon.ts";
import type { LinkView, RouteView } from "../machine-types.ts";
import { currentBeacon, type Member } from "../membership/member.ts";
import type { Roster } from "../membership/roster.ts";
import { type Graph, Topology } from "../topology/topology.ts";
import { ShortestPaths } from "./shortest-paths.ts";

interface RouteTableDeps {
  readonly roster: Roster;
  readonly meter: Meter;
  readonly self: NodeId;
  readonly ownNeighbours: () => readonly NeighbourReport[];
}

/** Links and routes of the moment. */
export class RouteTable {
  readonly #deps: RouteTableDeps;
  readonly #topology = new Topology();
  readonly #paths = new ShortestPaths();
  #version = -1;

  constructor(deps: RouteTableDeps) {
    this.#deps = deps;
  }

  /** Usable links, each once. */
  links(): LinkView[] {
    const graph = this.#current();
    const links: LinkView[] = [];
    for (let from = 0; from < graph.ids.length; from++) {
      const a = graph.ids[from];
      const end = graph.offsets[from + 1] ?? 0;
      for (let at = graph.offsets[from] ?? 0; at < end; at++) {
        const to = graph.targets[at] ?? 0;
        const b = graph.ids[to];
        if (from >= to || a === undefined || b === undefined) continue;
        const rttMs = graph.rttMs[at] ?? 0;
        links.push({
          a,
          b,
          rttMs,
          lossRatio: graph.lossRatio[at] ?? 0,
          cost: graph.costs[at] ?? 0,
        });
      }
    }
    return links;
  }

  /** The best route to every node that can be reached, by node id. */
  routes(): RouteView[] {
    const graph = this.#current();
    const routes: RouteView[] = [];
    for (let node = 0; node < graph.ids.length; node++) {
      const target = graph.ids[node];
      const nextHop = graph.ids[this.#paths.nextHop(node)];
      if (target === undefined || nextHop === undefined) continue;
      const hops = this.#paths.hops(node);
      routes.push({ target, nextHop, hops, cost: this.#paths.cost(node) });
    }
    return routes;
  }

  #current(): Graph {
    const { roster, meter, self } = this.#deps;
    if (this.#version !== roster.version) {
      this.#version = roster.version;
      this.#topology.clear();
      this.#topology.setNode(self, this.#deps.ownNeighbours(), true);
      for (const member of roster.all()) {
        if (!isRoutable(member)) continue;
        this.#topology.setNode(member.nodeId, currentBeacon(member)?.neighbours ?? []);
      }
      const graph = this.#topology.graph();
      this.#paths.run(graph, graph.index.get(self) ?? 0);
      meter.set("meshd_mesh_topology_links", graph.targets.length / 2);
      meter.count("meshd_mesh_route_computations_total");
    }
    return this.#topology.graph();
  }
}

/** Routes lead to and through the living; a suspect is avoided before it is dead. */
function isRoutable(member: Member): boolean {
  return member.state === "alive" || (member.state === "joining" && member.connected);
}
