// Zones as the control API shows them: the own one by its members, the others by their gateways' summaries.

import { systemClock } from "../adapters/clock.ts";
import type { Body, Zones } from "../control/index.ts";
import type { ZoneView } from "../mesh/index.ts";
import type { Member } from "./member.ts";

/** The zones that a node knows. @param setting the zone that the configuration says, or `auto` */
export function zonesOf(member: Member | undefined, setting: string): Body<Zones> {
  if (member === undefined) return { setting, zone: setting, zones: [] };
  return {
    setting,
    zone: member.mesh.zone,
    zones: member.mesh.zones().map((view) => zoneOf(member, view)),
  };
}

function zoneOf(member: Member, view: ZoneView): Zones["zones"][number] {
  const { zone, own, members, load, publisher, sequence, issuedAtMs, digest } = view;
  const nowMs = systemClock.now().monoMs;
  const route = member.mesh.zoneRoute(zone);
  const isTold =
    publisher !== undefined &&
    sequence !== undefined &&
    issuedAtMs !== undefined &&
    digest !== undefined;
  return {
    ...{ zone, own, members, load },
    gateways: view.gateways.map((nodeId) => ({ name: member.nameOf(nodeId), nodeId })),
    neighbours: view.neighbours.map((link) => ({ ...link })),
    summary: isTold
      ? { publisher, sequence, ageMs: Math.max(0, nowMs - issuedAtMs), membership: digest }
      : null,
    route:
      route === undefined
        ? null
        : {
            zones: [...route.zones],
            cost: route.cost,
            via: route.via.map((nodeId) => member.nameOf(nodeId)),
          },
  };
}
