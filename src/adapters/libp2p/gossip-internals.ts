// What the gossipsub service has and its type does not tell: where an RPC comes in before anything is done with it, and
// the scores. An upgrade that moves one of them fails at the start, not under attack.

import type { GossipSub } from "@libp2p/gossipsub";
import type { RPC } from "@libp2p/gossipsub/message";
import type { TopicScoreParams } from "@libp2p/gossipsub/score";
import type { PeerId } from "@libp2p/interface";
import { assert } from "../../foundation/index.ts";

/** Of @libp2p/gossipsub 17's class `GossipSub`. */
export interface GossipInternals {
  /** Each decoded RPC goes through here, before the graylist, the caches and the validators. */
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>;
  getScore(peerId: string): number;
  /** Passes an accepted message on to the mesh of its topic, but for `except`. */
  forwardMessage(id: string, message: RPC.Message, source?: string, except?: Set<string>): void;
  /** Whether it could be sent: not without a gossip stream to the peer. */
  sendRpc(peerId: string, rpc: RPC): boolean;
  /** The PeerIds of the neighbours in each topic. */
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly score: {
    readonly params: { readonly topics: Record<string, TopicScoreParams> };
    /** P4 of one topic. */
    rejectInvalidMessage(peerId: string, topic: string): void;
    /** P7; the label is for gossipsub's own metrics, which are off. */
    addPenalty(peerId: string, penalty: number, label: string): void;
    /** Who brought which message, for P2 and P3. */
    readonly deliveryRecords: {
      ensureRecord(messageId: string): object;
      /** In the order in which they are forgotten. */
      readonly queue: { peekBack(): { readonly msgId: string; expire: number } | undefined };
    };
  };
  readonly mcache: {
    /** What is advertised to peers outside the mesh, by topic. */
    getGossipIDs(topics: Set<string>): Map<string, Uint8Array[]>;
  };
}

/** @throws MeshError `internal/invariant` when this version of gossipsub is built otherwise */
export function internalsOf(service: GossipSub): GossipSub & GossipInternals {
  const gossip = service as GossipSub & Partial<GossipInternals>;
  const { score, mcache } = gossip;
  const present =
    hasMethods(gossip, "handleReceivedRpc", "getScore", "forwardMessage", "sendRpc") &&
    hasMethods(gossip.mesh, "get") &&
    hasMethods(score, "rejectInvalidMessage", "addPenalty") &&
    hasMethods(score?.deliveryRecords, "ensureRecord") &&
    hasMethods(score?.deliveryRecords.queue, "peekBack") &&
    hasMethods(mcache, "getGossipIDs");
  assert(present && typeof score?.params.topics === "object", "gossipsub is built as we know it");
  return gossip as GossipSub & GossipInternals;
}

function hasMethods(owner: object | undefined, ...names: readonly string[]): boolean {
  const methods = owner as Readonly<Record<string, unknown>> | undefined;
  return names.every((name) => typeof methods?.[name] === "function");
}

/**
 * What is remembered of a message's deliveries goes with its id in the seen-cache: no copy is told from a new message after that.
 * gossipsub keeps it for two minutes: some 400 bytes of heap a message, 48 MB at 1,000 heartbeats a second where 12 do.
 * @param seenMs how long the seen-cache remembers
 */
export function forgetDeliveries(
  { deliveryRecords }: Pick<GossipInternals["score"], "deliveryRecords">,
  seenMs: number,
): void {
  const ensure = deliveryRecords.ensureRecord.bind(deliveryRecords);
  deliveryRecords.ensureRecord = (id) => {
    const record = ensure(id);
    const newest = deliveryRecords.queue.peekBack();
    if (newest?.msgId === id) newest.expire = Math.min(newest.expire, Date.now() + seenMs);
    return record;
  };
}
