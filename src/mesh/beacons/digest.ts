// Pull synchronisation: a node tells what it has (40 bytes a member), a peer answers with the beacons it lacks.
// The answers authenticate themselves, so a pulled beacon is worth exactly what a gossiped one is.
// node id (32) | epoch (4) | sequence (4); a quarantined member is listed with the highest values of both.

import { concatBytes, fromHex, toHex, uint32be } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";

export const DIGEST_ENTRY_BYTES = 40;
const HIGHEST = 0xffff_ffff;

/** What is known of one node. */
export interface DigestEntry {
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly sequence: number;
}

/** Marks a node whose proof of equivocation is known. */
export function quarantinedEntry(nodeId: NodeId): DigestEntry {
  return { nodeId, epoch: HIGHEST, sequence: HIGHEST };
}

/** The bytes of a digest. */
export function encodeDigest(entries: readonly DigestEntry[]): Uint8Array {
  return concatBytes(
    ...entries.flatMap((e) => [fromHex(e.nodeId), uint32be(e.epoch), uint32be(e.sequence)]),
  );
}

/** Parses a digest; `undefined` for a broken entry or more than `entriesMax`. */
export function decodeDigest(
  bytes: Uint8Array,
  entriesMax: number,
): ReadonlyMap<NodeId, DigestEntry> | undefined {
  if (bytes.length % DIGEST_ENTRY_BYTES !== 0) return undefined;
  if (bytes.length / DIGEST_ENTRY_BYTES > entriesMax) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<NodeId, DigestEntry>();
  for (let at = 0; at < bytes.length; at += DIGEST_ENTRY_BYTES) {
    const nodeId = toHex(bytes.subarray(at, at + 32)) as NodeId;
    const epoch = view.getUint32(at + 32);
    entries.set(nodeId, { nodeId, epoch, sequence: view.getUint32(at + 36) });
  }
  return entries;
}

/** Whether the holder of `entry` lacks a beacon of this epoch and sequence. */
export function isNewer(epoch: number, sequence: number, entry: DigestEntry | undefined): boolean {
  if (entry === undefined) return true;
  return epoch > entry.epoch || (epoch === entry.epoch && sequence > entry.sequence);
}
