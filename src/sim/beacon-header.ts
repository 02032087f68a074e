// Reads the fixed head of a beacon: kind, version, node id, epoch, number. The checkers read it with these
// few lines of their own, so that they do not believe the decoder of the code under test.

import { ByteReader, toHex } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";

const KINDS = new Map<number, "state" | "heartbeat">([
  [1, "state"],
  [2, "heartbeat"],
]);
const HEAD_BYTES = 42;

/** The head of a state beacon or a heartbeat. */
export interface BeaconHeader {
  readonly kind: "state" | "heartbeat";
  readonly nodeId: NodeId;
  readonly epoch: number;
  /** A state beacon's sequence, a heartbeat's index. */
  readonly number: number;
}

/** The head of a message; undefined when it is neither of the two kinds. */
export function readBeaconHeader(bytes: Uint8Array): BeaconHeader | undefined {
  const kind = KINDS.get(bytes[0] ?? 0);
  if (kind === undefined || bytes.length < HEAD_BYTES) return undefined;
  const reader = new ByteReader(bytes);
  reader.take(2);
  const nodeId = toHex(reader.take(32)) as NodeId;
  return { kind, nodeId, epoch: reader.uint32be(), number: reader.uint32be() };
}
