// The verifier's place in a member's hash chain, and whether a heartbeat proves life now or only in the past.
// Clocks need not agree: the fastest delivery since the last state beacon tells when each index is due.

import type { MonoMs } from "../../ports/index.ts";
import { chainContext, type StateBeacon } from "../beacons/state-beacon.ts";
import type { ChainPlace } from "./member.ts";

/** The place after a newly accepted state beacon; a link that was verified further along stays. */
export function placeAfterBeacon(
  before: ChainPlace | undefined,
  beacon: StateBeacon,
  sameEpoch: boolean,
): ChainPlace {
  const { base, length, position, anchor, intervalMs } = beacon.chain;
  const keep = sameEpoch && before?.base === base && before.position >= position;
  return {
    base,
    length,
    intervalMs,
    context: chainContext(beacon.nodeId, beacon.epoch, base),
    position: keep ? before.position : position,
    // A place of its own: links to come are written into it, and the anchor is a part of the beacon.
    lastLink: keep ? before.lastLink : anchor.slice(),
    originMs: undefined,
  };
}

/**
 * Moves the place to a verified link and says whether it came in time to prove life: at most `lateIntervals` heartbeat
 * intervals after it was due.
 */
export function advance(
  place: ChainPlace,
  verified: { readonly position: number; readonly link: Uint8Array },
  nowMs: MonoMs,
  lateIntervals: number,
): boolean {
  place.position = verified.position;
  place.lastLink.set(verified.link);
  const sinceOriginMs = (place.base + verified.position) * place.intervalMs;
  const originMs = (nowMs - sinceOriginMs) as MonoMs;
  if (place.originMs === undefined || originMs < place.originMs) place.originMs = originMs;
  return originMs - place.originMs <= lateIntervals * place.intervalMs;
}
