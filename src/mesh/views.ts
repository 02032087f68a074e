// Members as status shows them.

import type { MemberView } from "./machine-types.ts";
import { currentBeacon, type Member } from "./membership/member.ts";

/** A view while it is filled: spreading what may be absent would cost more than all else in it. */
type Filling = { -readonly [Key in keyof MemberView]: MemberView[Key] };

/** A snapshot of a member. */
export function memberView(member: Member, reputation: number): MemberView {
  const beacon = currentBeacon(member);
  const { link, name, lastErrorCode, chain, answeredAtMs } = member;
  const view: Filling = {
    nodeId: member.nodeId,
    state: member.state,
    connected: member.connected,
    reputation,
    epoch: beacon?.epoch ?? 0,
    sequence: beacon?.sequence ?? 0,
    heartbeatIndex: chain === undefined ? 0 : chain.base + chain.position,
    lastBeaconAtMs: member.lastBeaconAtMs,
    lastAliveAtMs: member.lastAliveAtMs,
    addresses: beacon?.addresses ?? member.seenAddresses,
    zone: beacon?.zone ?? "",
    roles: beacon?.roles ?? [],
    load: beacon?.load ?? 0,
  };
  if (name !== undefined) view.name = name;
  if (answeredAtMs !== undefined) view.answeredAtMs = answeredAtMs;
  if (link !== undefined) view.lossRatio = link.lossRatio;
  if (link?.rttMs !== undefined) view.rttMs = link.rttMs;
  if (beacon?.learning !== undefined) view.learning = beacon.learning;
  if (beacon?.svidNotAfterMs !== undefined) view.svidNotAfterMs = beacon.svidNotAfterMs;
  if (lastErrorCode !== undefined) view.lastErrorCode = lastErrorCode;
  return view;
}
