// Pull synchronisation: a node tells what it has (40 bytes a member), a peer answers with what it lacks.
// The answers authenticate themselves, so a pulled beacon is worth exactly what a gossiped one is.
// node id (32) | epoch (4) | sequence (4). Two kinds of entries have numbers that no beacon has: a quarantined member
// the highest epoch, with that of its proof in the place of the sequence; a released one sequence 0, with its floor as epoch.

import { fromHex, toHex } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { QuarantineCase } from "../membership/quarantine.ts";

export const DIGEST_ENTRY_BYTES = 40;
const HIGHEST = 0xffff_ffff;
const NO_SEQUENCE = 0;

/** What is known of one node. */
export interface DigestEntry {
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly sequence: number;
}

/** What a peer has. */
export interface Digest {
  /** Beacons, and proofs in the place of the beacons of who is in quarantine. */
  readonly newest: ReadonlyMap<NodeId, DigestEntry>;
  /** Floors of releases. */
  readonly floors: ReadonlyMap<NodeId, number>;
}

/** Tells which statement about a node is known. */
export function evidenceEntry({
  nodeId,
  kind,
  epoch,
}: Pick<QuarantineCase, "nodeId" | "kind" | "epoch">): DigestEntry {
  return kind === "proof"
    ? { nodeId, epoch: HIGHEST, sequence: epoch }
    : { nodeId, epoch, sequence: NO_SEQUENCE };
}

/** The bytes of a digest. */
export function encodeDigest(entries: readonly DigestEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * DIGEST_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { nodeId, epoch, sequence }] of entries.entries()) {
    const at = index * DIGEST_ENTRY_BYTES;
    bytes.set(fromHex(nodeId), at);
    view.setUint32(at + 32, epoch);
    view.setUint32(at + 36, sequence);
  }
  return bytes;
}

/** Parses a digest; `undefined` for a broken entry or more than `entriesMax`. */
export function decodeDigest(bytes: Uint8Array, entriesMax: number): Digest | undefined {
  if (bytes.length % DIGEST_ENTRY_BYTES !== 0) return undefined;
  if (bytes.length / DIGEST_ENTRY_BYTES > entriesMax) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const newest = new Map<NodeId, DigestEntry>();
  const floors = new Map<NodeId, number>();
  for (let at = 0; at < bytes.length; at += DIGEST_ENTRY_BYTES) {
    const nodeId = toHex(bytes.subarray(at, at + 32)) as NodeId;
    const epoch = view.getUint32(at + 32);
    const sequence = view.getUint32(at + 36);
    if (sequence === NO_SEQUENCE) floors.set(nodeId, epoch);
    else newest.set(nodeId, { nodeId, epoch, sequence });
  }
  return { newest, floors };
}

/** Whether the holder of `entry` lacks a beacon of this epoch and sequence. */
export function isNewer(epoch: number, sequence: number, entry: DigestEntry | undefined): boolean {
  if (entry === undefined) return true;
  return epoch > entry.epoch || (epoch === entry.epoch && sequence > entry.sequence);
}

/** Whether the holder of a digest lacks a statement that stands above its own. */
export function lacksEvidence(
  { newest, floors }: Digest,
  { nodeId, kind, epoch }: Pick<QuarantineCase, "nodeId" | "kind" | "epoch">,
): boolean {
  const entry = newest.get(nodeId);
  const proofEpoch = entry?.epoch === HIGHEST ? entry.sequence : undefined;
  const floor = floors.get(nodeId) ?? 0;
  if (kind === "proof") return proofEpoch === undefined && epoch >= floor;
  return epoch > floor && (proofEpoch === undefined || epoch > proofEpoch);
}
