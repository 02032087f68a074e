// The metrics of gossip: no series of a peer or a topic of its own, so that neither can grow the page.

import type { MetricDeclaration } from "../../ports/index.ts";
import { scoreThresholds } from "./gossip-scores.ts";
import { guardDrops } from "./gossip-guard.ts";

/** What a score means for a peer, worst first. */
export const standings = ["graylisted", "unpublished", "ungossiped", "unmeshed", "good"] as const;
export type Standing = (typeof standings)[number];

/** The standing of a score: 0 is a peer of whom nothing is known, which is good enough. */
export function standingOf(score: number): Standing {
  if (score < scoreThresholds.graylistThreshold) return "graylisted";
  if (score < scoreThresholds.publishThreshold) return "unpublished";
  if (score < scoreThresholds.gossipThreshold) return "ungossiped";
  return score < 0 ? "unmeshed" : "good";
}

export const gossipMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_network_gossip_peers",
    kind: "gauge",
    help: "Connected members by what gossip still does with them: good, or in steps down to graylisted, where nothing of theirs is read.",
    labels: { standing: standings },
  },
  {
    name: "meshd_network_gossip_score_min",
    kind: "gauge",
    help: "The lowest gossip score of a connected member; 0 without any. Below -80 a peer is graylisted.",
  },
  {
    name: "meshd_network_gossip_graylisted_total",
    kind: "counter",
    help: "A member was disconnected for its gossip score, and is refused for five minutes.",
  },
  {
    name: "meshd_network_gossip_dropped_total",
    kind: "counter",
    help: "A gossip message was dropped before anything of it was parsed.",
    labels: { reason: guardDrops },
  },
  {
    name: "meshd_network_gossip_penalties_total",
    kind: "counter",
    help: "A member was charged for bringing more than an honest one does, or for bringing back what is long known.",
    labels: { reason: ["rate", "replay"] },
  },
];
