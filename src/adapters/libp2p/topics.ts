// Gossip topics of a mesh: their names, and what may be said on them.

/**
 * What is gossiped. State beacons and heartbeats stay inside a zone; summaries of zones, with proofs of equivocation and
 * releases, tasks, and notices of healing concern the whole mesh. The certified rounds of a task are of its participants: each has a topic.
 */
export const topicNames = ["state", "heartbeat", "summary", "tasks", "rounds", "healing"] as const;
export type TopicName = (typeof topicNames)[number];

/** Topics of one zone; the others are of the whole mesh. */
export const zoneTopics: readonly TopicName[] = ["state", "heartbeat"];

/** The longest message of a topic in bytes: what its own parser takes, but for the heartbeat's 74 bytes rounded up. */
export const topicBytesMax: Readonly<Record<TopicName, number>> = {
  state: 16 * 1024,
  heartbeat: 128,
  summary: 16 * 1024, // a proof of equivocation has two beacons of 7.3 KiB at most
  tasks: 32 * 1024,
  healing: 12 * 1024, // a notice of NOTICE_BYTES_MAX and its signature
  rounds: 400_000, // a proposal with the statements of 64 participants; of 12 it has 50 KB
};

/** Longer than any topic of a mesh: a trust domain has 255 bytes, a zone 64. */
const TOPIC_CHARS_MAX = 384;

/** The wire name of a topic. Zones have topics of their own, so that traffic stays inside. */
export function topicOf(trustDomain: string, zone: string, name: TopicName): string {
  const scope = zoneTopics.includes(name) ? `zone/${zone}` : "mesh";
  return `${prefixOf(trustDomain)}${scope}/${name}`;
}

/** The wire name of the topic of a task's certified rounds. */
export function roundsTopicOf(trustDomain: string, taskId: string): string {
  return `${prefixOf(trustDomain)}task/${taskId}/rounds`;
}

/** What is said on a topic, also of another zone; undefined when it is none of this trust domain's. */
export function topicNameOf(trustDomain: string, topic: string): TopicName | undefined {
  if (topic.length > TOPIC_CHARS_MAX || !topic.startsWith(prefixOf(trustDomain))) return undefined;
  const last = topic.slice(topic.lastIndexOf("/") + 1);
  return topicNames.find((name) => name === last);
}

function prefixOf(trustDomain: string): string {
  return `/x0tta6bl4/1/${trustDomain}/`;
}
