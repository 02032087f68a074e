// Looks at each gossip RPC before gossipsub does anything with it: who may bring how much of what. What is dropped here
// leaves no trace in gossipsub's caches, so that the same message is still taken from a peer that keeps to the rules.

import type { RPC } from "@libp2p/gossipsub/message";
import { RateLimiter } from "../../mesh/index.ts";
import type { Meter, MonoMs } from "../../ports/index.ts";
import { type TopicName, topicBytesMax } from "./topics.ts";

/** Why a message was dropped before gossipsub saw it. */
export const guardDrops = ["stranger", "rate", "topic", "oversize", "disguised"] as const;
type GuardDrop = (typeof guardDrops)[number];

/**
 * Most messages a second that a peer may bring, and at once. An honest one brings each message of the zone once: 1,000
 * nodes make 1,000 heartbeats and 17 state beacons a second, and all of them send one after a partition heals.
 */
const HEARTBEAT_RATE = { perSecond: 4_096, burst: 8_192 };
const SIGNED_RATE = { perSecond: 128, burst: 1_024 };
/** A certified round among 64 participants is some ten messages of each, in a second or two when training is short. */
const ROUNDS_RATE = { perSecond: 512, burst: 2_048 };
const PEERS_MAX = 1_024;

/**
 * Message ids that one RPC may ask for. The answer is one RPC, too: so many of the longest state messages are what
 * {@link RPC_BYTES_MAX} has room for. Whoever lacks more asks again, or pulls.
 */
export const IWANT_IDS_MAX = 32;

/** The longest RPC: an answer to IWANT of longest tasks is cut by nobody, so there is room for it. */
export const RPC_BYTES_MAX = IWANT_IDS_MAX * (32 * 1024 + 512);

export interface RpcGuardDeps {
  readonly meter: Meter;
  readonly monoMs: () => MonoMs;
  /** Whether the connection's handshake proved a member. */
  readonly isMember: (peerId: string) => boolean;
  /** What is said on a topic; undefined for one that this node has not joined. */
  readonly joined: (topic: string) => TopicName | undefined;
  /** Whether this could be a topic of the mesh: subscriptions to others are forgotten. */
  readonly isOurs: (topic: string) => boolean;
  /** The peer sent what no honest one sends on this topic. */
  readonly onInvalid: (peerId: string, topic: string) => void;
  /** The peer sends more than any honest one. */
  readonly onExcess: (peerId: string) => void;
}

export class RpcGuard {
  readonly #deps: RpcGuardDeps;
  readonly #heartbeats = new RateLimiter({ ...HEARTBEAT_RATE, bucketsMax: PEERS_MAX });
  readonly #signed = new RateLimiter({ ...SIGNED_RATE, bucketsMax: PEERS_MAX });
  readonly #rounds = new RateLimiter({ ...ROUNDS_RATE, bucketsMax: PEERS_MAX });

  constructor(deps: RpcGuardDeps) {
    this.#deps = deps;
  }

  /** Leaves in the RPC what may be looked at. */
  admit(peerId: string, rpc: RPC): void {
    if (rpc.subscriptions.length > 0) {
      rpc.subscriptions = rpc.subscriptions.filter(
        ({ topic }) => topic !== undefined && this.#deps.isOurs(topic),
      );
    }
    if (rpc.messages.length > 0) this.#admitMessages(peerId, rpc);
    this.#admitRequests(rpc);
  }

  #admitMessages(peerId: string, rpc: RPC): void {
    const { isMember, meter, onInvalid, onExcess } = this.#deps;
    const member = isMember(peerId);
    const drops = new Set<GuardDrop>();
    rpc.messages = rpc.messages.filter((message) => {
      const reason = member ? this.#dropOf(peerId, message) : "stranger";
      if (reason === undefined) return true;
      drops.add(reason);
      meter.count("meshd_network_gossip_dropped_total", { reason });
      if (reason === "oversize" || reason === "disguised") onInvalid(peerId, message.topic);
      return false;
    });
    if (drops.has("rate")) onExcess(peerId);
  }

  #dropOf(peerId: string, message: RPC.Message): GuardDrop | undefined {
    const name = this.#deps.joined(message.topic);
    if (!this.#rateOf(name).take(peerId, this.#deps.monoMs())) return "rate";
    if (name === undefined) return "topic"; // no blame: this node may just have left it
    if ((message.data?.length ?? 0) > topicBytesMax[name]) return "oversize";
    // gossipsub 17 checks the other fields of a signed message but not this one, and would forward what stands in it.
    return message.from === undefined ? undefined : "disguised";
  }

  #rateOf(name: TopicName | undefined): RateLimiter {
    if (name === "heartbeat") return this.#heartbeats;
    return name === "rounds" ? this.#rounds : this.#signed;
  }

  #admitRequests({ control }: RPC): void {
    if (control === undefined) return;
    let left = IWANT_IDS_MAX;
    for (const iwant of control.iwant) {
      iwant.messageIDs = iwant.messageIDs.slice(0, left);
      left -= iwant.messageIDs.length;
    }
  }
}
