// Zones of a round: who is with whom, and how many liars a zone must stand.
//
// Zones are drawn from the beacon of the certificate before, never chosen: liars cannot gather in one. Drawing m of N
// at random still scatters: the liars of a zone follow the hypergeometric distribution, whose tail is computed here.

import { concatBytes, fromHex, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { ParticipantId } from "../task.ts";

const ZONES_CONTEXT = utf8Bytes("x0tta6bl4/zones/1");
/** A zone may hold more liars than it stands with at most this probability, where its size allows. */
const TAIL = 1e-6;
/** No zone is asked to stand more than this share of liars: rules lose their hold on the way to a half. */
const SHARE_MAX = 0.45;

/** A SHA-256. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/**
 * Deals the participants into `count` zones whose sizes differ by at most one: ranked by H(context, beacon, id), dealt in
 * turn. Each zone ascending. Equal beacons give equal zones.
 */
export function drawZones(
  participants: readonly ParticipantId[],
  beacon: string,
  count: number,
  hash: Hash,
): ParticipantId[][] {
  const prefix = concatBytes(ZONES_CONTEXT, fromHex(beacon));
  const ranked = participants
    .map((id) => ({ id, rank: toHex(hash(concatBytes(prefix, fromHex(id)))) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const zones: ParticipantId[][] = Array.from({ length: count }, () => []);
  ranked.forEach(({ id }, i) => zones[i % count]?.push(id));
  for (const zone of zones) zone.sort();
  return zones;
}

/** f of a zone of `size` drawn from a population of N with f liars: the least the tail allows, at most 45 % of the zone. */
export function zoneByzantine(size: number, population: number, byzantine: number): number {
  const most = Math.floor(SHARE_MAX * size);
  for (let f = 0; f < most; f++) {
    if (liarsAbove(f, { size, population, byzantine }) <= TAIL) return f;
  }
  return most;
}

/** Probability that more than `limit` of `size` drawn without replacement are liars. */
export function liarsAbove(
  limit: number,
  draw: { readonly size: number; readonly population: number; readonly byzantine: number },
): number {
  const { size, population, byzantine } = draw;
  const least = Math.max(0, size - (population - byzantine));
  const most = Math.min(size, byzantine);
  // Each probability from its neighbour, outwards from the middle, where it is greatest: nothing underflows that counts.
  const middle = Math.min(most, Math.max(least, Math.floor((size * byzantine) / population)));
  const ratio = (k: number): number =>
    ((byzantine - k) * (size - k)) / ((k + 1) * (population - byzantine - size + k + 1));
  let whole = 0;
  let above = 0;
  const add = (k: number, weight: number): void => {
    whole += weight;
    if (k > limit) above += weight;
  };
  for (let k = middle, weight = 1; k <= most; weight *= ratio(k), k++) add(k, weight);
  for (let k = middle - 1, weight = 1; k >= least; k--) {
    weight /= ratio(k);
    add(k, weight);
  }
  return above / whole;
}
