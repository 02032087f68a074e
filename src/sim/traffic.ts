// What each node sent and received so far, on the model of wire-sizes.ts, and how often its code ran.

import type { NodeIndex } from "./node-types.ts";
import { SEGMENT_ACK_BYTES, segmentsOf, wireBytes } from "./wire-sizes.ts";

/** Counters per node. What the network lost was sent and not received. */
export class Traffic {
  readonly sentBytes: Float64Array;
  readonly receivedBytes: Float64Array;
  readonly sentMessages: Float64Array;
  readonly receivedMessages: Float64Array;

  constructor(nodes: number) {
    this.sentBytes = new Float64Array(nodes);
    this.receivedBytes = new Float64Array(nodes);
    this.sentMessages = new Float64Array(nodes);
    this.receivedMessages = new Float64Array(nodes);
  }

  sent(from: NodeIndex, frameBytes: number): void {
    add(this.sentBytes, from, wireBytes(frameBytes));
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

function add(counts: Float64Array, node: NodeIndex, amount: number): void {
  counts[node] = (counts[node] ?? 0) + amount;
}
