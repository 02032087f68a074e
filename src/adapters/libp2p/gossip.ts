// Gossip of the mesh over gossipsub: topics with a validator in front, every topic scored from the moment it is joined,
// a guard before all of it, and a look at the scores each second. Reasons for the numbers: docs/gossip.md.

import { createHash } from "node:crypto";
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
  type TopicValidatorFn,
  TopicValidatorResult,
} from "@libp2p/gossipsub";
import { errorCode, errorMessage } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { type Forwarding, gossipDegree, RateLimiter } from "../../mesh/index.ts";
import type { Logger, Meter, MonoMs } from "../../ports/index.ts";
import { RPC_BYTES_MAX, RpcGuard } from "./gossip-guard.ts";
import { forgetDeliveries, type GossipInternals, internalsOf } from "./gossip-internals.ts";
import { standingOf, standings } from "./gossip-metrics.ts";
import { peerScores, type ScoreOptions, scoreThresholds, topicScores } from "./gossip-scores.ts";
import { SpareCopies } from "./spare-copies.ts";
import { type TopicName, topicNameOf } from "./topics.ts";

/**
 * What a validator says: `accept` forwards, `reject` scores the peer, `ignore` does neither. `stale` is what was known
 * before: ignored, and charged to a peer that brings more of it than reordering explains.
 */
export type GossipDecision = "accept" | "ignore" | "reject" | "stale";

export type GossipValidator = (from: NodeId, bytes: Uint8Array) => Promise<GossipDecision>;

/** Stale messages that one peer may bring without a penalty each. */
const STALE_RATE = { perSecond: 8, burst: 128, bucketsMax: 1_024 };

/**
 * 128 bits of SHA-256: to keep an honest message from others under the id of another takes a second preimage, 2^128 work. Two of his
 * own messages with one id (2^64) give a liar nothing that two messages with two ids do not: who equivocates is found by the beacons.
 */
const MESSAGE_ID_BYTES = 16;

/** How long a message is known. What is older is refused by sequence and chain: this only has to outlast IHAVE's three seconds. */
const SEEN_MS = 30_000;

/** What a peer that does not read may leave in our memory; more ends its gossip stream. */
const OUTBOUND_BYTES_MAX = 4 * 1024 * 1024;

/** Topics of a peer in our memory: gossipsub counts 1 KiB and the name for each. */
const TOPICS_PER_PEER_MAX = 16;

/** Peers named in a PRUNE: enough to find another, too few to be made to dial the world. */
const EXCHANGED_PEERS_MAX = 4;

export interface GossipDeps {
  readonly logger: Logger;
  readonly meter: Meter;
  readonly monoMs: () => MonoMs;
  /** The member behind a PeerId with an open connection. */
  readonly memberOf: (peerId: string) => NodeId | undefined;
  /** PeerIds of the connected members. */
  readonly members: () => Iterable<readonly [peerId: string, nodeId: NodeId]>;
  /** What is known against a member beyond gossip, from -100 to 0. */
  readonly reputation: (nodeId: NodeId) => number;
  /** Whether and when a message is passed on to a member, or its origin's flood reaches that. */
  readonly forwarding: (bytes: Uint8Array, to: NodeId) => Forwarding;
  /** The score fell below the graylist's: the driver disconnects the member and refuses it for a while. */
  readonly onGraylisted: (nodeId: NodeId, score: number) => void;
}

export interface GossipOptions extends ScoreOptions {
  readonly trustDomain: string;
  readonly heartbeatIntervalMs: number;
}

export class Gossip {
  readonly #deps: GossipDeps;
  readonly #options: GossipOptions;
  readonly #joined = new Map<string, TopicName>();
  readonly #stale = new RateLimiter(STALE_RATE);
  #service: (GossipSub & GossipInternals) | undefined;

  constructor(deps: GossipDeps, options: GossipOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The service for libp2p; one service is made of one `Gossip`. */
  readonly service = (components: GossipSubComponents): GossipSub => {
    const service = internalsOf(gossipsub(this.#settings())(components));
    this.#service = service;
    this.#guard(service);
    this.#sparsely(service);
    forgetDeliveries(service.score, SEEN_MS);
    service.addEventListener("gossipsub:heartbeat", () => this.#review());
    return service;
  };

  /** Joins a topic of the mesh; `validate` decides on each message before it is forwarded. */
  subscribe(topic: string, validate: GossipValidator): void {
    const service = this.#service;
    const name = topicNameOf(this.#options.trustDomain, topic);
    if (service === undefined || name === undefined) {
      throw new TypeError(`no topic of this mesh: ${topic}`);
    }
    service.score.params.topics[topic] = topicScores(name, this.#options.heartbeatIntervalMs);
    this.#joined.set(topic, name);
    service.topicValidators.set(topic, this.#validator(topic, validate));
    service.subscribe(topic);
  }

  /** Leaves a topic; what peers did there stays in their scores and fades. */
  unsubscribe(topic: string): void {
    this.#service?.unsubscribe(topic);
    this.#service?.topicValidators.delete(topic);
    this.#joined.delete(topic);
  }

  /** Publishes on a topic; nobody listening is no error, nor is a message that all were told of a moment ago. */
  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.#service?.publish(topic, bytes);
  }

  /** The score of a connected peer; 0 for a stranger. */
  scoreOf(peerId: string): number {
    return this.#service?.getScore(peerId) ?? 0;
  }

  #settings(): Parameters<typeof gossipsub>[0] {
    const { memberOf, reputation } = this.#deps;
    return {
      globalSignaturePolicy: StrictNoSign,
      fallbackToFloodsub: false,
      emitSelf: false,
      ignoreDuplicatePublishError: true,
      allowPublishToZeroTopicPeers: true,
      msgIdFn: ({ topic, data }) =>
        createHash("sha256").update(topic).update(data).digest().subarray(0, MESSAGE_ID_BYTES),
      msgIdToStrFn: (id) => Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1"),
      seenTTL: SEEN_MS,
      D: gossipDegree.target,
      Dlo: gossipDegree.low,
      Dhi: gossipDegree.high,
      Dscore: gossipDegree.target / 2, // of what an over-full mesh keeps, so many for their scores, the rest by chance
      floodPublish: true, // an own beacon reaches all peers at once: a mesh of liars cannot keep it in
      opportunisticGraftTicks: 60,
      opportunisticGraftPeers: 2,
      runOnLimitedConnection: true, // beacons go through relays too
      doPX: true, // gossipsub names only peers with a score of 0 or above, and to such peers only
      prunePeers: EXCHANGED_PEERS_MAX,
      tagMeshPeers: true, // the connection manager closes others first
      maxInboundDataLength: RPC_BYTES_MAX,
      maxOutboundBufferSize: OUTBOUND_BYTES_MAX,
      maxTopicBytesPerPeer: TOPICS_PER_PEER_MAX * 1_200,
      maxInboundStreams: 2,
      maxOutboundStreams: 2,
      decodeRpcLimits: {
        maxSubscriptions: 2 * TOPICS_PER_PEER_MAX,
        maxMessages: 64, // an answer to IWANT, and what is sent with it
        maxIhaveMessageIDs: 5_000, // what gossipsub sends at most; the bytes of an RPC allow no more
        maxIwantMessageIDs: 5_000,
        maxIdontwantMessageIDs: 512,
        maxControlMessages: 2 * TOPICS_PER_PEER_MAX,
        maxPeerInfos: EXCHANGED_PEERS_MAX * 4,
      },
      scoreThresholds,
      scoreParams: peerScores(
        {
          reputation: (peerId) => {
            const nodeId = memberOf(peerId);
            return nodeId === undefined ? 0 : reputation(nodeId);
          },
        },
        this.#options,
      ),
    };
  }

  /** Puts the guard in front, and keeps heartbeats out of lazy gossip: the next comes sooner than an answer to IWANT. */
  #guard(service: GossipInternals): void {
    const { meter, monoMs, memberOf } = this.#deps;
    const guard = new RpcGuard({
      meter,
      monoMs,
      isMember: (peerId) => memberOf(peerId) !== undefined,
      joined: (topic) => this.#joined.get(topic),
      isOurs: (topic) => topicNameOf(this.#options.trustDomain, topic) !== undefined,
      onInvalid: (peerId, topic) => service.score.rejectInvalidMessage(peerId, topic),
      onExcess: (peerId) => this.#penalize(service, peerId, "rate"),
    });
    const handle = service.handleReceivedRpc.bind(service);
    service.handleReceivedRpc = (from, rpc) => {
      guard.admit(from.toString(), rpc);
      return handle(from, rpc);
    };
    const gossipIds = service.mcache.getGossipIDs.bind(service.mcache);
    service.mcache.getGossipIDs = (topics) =>
      gossipIds(new Set([...topics].filter((topic) => this.#joined.get(topic) !== "heartbeat")));
  }

  /** Leaves out of what is passed on whom the origin tells itself; spare copies wait for the next heartbeat of gossip, and go together. */
  #sparsely(service: GossipSub & GossipInternals): void {
    const { memberOf, forwarding } = this.#deps;
    const spares = new SpareCopies();
    service.addEventListener("gossipsub:heartbeat", () => {
      spares.send((peerId, messages) => service.sendRpc(peerId, { subscriptions: [], messages }));
    });
    const forward = service.forwardMessage.bind(service);
    service.forwardMessage = (id, message, source, except) => {
      const told = new Set(except);
      const isHeartbeat = this.#joined.get(message.topic) === "heartbeat";
      for (const peerId of (isHeartbeat && service.mesh.get(message.topic)) || []) {
        const to = memberOf(peerId);
        const when = to === undefined ? "now" : forwarding(message.data ?? NOTHING, to);
        if (when === "spare" && peerId !== source && !told.has(peerId)) spares.add(peerId, message);
        if (when !== "now") told.add(peerId);
      }
      forward(id, message, source, told);
    };
  }

  #validator(topic: string, validate: GossipValidator): TopicValidatorFn {
    return async (source, { data }) => {
      const from = this.#deps.memberOf(source.toString());
      if (from === undefined) return TopicValidatorResult.Ignore;
      try {
        const decision = await validate(from, data);
        if (decision === "stale") this.#brought(source.toString());
        return RESULTS[decision];
      } catch (error) {
        this.#deps.logger.error(
          { code: errorCode(error), topic, error: errorMessage(error) },
          "gossip validator failed",
        );
        return TopicValidatorResult.Ignore;
      }
    };
  }

  #brought(peerId: string): void {
    if (this.#service === undefined || this.#stale.take(peerId, this.#deps.monoMs())) return;
    this.#penalize(this.#service, peerId, "replay");
  }

  #penalize(service: GossipInternals, peerId: string, reason: "rate" | "replay"): void {
    this.#deps.meter.count("meshd_network_gossip_penalties_total", { reason });
    service.score.addPenalty(peerId, 1, reason);
  }

  /** Each second: what gossip thinks of the members, and who has to go. */
  #review(): void {
    const counts = Object.fromEntries(standings.map((standing) => [standing, 0]));
    let least = 0;
    for (const [peerId, nodeId] of [...this.#deps.members()]) {
      const score = this.scoreOf(peerId);
      const standing = standingOf(score);
      counts[standing] = (counts[standing] ?? 0) + 1;
      least = Math.min(least, score);
      if (standing === "graylisted") this.#deps.onGraylisted(nodeId, score);
    }
    for (const standing of standings) {
      this.#deps.meter.set("meshd_network_gossip_peers", counts[standing] ?? 0, { standing });
    }
    this.#deps.meter.set("meshd_network_gossip_score_min", least);
  }
}

const NOTHING = new Uint8Array(0);

const RESULTS: Record<GossipDecision, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  stale: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};
