// Gossip topics of a mesh, and how gossipsub scores peers on them.

import { createTopicScoreParams, type TopicScoreParams } from "@libp2p/gossipsub/score";

/** What is gossiped in a zone, and what in the whole mesh. */
export type ZoneTopic = "state" | "heartbeat";
export type TopicName = ZoneTopic | "summary" | "tasks";

export const ZONE_TOPICS: readonly ZoneTopic[] = ["state", "heartbeat"];
const MESH_TOPICS: readonly TopicName[] = ["summary", "tasks"];

/** The wire name of a topic. Zones have topics of their own, so that traffic stays inside. */
export function topicOf(trustDomain: string, zone: string, name: TopicName): string {
  const scope = MESH_TOPICS.includes(name) ? "mesh" : `zone/${zone}`;
  return `/x0tta6bl4/1/${trustDomain}/${scope}/${name}`;
}

/** All topics that a node may take part in which can be in these zones. */
export function topicsOf(trustDomain: string, zones: readonly string[]): string[] {
  const topicsIn = (zone: string): string[] =>
    ZONE_TOPICS.map((name) => topicOf(trustDomain, zone, name));
  const shared = MESH_TOPICS.map((name) => topicOf(trustDomain, "", name));
  return [...zones.flatMap(topicsIn), ...shared];
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
