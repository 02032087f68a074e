// Links and routes as the control API tells them: the mesh machine's answers with names, and the connection there is.

import type { Body, LinksAnswer, RouteAnswer, RouteRequest } from "../control/index.ts";
import { nodeSpiffeId } from "../identity/index.ts";
import type { HopView, PathView } from "../mesh/index.ts";
import type { Member } from "./member.ts";
import { memberCalled } from "./member-lookup.ts";

/** The own links. */
export function linksOf(member: Member): Body<LinksAnswer> {
  return {
    links: member.mesh.links().map((link) => ({
      ...node(member, link.nodeId),
      rttMs: link.rttMs ?? null,
      jitterMs: link.jitterMs ?? null,
      lossForward: link.lossForward,
      lossBackward: link.lossBackward ?? null,
      etx: finite(link.etx),
      cost: finite(link.cost),
      published: link.published,
      differing: link.differing,
      needed: link.needed,
    })),
  };
}

/** The route to a member, why it is this one, and what else there is. @throws MeshError `control/unknown-peer`, `control/ambiguous-peer` */
export function routeOf(member: Member, { peer, paths }: RouteRequest): Body<RouteAnswer> {
  const { mesh, network, bundle } = member;
  const { nodeId, state } = memberCalled(mesh.members(), bundle.trustDomain, peer);
  const target = node(member, nodeId);
  const route = mesh.route(nodeId);
  const view = (path: PathView): NonNullable<RouteAnswer["path"]> => pathOf(member, path);
  const transport = network.transportTo(nodeId);
  return {
    target: { ...target, spiffeId: nodeSpiffeId(bundle.trustDomain, target.name), state },
    transport: {
      kind: transport === undefined ? "none" : transport.relay === undefined ? "direct" : "relayed",
      address: transport?.address ?? null,
      relay: transport?.relay ?? null,
    },
    path: route === undefined ? null : view(route.path),
    alternatives: route?.alternatives.map(view) ?? [],
    hysteresis: { betterForMs: route?.betterForMs ?? null, holdMs: route?.holdMs ?? 0 },
    disjoint: mesh.disjointRoutes(nodeId, paths).map(view),
    relays: mesh
      .relaysFor(nodeId)
      .map(({ nodeId: relay, cost, connected }) => ({ ...node(member, relay), cost, connected })),
  };
}

function pathOf(member: Member, { hops, cost }: PathView): NonNullable<RouteAnswer["path"]> {
  const hop = ({ from, to, ...numbers }: HopView) => ({
    from: node(member, from),
    to: node(member, to),
    ...numbers,
  });
  return { cost, hops: hops.map(hop) };
}

function node(member: Member, nodeId: string): { readonly name: string; readonly nodeId: string } {
  return { name: member.nameOf(nodeId), nodeId };
}

/** JSON has no infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
