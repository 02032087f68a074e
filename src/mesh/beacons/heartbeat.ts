// The heartbeat: 74 bytes that reveal the next link of the hash chain which a signed state beacon anchored.
// Whoever can invert SHA-256 could forge one; whoever knows the last link verifies with one or a few hashes.
// kind (1) | version (1) | node id (32) | epoch (4) | index (4) | link (32)

import {
  concatBytes,
  fromHex,
  ok,
  type Result,
  refuse,
  toHex,
  uint32be,
} from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";
import { BEACON_VERSION, beaconKinds } from "./state-beacon.ts";

export const HEARTBEAT_BYTES = 74;

/** The content of a heartbeat. */
export interface Heartbeat {
  readonly nodeId: NodeId;
  /** 1..2^32-1 */
  readonly epoch: number;
  /** Counts through the epoch, across its chains: 1..2^32-1. */
  readonly index: number;
  /** 32 bytes, a view of the message. */
  readonly link: Uint8Array;
}

/** The bytes of a heartbeat. */
export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  return concatBytes(
    Uint8Array.of(beaconKinds.heartbeat, BEACON_VERSION),
    fromHex(heartbeat.nodeId),
    uint32be(heartbeat.epoch),
    uint32be(heartbeat.index),
    heartbeat.link,
  );
}

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function uint32At(bytes: Uint8Array, at: number): number {
  return ((uint16At(bytes, at) << 16) | uint16At(bytes, at + 2)) >>> 0;
}

/** Parses a heartbeat. Codes: `mesh/too-large`, `mesh/malformed`. */
export function decodeHeartbeat(bytes: Uint8Array): Result<Heartbeat, BeaconRejectCode> {
  if (bytes.length > HEARTBEAT_BYTES) return refuse("mesh/too-large");
  if (bytes.length < HEARTBEAT_BYTES) return refuse("mesh/malformed", "too short");
  if (bytes[0] !== beaconKinds.heartbeat || bytes[1] !== BEACON_VERSION) {
    return refuse("mesh/malformed", "another kind or version");
  }
  const epoch = uint32At(bytes, 34);
  const index = uint32At(bytes, 38);
  if (epoch === 0 || index === 0) return refuse("mesh/malformed", "epoch or index 0");
  return ok({
    nodeId: toHex(bytes.subarray(2, 34)) as NodeId,
    epoch,
    index,
    link: bytes.subarray(42),
  });
}
