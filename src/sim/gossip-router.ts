// Gossip between the nodes: eager push along the meshes, lazy repair by IHAVE and IWANT once a heartbeat, and a seen-cache
// that stops what comes around again. It decides who sends what to whom; the world carries it and asks the nodes.

import { GossipOverlay, meshDegree } from "./gossip-overlay.ts";
import { GossipStore } from "./gossip-store.ts";
import type { Datagram, GossipMessage, NodeIndex, SimNode } from "./node-types.ts";
import type { SeededRandom } from "./random.ts";
import { SeenMessages } from "./seen-messages.ts";
import { NO_NODE } from "./trace-digest.ts";
import { gossipBytes, messageIdsBytes } from "./wire-sizes.ts";

/** Messages that one offer names at most; the newest (gossipsub: 5,000). */
const OFFER_MESSAGES_MAX = 5_000;
/** Share of the subscribers beside the mesh that get an offer, when that is more than `lazyPeers`. */
const LAZY_RATIO = 0.25;
/** An offer names the messages of so many heartbeats (gossipsub's mcache_gossip). */
const OFFER_HEARTBEATS = 3;
/** Messages of one generation that are told apart: one a second of every node in the largest world. */
const MESSAGES_MAX = 4_000_000;

/** What gossip nodes send each other. */
export type GossipFrame =
  | { readonly kind: "message"; readonly message: GossipMessage }
  /** IHAVE: these messages are to be had. */
  | { readonly kind: "offer"; readonly messages: readonly GossipMessage[] }
  /** IWANT: please send these. */
  | { readonly kind: "want"; readonly messages: readonly GossipMessage[] };

type Passer = Pick<SimNode<Datagram>, "passesOn">;

/** What gossip needs of the world. */
export interface GossipWorld {
  readonly clock: { readonly nowMs: number };
  peers(node: NodeIndex): readonly NodeIndex[];
  /** Puts a frame on the connection that `from` believes it has to `to`; nothing without one. */
  carry(from: NodeIndex, to: NodeIndex, payloadBytes: number, frame: GossipFrame): void;
}

/** Options of the gossip; see `WorldOptions`. */
export interface GossipOptions {
  readonly meshPeers: number;
  readonly lazyPeers: number;
  readonly floodPublish: boolean;
  readonly seenMs: number;
  readonly isOffered: (topic: string) => boolean;
}

/** What one node remembers of gossip; it dies with the node. */
interface Memory {
  seen: SeenMessages;
  /** What it published or accepted of offered topics since its gossip heartbeat, and between those before; newest first. */
  recent: GossipMessage[][];
}

/** The gossip of a world. */
export class GossipRouter {
  readonly #world: GossipWorld;
  readonly #options: GossipOptions;
  readonly #overlay: GossipOverlay;
  readonly #store: GossipStore;
  readonly #offering: SeededRandom;
  readonly #memories: Memory[];

  constructor(
    world: GossipWorld,
    sha256: (data: Uint8Array) => Uint8Array,
    random: SeededRandom,
    { nodes, ...options }: GossipOptions & { readonly nodes: number },
  ) {
    this.#world = world;
    this.#options = options;
    this.#overlay = new GossipOverlay(nodes, random.fork("overlay"), meshDegree(options.meshPeers));
    this.#store = new GossipStore(sha256, options.seenMs, MESSAGES_MAX);
    this.#offering = random.fork("offers");
    this.#memories = Array.from({ length: nodes }, newMemory);
  }

  /** A node starts: it remembers nothing. */
  start(node: NodeIndex): void {
    this.#memories[node] = newMemory();
  }

  /** A node stopped or crashed. */
  drop(node: NodeIndex): void {
    this.#overlay.drop(node);
  }

  subscribe(node: NodeIndex, topic: string): void {
    this.#overlay.subscribe(node, this.#store.topic(topic), this.#world.peers(node));
  }

  unsubscribe(node: NodeIndex, topic: string): void {
    this.#overlay.unsubscribe(node, topic);
  }

  /** A connection is up. */
  connected(a: NodeIndex, b: NodeIndex): void {
    this.#overlay.connected(a, b);
    this.#overlay.connected(b, a);
  }

  /** `node` gave its connection to `peer` up. */
  cut(node: NodeIndex, peer: NodeIndex): void {
    this.#overlay.cut(node, peer);
  }

  /** The message of these bytes, new or not. */
  intern(topic: string, bytes: Uint8Array): GossipMessage {
    return this.#store.intern(topic, bytes, this.#world.clock.nowMs);
  }

  /** Whether the node may have it and had it not; from now on it had. */
  isNew(node: NodeIndex, message: GossipMessage): boolean {
    return this.#memory(node).seen.add(message, this.#store.generationAt(this.#world.clock.nowMs));
  }

  isSubscribed(node: NodeIndex, topic: string): boolean {
    return this.#overlay.isSubscribed(node, topic);
  }

  /** A message of the node's own: to its mesh, and when it floods, to every other subscriber it is connected to. */
  publish(node: NodeIndex, name: string, bytes: Uint8Array): void {
    const message = this.intern(name, bytes);
    const { topic } = message;
    this.isNew(node, message);
    this.push(node, message, NO_NODE);
    // Without a subscription there is no mesh, and the subscribers are all there is: gossipsub's fanout.
    if (!this.#options.floodPublish && this.isSubscribed(node, topic)) return;
    const frame = { kind: "message", message } as const;
    for (const peer of this.#overlay.others(node, topic, this.#world.peers(node))) {
      this.#gossip(node, peer, frame);
    }
  }

  /** Passes a message on to every mesh peer but the one it came from; to those that `passer` leaves to its origin's flood not. */
  push(node: NodeIndex, message: GossipMessage, except: NodeIndex, passer?: Passer): void {
    if (this.#options.isOffered(message.topic)) this.#memory(node).recent[0]?.push(message);
    const frame = { kind: "message", message } as const;
    const leaves = this.#options.floodPublish ? passer : undefined;
    for (const peer of this.#overlay.mesh(node, message.topic)) {
      if (peer !== except && leaves?.passesOn(message, peer) !== false)
        this.#gossip(node, peer, frame);
    }
  }

  /** The gossip heartbeat of a node: it mends its meshes and offers what it had lately. */
  heartbeat(node: NodeIndex): void {
    const memory = this.#memory(node);
    const connected = this.#world.peers(node);
    this.#overlay.maintain(node, connected);
    const recent = memory.recent.flat();
    memory.recent = [[], ...memory.recent.slice(0, OFFER_HEARTBEATS - 1)];
    if (recent.length === 0 || this.#options.lazyPeers === 0) return;
    for (const topic of this.#overlay.topics(node)) {
      const messages = recent.filter((message) => message.topic === topic);
      if (messages.length > 0) this.#offer(node, topic, messages);
    }
  }

  /** Asks the offering peer for what the node has not seen; how many that is. */
  want(node: NodeIndex, from: NodeIndex, offered: readonly GossipMessage[]): number {
    const { seen } = this.#memory(node);
    const generation = this.#store.generationAt(this.#world.clock.nowMs);
    const messages = seen.lacking(offered, generation);
    const topic = messages[0]?.topic;
    if (topic === undefined) return 0;
    const sizeBytes = messageIdsBytes(topic, messages.length);
    this.#world.carry(node, from, sizeBytes, { kind: "want", messages });
    return messages.length;
  }

  /** Sends what a peer asked for. */
  give(node: NodeIndex, to: NodeIndex, messages: readonly GossipMessage[]): void {
    for (const message of messages) this.#gossip(node, to, { kind: "message", message });
  }

  /** Offers the messages to some subscribers of the topic that are no mesh peers. */
  #offer(node: NodeIndex, topic: string, recent: readonly GossipMessage[]): void {
    const others = this.#overlay.others(node, topic, this.#world.peers(node));
    if (others.length === 0) return;
    const count = Math.max(this.#options.lazyPeers, Math.floor(others.length * LAZY_RATIO));
    const messages = recent.slice(0, OFFER_MESSAGES_MAX);
    const frame: GossipFrame = { kind: "offer", messages };
    const sizeBytes = messageIdsBytes(topic, messages.length);
    for (const peer of this.#offering.sample(others, count)) {
      this.#world.carry(node, peer, sizeBytes, frame);
    }
  }

  #gossip(from: NodeIndex, to: NodeIndex, frame: GossipFrame & { kind: "message" }): void {
    const { topic, bytes } = frame.message;
    this.#world.carry(from, to, gossipBytes(topic, bytes.length), frame);
  }

  #memory(node: NodeIndex): Memory {
    const memory = this.#memories[node];
    if (memory === undefined) throw new RangeError(`no node ${node}`);
    return memory;
  }
}

function newMemory(): Memory {
  return { seen: new SeenMessages(), recent: [[]] };
}
