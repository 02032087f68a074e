// What each node sent and received so far, on the model of wire-sizes.ts, and how often its code ran.

import type { NodeIndex } from "./node-types.ts";
import type { Usage } from "./usage.ts";
import { SEGMENT_ACK_BYTES, segmentsOf, wireBytes } from "./wire-sizes.ts";

/** What a frame is to the counters. State beacons, summaries and proofs are `large`, heartbeats `small`, probes and pulls `direct`. */
export type TrafficKind = "small" | "large" | "offer" | "want" | "direct";

/** Messages from here on are `large`: they carry a signature. */
export const LARGE_MESSAGE_BYTES = 512;

/** Counters per node. What the network lost was sent and not received. */
export class Traffic {
  readonly sentBytes: Float64Array;
  readonly receivedBytes: Float64Array;
  readonly sentMessages: Float64Array;
  readonly receivedMessages: Float64Array;
  /** Sent by all, without acknowledgements. */
  readonly sentBytesOf: Record<TrafficKind, number> = {
    ...{ small: 0, large: 0, offer: 0, want: 0, direct: 0 },
  };

  constructor(nodes: number) {
    this.sentBytes = new Float64Array(nodes);
    this.receivedBytes = new Float64Array(nodes);
    this.sentMessages = new Float64Array(nodes);
    this.receivedMessages = new Float64Array(nodes);
  }

  /** Of all nodes together. */
  get totals(): Omit<Usage, "atMs" | "cpuMicros"> {
    return {
      sentBytesOf: { ...this.sentBytesOf },
      sentBytes: sum(this.sentBytes),
      receivedBytes: sum(this.receivedBytes),
      sentMessages: sum(this.sentMessages),
    };
  }

  sent(from: NodeIndex, frameBytes: number, kind: TrafficKind): void {
    const bytes = wireBytes(frameBytes);
    this.sentBytesOf[kind] += bytes;
    add(this.sentBytes, from, bytes);
    add(this.sentMessages, from, 1);
  }

  /** A frame arrived; its acknowledgements go back. */
  received(from: NodeIndex, to: NodeIndex, frameBytes: number): void {
    const ackBytes = segmentsOf(frameBytes) * SEGMENT_ACK_BYTES;
    add(this.receivedBytes, to, wireBytes(frameBytes));
    add(this.receivedMessages, to, 1);
    add(this.sentBytes, to, ackBytes);
    add(this.receivedBytes, from, ackBytes);
  }
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

function add(counts: Float64Array, node: NodeIndex, amount: number): void {
  counts[node] = (counts[node] ?? 0) + amount;
}
