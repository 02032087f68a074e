// The options of a world, what it counts, and the events that wait in its queue.

import type { GossipFrame } from "./gossip-router.ts";
import type { LinkIndex } from "./links.ts";
import type { NetworkOptions } from "./network.ts";
import type { Datagram, NodeIndex } from "./node-types.ts";
import type { ClockError } from "./virtual-clock.ts";

/** Options of a world. Times in virtual milliseconds. */
export interface WorldOptions {
  /** 1..65,536. */
  readonly nodes: number;
  /** Low 32 bits count. */
  readonly seed: number;
  readonly network?: Partial<NetworkOptions>;
  /** How far the node's clocks are off; default: not at all. */
  readonly clockError?: (node: NodeIndex) => Partial<ClockError>;
  /** Connections one node holds at most; a dial beyond fails. @default 64 */
  readonly connectionsMax?: number;
  /** gossipsub's D: mesh peers a node wants in each topic; with less than two thirds it grafts. @default the daemon's */
  readonly meshPeers?: number;
  /** gossipsub's Dlazy: subscribers beside the mesh that are offered the recent messages, once a heartbeat. @default 6 */
  readonly lazyPeers?: number;
  /** Topics whose messages are offered to those. @default all */
  readonly isOffered?: (topic: string) => boolean;
  /** Own messages go to every connected subscriber, as js-libp2p's gossipsub does unless told otherwise. @default true */
  readonly floodPublish?: boolean;
  /** Between two offers. @default 1000 */
  readonly gossipHeartbeatMs?: number;
  /** When an end notices that the other end is silent: a crash, a partition. @default 10000 */
  readonly silenceMs?: number;
  /** When a dial that nobody answers fails. @default 5000 */
  readonly dialTimeoutMs?: number;
  /** Half-life of the seen-caches: a message is known for one to two of them. @default 60000 */
  readonly seenMs?: number;
  /**
   * Whether message bytes enter the trace. Set false when they are not a function of the seed, as with
   * an engine whose signatures are hedged with the operating system's randomness. @default true
   */
  readonly bytesInTrace?: boolean;
  /** Microseconds of CPU or of a clock, to measure what the nodes' code takes; outside the run and its trace. */
  readonly stopwatch?: () => number;
}

/** What happened in the world so far. */
export interface WorldCounts {
  /** Events delivered to nodes. */
  events: number;
  published: number;
  accepted: number;
  rejected: number;
  ignored: number;
  /** Gossip copies that a node had seen before. */
  repeated: number;
  /** Messages that were asked for after an offer. */
  wanted: number;
  /** Dials that failed. */
  dialsFailed: number;
}

/** What two nodes send each other. */
export type Frame<D extends Datagram> =
  | GossipFrame
  | { readonly kind: "datagram"; readonly datagram: D };

/** What waits in the queue. `life` is the incarnation that an event is meant for. */
export type WorldEvent<D extends Datagram> =
  | { readonly type: "start"; readonly node: NodeIndex; readonly life: number }
  | {
      readonly type: "timer";
      readonly node: NodeIndex;
      readonly id: string;
      readonly token: number;
    }
  /** A frame at the far end of a link. */
  | {
      readonly type: "frame";
      /** The far end. */
      readonly node: NodeIndex;
      readonly link: LinkIndex;
      readonly connection: number;
      readonly frameBytes: number;
      readonly frame: Frame<D>;
    }
  /** The node's gossip heartbeat. */
  | { readonly type: "gossip-heartbeat"; readonly node: NodeIndex; readonly life: number }
  /** The moment at which a dial succeeds if both ends are up and can reach each other. */
  | {
      readonly type: "dial";
      readonly node: NodeIndex;
      readonly peer: NodeIndex;
      readonly life: number;
      readonly failsAtMs: number;
    }
  | {
      readonly type: "dial-failed";
      readonly node: NodeIndex;
      readonly peer: NodeIndex;
      readonly life: number;
    }
  /** The other end said that this connection is closed. */
  | {
      readonly type: "closed";
      readonly node: NodeIndex;
      readonly peer: NodeIndex;
      readonly connection: number;
    }
  /** The moment at which an end gives up a connection whose other end is gone or out of reach. */
  | {
      readonly type: "silence";
      readonly node: NodeIndex;
      readonly peer: NodeIndex;
      readonly connection: number;
    }
  /** A step of the scenario. */
  | { readonly type: "plan"; readonly label: string; readonly run: () => void };
