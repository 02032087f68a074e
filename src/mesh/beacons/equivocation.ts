// Proof of equivocation: two different state beacons of one node, epoch and sequence, both signed by it.
// It convinces anyone who has the node's identity, so it travels by gossip and needs no trust in its bearer.
// kind (1) | version (1) | length (2) | first beacon | length (2) | second beacon, the smaller one first.

import {
  ByteReader,
  concatBytes,
  isMeshError,
  ok,
  type Result,
  refuse,
  uint16be,
} from "../../foundation/index.ts";
import type { EquivocationProof } from "../machine-types.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";
import {
  BEACON_VERSION,
  beaconKinds,
  beaconLimits,
  decodeStateBeacon,
  type UnverifiedBeacon,
} from "./state-beacon.ts";

export const PROOF_BYTES_MAX = 2 * beaconLimits.bytes + 6;

/** A parsed proof; the signatures are still to be checked. */
export interface UnverifiedProof {
  readonly proof: EquivocationProof;
  readonly first: UnverifiedBeacon;
  readonly second: UnverifiedBeacon;
}

/** Negative, zero or positive as `a` sorts before, with or behind `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The bytes of a proof; the order of the two beacons is the form's own. */
export function encodeProof(one: Uint8Array, other: Uint8Array): Uint8Array {
  const [first, second] = compareBytes(one, other) < 0 ? [one, other] : [other, one];
  return concatBytes(
    Uint8Array.of(beaconKinds.proof, BEACON_VERSION),
    uint16be(first.length),
    first,
    uint16be(second.length),
    second,
  );
}

function split(bytes: Uint8Array): readonly [Uint8Array, Uint8Array] | undefined {
  const reader = new ByteReader(bytes);
  try {
    if (reader.uint8() !== beaconKinds.proof || reader.uint8() !== BEACON_VERSION) return undefined;
    const first = reader.take(reader.uint16be());
    const second = reader.take(reader.uint16be());
    return reader.remaining === 0 ? [first, second] : undefined;
  } catch (error) {
    if (isMeshError(error)) return undefined;
    throw error;
  }
}

/**
 * Parses a proof. Codes: `mesh/too-large`, `mesh/malformed`, and `mesh/not-a-proof` when the two beacons
 * do not contradict each other: another node, epoch or sequence, or the same signed bytes.
 */
export function decodeProof(bytes: Uint8Array): Result<UnverifiedProof, BeaconRejectCode> {
  if (bytes.length > PROOF_BYTES_MAX) return refuse("mesh/too-large");
  const parts = split(bytes);
  if (parts === undefined) return refuse("mesh/malformed", "not two beacons");
  const first = decodeStateBeacon(parts[0]);
  if (!first.ok) return first;
  const second = decodeStateBeacon(parts[1]);
  if (!second.ok) return second;
  const { nodeId, epoch, sequence } = first.value.beacon;
  const other = second.value.beacon;
  const order = compareBytes(first.value.signed, second.value.signed);
  const contradicts =
    other.nodeId === nodeId && other.epoch === epoch && other.sequence === sequence && order !== 0;
  if (!contradicts) return refuse("mesh/not-a-proof");
  if (compareBytes(parts[0], parts[1]) >= 0)
    return refuse("mesh/malformed", "beacons out of order");
  return ok({
    proof: { nodeId, epoch, sequence, first: parts[0], second: parts[1] },
    first: first.value,
    second: second.value,
  });
}
