// Links, routes and relays as the roster implies them; computed anew only when the topology has changed.

import type { NodeId } from "../../identity/index.ts";
import type { Meter, MonoMs } from "../../ports/index.ts";
import { HYSTERESIS_HOLD_MS } from "../links/hysteresis.ts";
import type { LinkView, RouteView } from "../machine-types.ts";
import type { Roster } from "../membership/roster.ts";
import type { Topology } from "../topology/topology.ts";
import { disjointPaths } from "./disjoint-paths.ts";
import { MeshGraph, type MeshGraphDeps } from "./mesh-graph.ts";
import { NextHops } from "./next-hops.ts";
import { chooseRelays } from "./relays.ts";
import {
  ALTERNATIVES_MAX,
  DISJOINT_MAX,
  type HopView,
  type PathView,
  type RelayView,
  type RouteDetail,
} from "./route-types.ts";
import type { Path } from "./shortest-paths.ts";

/**
 * How often routes are looked at without being asked for, so that "better for two half-times" is seen. A look without a
 * change costs next to nothing, with one a thousand nodes take a tenth of a millisecond.
 */
const LOOK_INTERVAL_MS = 5_000;

interface RouteTableDeps extends MeshGraphDeps {
  readonly roster: Roster;
  readonly meter: Meter;
  /** In [-100, 0]; 0: nothing is known against the node. */
  readonly reputation: (nodeId: NodeId) => number;
}

/** Links and routes of the moment. */
export class RouteTable {
  readonly #deps: RouteTableDeps;
  readonly #graph: MeshGraph;
  readonly #nextHops: NextHops;
  #lookedAtMs: MonoMs | undefined;

  constructor(deps: RouteTableDeps) {
    this.#deps = deps;
    this.#graph = new MeshGraph(deps);
    this.#nextHops = new NextHops(this.#graph.topology, deps.self);
  }

  /** Looks, if the last look was long enough ago. */
  tick(nowMs: MonoMs): void {
    if (this.#lookedAtMs === undefined || nowMs - this.#lookedAtMs >= LOOK_INTERVAL_MS)
      this.#look(nowMs);
  }

  /** Usable links, each once. */
  links(nowMs: MonoMs): LinkView[] {
    return linksOf(this.#look(nowMs));
  }

  /** The route to every node that can be reached, by node id. */
  routes(nowMs: MonoMs): RouteView[] {
    const topology = this.#look(nowMs);
    const routes: RouteView[] = [];
    for (let slot = 0; slot < topology.slots; slot++) {
      const target = topology.id(slot);
      const path = target === undefined ? undefined : this.#nextHops.path(target);
      const nextHop = topology.id(path?.nodes[1] ?? -1);
      if (target === undefined || path === undefined || nextHop === undefined) continue;
      routes.push({ target, nextHop, hops: path.nodes.length - 1, cost: path.cost });
    }
    return routes.sort((a, b) => (a.target < b.target ? -1 : 1));
  }

  /** The route to a node with its reasons; `undefined` when there is none. */
  route(target: NodeId, nowMs: MonoMs): RouteDetail | undefined {
    const topology = this.#look(nowMs);
    const path = this.#nextHops.path(target);
    if (path === undefined) return undefined;
    const sinceMs = this.#nextHops.betterSinceMs(target);
    return {
      target,
      path: this.#view(path),
      alternatives: this.#alternatives(topology.slot(target), path),
      ...(sinceMs === undefined ? {} : { betterForMs: nowMs - sinceMs }),
      holdMs: HYSTERESIS_HOLD_MS,
    };
  }

  /** At most `count` (and {@link DISJOINT_MAX}) paths without a common node, of the least total cost. */
  disjointRoutes(target: NodeId, count: number, nowMs: MonoMs): PathView[] {
    const topology = this.#look(nowMs);
    const [from, to] = [topology.slot(this.#deps.self), topology.slot(target)];
    if (to === -1) return [];
    const paths = disjointPaths(topology, from, to, Math.min(count, DISJOINT_MAX));
    return paths.map((path) => this.#view(path));
  }

  relaysFor(target: NodeId, nowMs: MonoMs): RelayView[] {
    const { self, reputation, roster } = this.#deps;
    const topology = this.#look(nowMs);
    const path = this.#nextHops.path(target);
    const member = (nodeId: NodeId) => roster.get(nodeId);
    return chooseRelays({ topology, self, target, path, member, reputation });
  }

  #look(nowMs: MonoMs): Topology {
    this.#lookedAtMs = nowMs;
    this.#graph.update();
    const { topology } = this.#graph;
    if (this.#nextHops.update(nowMs)) {
      this.#deps.meter.set("meshd_mesh_topology_links", topology.links);
      this.#deps.meter.count("meshd_mesh_route_computations_total");
    }
    return topology;
  }

  #alternatives(target: number, inUse: Path): PathView[] {
    const { topology } = this.#graph;
    const self = topology.slot(this.#deps.self);
    const start = topology.starts[self] ?? 0;
    const neighbours = topology.targets.subarray(start, start + (topology.lengths[self] ?? 0));
    return [...neighbours]
      .flatMap((via) => (via === inUse.nodes[1] ? [] : [this.#nextHops.pathVia(via, target)]))
      .filter((path) => path !== undefined)
      .sort((a, b) => a.cost - b.cost)
      .slice(0, ALTERNATIVES_MAX)
      .map((path) => this.#view(path));
  }

  #view({ nodes, cost }: Path): PathView {
    const { topology } = this.#graph;
    const hops: HopView[] = [];
    for (let i = 1; i < nodes.length; i++) {
      const [from, to] = [nodes[i - 1] ?? -1, nodes[i] ?? -1];
      const [fromId, toId, edge] = [topology.id(from), topology.id(to), topology.edge(from, to)];
      if (fromId === undefined || toId === undefined || edge === undefined) continue;
      hops.push({ from: fromId, to: toId, ...edge });
    }
    return { hops, cost };
  }
}

function linksOf(topology: Topology): LinkView[] {
  const links: LinkView[] = [];
  for (let from = 0; from < topology.slots; from++) {
    const start = topology.starts[from] ?? 0;
    for (const to of topology.targets.subarray(start, start + (topology.lengths[from] ?? 0))) {
      const edge = topology.edge(from, to);
      const [one, other] = [topology.id(from), topology.id(to)];
      // Shown from its first end, or from the only end that knows it: the own node's.
      if (edge === undefined || one === undefined || other === undefined) continue;
      if (from > to && topology.edge(to, from) !== undefined) continue;
      const { rttMs, lossForward, lossBackward, cost } = edge;
      const [a, b] = one < other ? [one, other] : [other, one];
      links.push({ a, b, rttMs, lossRatio: Math.max(lossForward, lossBackward), cost });
    }
  }
  return links.sort((x, y) => (x.a === y.a ? (x.b < y.b ? -1 : 1) : x.a < y.a ? -1 : 1));
}
