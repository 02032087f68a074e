// What a node is to the world: a thing that events go into and actions come out of. The mesh node binds
// the production machine to it; tests bind toys. Nodes are numbered 0..N-1; the world knows no other name.

import type { Now } from "../ports/index.ts";

/** A node's number in its world. */
export type NodeIndex = number;

/** A gossip message; one object for all copies of the same bytes on the same topic. */
export interface GossipMessage {
  /** Counts the distinct messages of the run: the name of the message in the trace. */
  readonly number: number;
  readonly topic: string;
  readonly bytes: Uint8Array;
  /** First 32 bits of the hash of the bytes, for the trace. */
  readonly word: number;
  /** The span of time that it was first published in, and its number from 0 in that and its topic: for seen-caches. */
  readonly generation: number;
  readonly place: number;
}

/** A message between two connected nodes. The world carries it and does not look inside. */
export interface Datagram {
  /** A constant word, for the trace. */
  readonly kind: string;
  /** Tells it from its like, for the trace. */
  readonly number: number;
  /** What it would take on the wire. */
  readonly sizeBytes: number;
}

/** What a node learns from the world. */
export type NodeEvent<D extends Datagram> =
  /** Once, first. */
  | { readonly kind: "started" }
  /** Once, last, when it is stopped in an orderly way; never when it crashes. */
  | { readonly kind: "stopping" }
  | { readonly kind: "timer"; readonly id: string }
  | { readonly kind: "connected"; readonly peer: NodeIndex }
  | { readonly kind: "disconnected"; readonly peer: NodeIndex }
  | { readonly kind: "dial-failed"; readonly peer: NodeIndex }
  | { readonly kind: "datagram"; readonly from: NodeIndex; readonly datagram: D };

/** What a node wants from the world, in order. */
export type NodeAction<D extends Datagram> =
  /** Replaces a timer of the same id. Milliseconds of the node's own clock. */
  | { readonly kind: "set-timer"; readonly id: string; readonly delayMs: number }
  | { readonly kind: "clear-timer"; readonly id: string }
  /** Joins the gossip of a topic; only its subscribers get its messages. */
  | { readonly kind: "subscribe"; readonly topic: string }
  | { readonly kind: "unsubscribe"; readonly topic: string }
  /** Gossip of one's own; without a subscription, too. */
  | { readonly kind: "publish"; readonly topic: string; readonly bytes: Uint8Array }
  /** Passes on a message whose verdict was `defer`. */
  | { readonly kind: "forward"; readonly message: GossipMessage }
  /** To a connected peer; dropped when there is no connection. */
  | { readonly kind: "send"; readonly to: NodeIndex; readonly datagram: D }
  /** Ends in `connected` or `dial-failed`; nothing when already connected. */
  | { readonly kind: "dial"; readonly to: NodeIndex }
  | { readonly kind: "disconnect"; readonly to: NodeIndex };

/** A node's word on a gossip message. `defer`: it may still come as a `forward` action. */
export interface ReceiveResult<D extends Datagram> {
  readonly verdict: "accept" | "reject" | "ignore" | "defer";
  /** A constant word, for the trace. */
  readonly code: string;
  readonly actions: readonly NodeAction<D>[];
}

/** A node. Deterministic: it draws on nothing but its arguments and what its maker gave it. */
export interface SimNode<D extends Datagram> {
  handle(event: NodeEvent<D>, now: Now): readonly NodeAction<D>[];
  /** A gossip message it has not seen before. */
  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<D>;
  /** Whether it passes an accepted message on to a mesh peer, or leaves that to the publisher's flood. */
  passesOn(message: GossipMessage, to: NodeIndex): boolean;
}
