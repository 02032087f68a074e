// What a node costs: the difference of two readings, shared out over the nodes.

import type { TrafficKind } from "./traffic.ts";

/** What all nodes of a world used up to a moment. */
export interface Usage {
  /** Virtual. */
  readonly atMs: number;
  /** On the model of wire-sizes.ts. What the network lost was sent and not received. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** `sentBytes` without acknowledgements, by kind. */
  readonly sentBytesOf: Readonly<Record<TrafficKind, number>>;
  readonly sentMessages: number;
  /** Of the nodes' own code, by the host's clock; 0 when nobody measured. */
  readonly cpuMicros: number;
}

/** The mean node, per second of virtual time. */
export interface PerNode {
  /** Sent: every byte counts once, where it leaves. */
  readonly bytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
  /** `bytesPerSecond` without acknowledgements, by kind. */
  readonly bytesPerSecondOf: Readonly<Record<TrafficKind, number>>;
  /** Frames sent. */
  readonly messagesPerSecond: number;
  readonly cpuMicrosPerSecond: number;
}

/** The mean of so many nodes between two readings. @param after later than `before` */
export function perNode(before: Usage, after: Usage, nodes: number): PerNode {
  const seconds = ((after.atMs - before.atMs) / 1000) * nodes;
  const rateOf = (kind: TrafficKind): number =>
    (after.sentBytesOf[kind] - before.sentBytesOf[kind]) / seconds;
  return {
    bytesPerSecondOf: {
      ...{ small: rateOf("small"), large: rateOf("large"), offer: rateOf("offer") },
      ...{ want: rateOf("want"), direct: rateOf("direct") },
    },
    bytesPerSecond: (after.sentBytes - before.sentBytes) / seconds,
    receivedBytesPerSecond: (after.receivedBytes - before.receivedBytes) / seconds,
    messagesPerSecond: (after.sentMessages - before.sentMessages) / seconds,
    cpuMicrosPerSecond: (after.cpuMicros - before.cpuMicros) / seconds,
  };
}
