// How gossipsub scores peers (gossipsub v1.1, "Peer Scoring"): the parameters as data. Reasons and what moving one costs:
// docs/gossip.md. One scale for all: a point lost is about one second of an idle but honest peer's credit.

import type {
  PeerScoreParams,
  PeerScoreThresholds,
  TopicScoreParams,
} from "@libp2p/gossipsub/score";
import type { TopicName } from "./topics.ts";

/**
 * Below 0 a peer is grafted into no mesh. Then, in steps: no lazy gossip with it, none of our own messages to it, nothing
 * from it. Reputation runs from 0 to -100, so the worst of it alone is enough for the last.
 */
export const scoreThresholds: PeerScoreThresholds = {
  gossipThreshold: -20,
  publishThreshold: -50,
  graylistThreshold: -80,
  /** Reached by minutes in our meshes together with first deliveries: nobody gets there by connecting. */
  acceptPXThreshold: 5,
  opportunisticGraftThreshold: 2,
};

/** A whole mesh's good deeds are worth this: credit for two invalid messages, not for a campaign. */
const TOPICS_SCORE_MAX = 12;

/** Peers of one address that cost nothing: a site behind one NAT. */
export const PEERS_PER_ADDRESS_MAX = 16;

/** Misbehaviours that are forgiven: a few broken promises are a peer that restarts. */
const PENALTIES_FREE = 6;

export interface ScoreDeps {
  /** P5: what is known against a peer, from -100 to 0. */
  readonly reputation: (peerId: string) => number;
}

export interface ScoreOptions {
  /** Connected peers of one IP address above which each costs all of them. @default 16 */
  readonly peersPerAddressMax?: number;
  /** Addresses where any number is fine. @default loopback: a mesh on one host is a developer's */
  readonly sharedAddresses?: readonly string[];
}

/** P5 to P7; topics are added as they are joined. */
export function peerScores({ reputation }: ScoreDeps, options: ScoreOptions): PeerScoreParams {
  return {
    topics: {},
    topicScoreCap: TOPICS_SCORE_MAX,
    appSpecificScore: reputation,
    appSpecificWeight: 1,
    // 17 peers of an address: -0.5 each; 21: -12.5; 26: -50; 29: -84.5, graylisted.
    IPColocationFactorWeight: -0.5,
    IPColocationFactorThreshold: options.peersPerAddressMax ?? PEERS_PER_ADDRESS_MAX,
    IPColocationFactorWhitelist: new Set(options.sharedAddresses ?? ["127.0.0.1", "::1"]),
    behaviourPenaltyWeight: -1,
    behaviourPenaltyThreshold: PENALTIES_FREE,
    behaviourPenaltyDecay: 0.95, // half of it is left after 13 seconds
    decayInterval: 1_000,
    decayToZero: 0.01,
    retainScore: 600_000,
  };
}

/** P1 to P4 of one topic. */
export function topicScores(name: TopicName, heartbeatIntervalMs: number): TopicScoreParams {
  return {
    topicWeight: 1,
    // P1: at most 2 points, after 200 seconds in the mesh.
    timeInMeshWeight: 0.01,
    timeInMeshQuantum: 1_000,
    timeInMeshCap: 200,
    ...firstDeliveries(name),
    ...meshDeliveries(name, heartbeatIntervalMs),
    // P4: squared; half of the count is left after 23 seconds. Cost to us: a hash for a heartbeat, a signature for the rest.
    invalidMessageDeliveriesWeight: name === "state" || name === "summary" ? -4 : -1,
    invalidMessageDeliveriesDecay: 0.97,
  };
}

type FirstDeliveries = Pick<
  TopicScoreParams,
  "firstMessageDeliveriesWeight" | "firstMessageDeliveriesDecay" | "firstMessageDeliveriesCap"
>;

/** P2: at most 1 point for heartbeats, which come by themselves, and 4 for what is rare and worth being quick with. */
function firstDeliveries(name: TopicName): FirstDeliveries {
  return name === "heartbeat"
    ? {
        firstMessageDeliveriesWeight: 0.02,
        firstMessageDeliveriesDecay: 0.9,
        firstMessageDeliveriesCap: 50,
      }
    : {
        firstMessageDeliveriesWeight: 0.4,
        firstMessageDeliveriesDecay: 0.99,
        firstMessageDeliveriesCap: 10,
      };
}

type MeshDeliveries = Pick<
  TopicScoreParams,
  | "meshMessageDeliveriesWeight"
  | "meshMessageDeliveriesDecay"
  | "meshMessageDeliveriesCap"
  | "meshMessageDeliveriesThreshold"
  | "meshMessageDeliveriesWindow"
  | "meshMessageDeliveriesActivation"
  | "meshFailurePenaltyWeight"
  | "meshFailurePenaltyDecay"
>;

/**
 * P3 and P3b: off, but for heartbeats. State beacons, summaries and tasks are rare and come at any time, so silence proves
 * nothing. Heartbeats are steady: whoever is in that mesh brings at least its own, one an interval. The counter loses nine
 * tenths in ten intervals, so an honest peer stands at 4.9 or above, whatever the interval; below 1 it withholds or hangs.
 * P3 costs 12 in the mesh, and P3b 12 that fade after the prune: enough to be pruned, not enough to be ignored.
 */
function meshDeliveries(name: TopicName, heartbeatIntervalMs: number): MeshDeliveries {
  const steady = name === "heartbeat";
  return {
    meshMessageDeliveriesWeight: steady ? -12 : 0,
    meshMessageDeliveriesDecay: 10 ** (-100 / heartbeatIntervalMs),
    meshMessageDeliveriesCap: 50,
    meshMessageDeliveriesThreshold: 1,
    meshMessageDeliveriesWindow: 2_000,
    meshMessageDeliveriesActivation: 20_000 + 10 * heartbeatIntervalMs,
    meshFailurePenaltyWeight: steady ? -12 : 0,
    meshFailurePenaltyDecay: 0.95,
  };
}
