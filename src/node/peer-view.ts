// Members of the mesh as the control API shows them: as peers, by their beacons, and one that was looked up.

import { systemClock } from "../adapters/clock.ts";
import { Network } from "../adapters/libp2p/network.ts";
import type { PromMeter } from "../adapters/telemetry/prom-meter.ts";
import type { Beacons, Body, LookedUp, Peer, Peers } from "../control/index.ts";
import type { MemberView } from "../mesh/index.ts";
import type { Found } from "./lookup.ts";
import type { Member } from "./member.ts";

export function peersOf(member: Member | undefined): Body<Peers> {
  return { peers: member?.mesh.members().map((view) => peerOf(member, view)) ?? [] };
}

/** The last beacon of each member, with the links that beacons tell of, and how many were accepted and refused. */
export function beaconsOf(member: Member | undefined, prom: PromMeter): Body<Beacons> {
  const nowMs = systemClock.now().monoMs;
  const links = member?.mesh.topology() ?? [];
  const nameOf = (nodeId: string): string => member?.nameOf(nodeId) ?? nodeId;
  return {
    beacons:
      member?.mesh.members().map((view) => ({
        name: nameOf(view.nodeId),
        nodeId: view.nodeId,
        epoch: view.epoch,
        sequence: view.sequence,
        ageMs: Math.max(0, nowMs - view.lastBeaconAtMs),
        heartbeatIndex: view.heartbeatIndex,
        addresses: [...view.addresses],
        zone: view.zone,
        roles: [...view.roles],
        neighbours: links.flatMap(({ a, b }) =>
          a === view.nodeId ? [nameOf(b)] : b === view.nodeId ? [nameOf(a)] : [],
        ),
      })) ?? [],
    counters: {
      accepted: countsOf(prom, "meshd_mesh_beacons_accepted_total", "kind"),
      rejected: countsOf(prom, "meshd_mesh_beacons_rejected_total", "code"),
    },
  };
}

/** Where a node is that was looked up. */
export function lookedUpOf(member: Member, found: Found): Body<LookedUp> {
  if (found.source === "mesh") {
    const { nodeId, zone, epoch, sequence, ...peer } = {
      ...found.view,
      ...peerOf(member, found.view),
    };
    const { name, spiffeId, peerId, addresses } = peer;
    return {
      node: { nodeId, name, spiffeId, peerId, zone, addresses, epoch, sequence, source: "mesh" },
    };
  }
  const { identity, zone, addresses, epoch, sequence } = found.record;
  const { nodeId, name, spiffeId, ed25519 } = identity;
  const peerId = Network.peerIdOf(ed25519).toString();
  return {
    node: {
      ...{ nodeId, name, spiffeId, peerId, zone, addresses: [...addresses], epoch, sequence },
      source: "dht",
    },
  };
}

function peerOf(member: Member, view: MemberView): Peer {
  const identity = member.identities.lookup(view.nodeId);
  const relay = member.network.relayTo(view.nodeId);
  return {
    name: member.nameOf(view.nodeId),
    nodeId: view.nodeId,
    peerId: identity === undefined ? "" : Network.peerIdOf(identity.ed25519).toString(),
    spiffeId: identity?.spiffeId ?? "",
    state: view.state,
    connected: view.connected,
    suite: member.network.suiteOf(view.nodeId) ?? null,
    relay: relay === undefined ? null : member.nameOf(relay),
    rttMs: view.rttMs ?? null,
    lossRatio: view.lossRatio ?? 0,
    lastBeaconAgeMs: Math.max(0, systemClock.now().monoMs - view.lastBeaconAtMs),
    epoch: view.epoch,
    sequence: view.sequence,
    addresses: [...view.addresses],
    lastErrorCode: view.lastErrorCode ?? null,
    score: member.network.scoreOf(view.nodeId) ?? null,
    reputation: Math.round(view.reputation),
  };
}

function countsOf(prom: PromMeter, metric: string, label: string): Record<string, number> {
  const rows = prom.snapshot(metric).filter(({ value }) => value > 0);
  return Object.fromEntries(rows.map(({ labels, value }) => [labels[label] ?? "", value]));
}
