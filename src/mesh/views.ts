// Members as status shows them.

import type { MemberView } from "./machine-types.ts";
import { currentBeacon, type Member } from "./membership/member.ts";

/** A snapshot of a member. */
export function memberView(member: Member, reputation: number): MemberView {
  const beacon = currentBeacon(member);
  const { link, name, lastErrorCode, chain, answeredAtMs } = member;
  const rttMs = link?.rttMs;
  return {
    nodeId: member.nodeId,
    ...(name === undefined ? {} : { name }),
    state: member.state,
    connected: member.connected,
    reputation,
    epoch: beacon?.epoch ?? 0,
    sequence: beacon?.sequence ?? 0,
    heartbeatIndex: chain === undefined ? 0 : chain.base + chain.position,
    lastBeaconAtMs: member.lastBeaconAtMs,
    lastAliveAtMs: member.lastAliveAtMs,
    ...(answeredAtMs === undefined ? {} : { answeredAtMs }),
    addresses: beacon?.addresses ?? member.seenAddresses,
    zone: beacon?.zone ?? "",
    roles: beacon?.roles ?? [],
    load: beacon?.load ?? 0,
    ...(rttMs === undefined ? {} : { rttMs }),
    ...(link === undefined ? {} : { lossRatio: link.lossRatio }),
    ...(beacon?.learning === undefined ? {} : { learning: beacon.learning }),
    ...(beacon?.svidNotAfterMs === undefined ? {} : { svidNotAfterMs: beacon.svidNotAfterMs }),
    ...(lastErrorCode === undefined ? {} : { lastErrorCode }),
  };
}
