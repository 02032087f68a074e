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
  /** The PeerIds of the neighbours in each topic. */
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly score: {
    readonly params: { readonly topics: Record<string, TopicScoreParams> };
    /** P4 of one topic. */
    rejectInvalidMessage(peerId: string, topic: string): void;
    /** P7; the label is for gossipsub's own metrics, which are off. */
    addPenalty(peerId: string, penalty: number, label: string): void;
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
    hasMethods(gossip, "handleReceivedRpc", "getScore", "forwardMessage") &&
    hasMethods(gossip.mesh, "get") &&
    hasMethods(score, "rejectInvalidMessage", "addPenalty") &&
    hasMethods(mcache, "getGossipIDs");
  assert(present && typeof score?.params.topics === "object", "gossipsub is built as we know it");
  return gossip as GossipSub & GossipInternals;
}

function hasMethods(owner: object | undefined, ...names: readonly string[]): boolean {
  const methods = owner as Readonly<Record<string, unknown>> | undefined;
  return names.every((name) => typeof methods?.[name] === "function");
}
