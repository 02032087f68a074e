// Gossip topics of a mesh, and how gossipsub scores peers on them.

import { createTopicScoreParams, type TopicScoreParams } from "@libp2p/gossipsub/score";

/** What is gossiped. State beacons and heartbeats share the zone's membership; tasks concern the whole mesh. */
export type TopicName = "state" | "heartbeat" | "tasks";

const TOPIC_NAMES: readonly TopicName[] = ["state", "heartbeat", "tasks"];

/** The wire name of a topic. Zones have topics of their own, so that traffic stays inside. */
export function topicOf(trustDomain: string, zone: string, name: TopicName): string {
  const scope = name === "tasks" ? "mesh" : `zone/${zone}`;
  return `/x0tta6bl4/1/${trustDomain}/${scope}/${name}`;
}

/** All topics a node of that zone takes part in. */
export function topicsOf(trustDomain: string, zone: string): string[] {
  return TOPIC_NAMES.map((name) => topicOf(trustDomain, zone, name));
}

/**
 * Scores: invalid messages count squared and decay by 3 % a second, so that four in quick succession
 * reach the gossip threshold (-10) and nine the graylist (-80).
 * First deliveries earn a little. Mesh delivery deficits are not scored: beacons are too rare in small meshes.
 */
export function topicScores(topics: readonly string[]): Record<string, TopicScoreParams> {
  const params = createTopicScoreParams({
    topicWeight: 1,
    timeInMeshWeight: 0.01,
    timeInMeshQuantum: 1_000,
    timeInMeshCap: 100,
    firstMessageDeliveriesWeight: 0.1,
    firstMessageDeliveriesDecay: 0.9,
    firstMessageDeliveriesCap: 50,
    meshMessageDeliveriesWeight: 0,
    meshFailurePenaltyWeight: 0,
    invalidMessageDeliveriesWeight: -1,
    invalidMessageDeliveriesDecay: 0.97,
  });
  return Object.fromEntries(topics.map((topic) => [topic, params]));
}
