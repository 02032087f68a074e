// The metrics of the mesh room.

import type { MetricDeclaration } from "../ports/index.ts";
import { beaconRejectCodes, summaryRejectCodes } from "./beacons/reject-codes.ts";
import { memberStates } from "./membership/roster.ts";

/** Every metric that the mesh machine moves. */
export const meshMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_mesh_peers",
    kind: "gauge",
    help: "Members by state in the local view, the own node not counted.",
    labels: { state: memberStates },
  },
  {
    name: "meshd_mesh_connections",
    kind: "gauge",
    help: "Members with an authenticated connection to this node.",
  },
  {
    name: "meshd_mesh_member_transitions_total",
    kind: "counter",
    help: "A member entered this state, or was forgotten.",
    labels: { to: [...memberStates, "forgotten"] },
  },
  {
    name: "meshd_mesh_suspicions_total",
    kind: "counter",
    help: "A suspicion was raised, was refuted, or ended in death.",
    labels: { outcome: ["raised", "refuted", "dead"] },
  },
  {
    name: "meshd_mesh_probes_total",
    kind: "counter",
    help: "A direct probe was answered or failed.",
    labels: { result: ["answered", "failed"] },
  },
  {
    name: "meshd_mesh_probe_rtt_seconds",
    kind: "histogram",
    help: "Round trips of answered probes.",
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  {
    name: "meshd_mesh_local_health_score",
    kind: "gauge",
    help: "Lifeguard's local health: 0 is healthy, more stretches probe intervals and timeouts.",
  },
  {
    name: "meshd_mesh_own_stalls_total",
    kind: "counter",
    help: "A timer of the detector came so late that the time was not held against others.",
  },
  {
    name: "meshd_mesh_beacons_published_total",
    kind: "counter",
    help: "A message was published by this node.",
    labels: { kind: ["state", "heartbeat", "proof", "summary"] },
  },
  {
    name: "meshd_mesh_beacons_accepted_total",
    kind: "counter",
    help: "A message from gossip or a pull was accepted.",
    labels: { kind: ["state", "heartbeat", "proof"] },
  },
  {
    name: "meshd_mesh_beacons_rejected_total",
    kind: "counter",
    help: "A message from gossip or a pull was refused for this reason.",
    labels: { code: beaconRejectCodes },
  },
  {
    name: "meshd_mesh_beacon_signatures_total",
    kind: "counter",
    help: "A beacon's ML-DSA-65 signature was checked.",
    labels: { result: ["valid", "invalid"] },
  },
  {
    name: "meshd_mesh_heartbeat_verifications_total",
    kind: "counter",
    help: "A heartbeat's link was checked against the member's hash chain.",
    labels: { result: ["valid", "late", "gap", "wrong"] },
  },
  {
    name: "meshd_mesh_identity_requests_total",
    kind: "counter",
    help: "A message waited for an identity that the directory lacked.",
  },
  {
    name: "meshd_mesh_equivocations_total",
    kind: "counter",
    help: "A member was quarantined because two of its beacons contradict each other.",
  },
  {
    name: "meshd_mesh_topology_links",
    kind: "gauge",
    help: "Usable links of the topology at the last computation of routes.",
  },
  {
    name: "meshd_mesh_route_computations_total",
    kind: "counter",
    help: "Routes were computed anew after a change.",
  },
  {
    name: "meshd_mesh_zones",
    kind: "gauge",
    help: "Zones known, the own one included.",
  },
  {
    name: "meshd_mesh_zone_members",
    kind: "gauge",
    help: "Present members of the own zone, the own node included.",
  },
  {
    name: "meshd_mesh_zone_speaker",
    kind: "gauge",
    help: "1 while this node is the gateway that publishes its zone's summary.",
  },
  {
    name: "meshd_mesh_zone_changes_total",
    kind: "counter",
    help: "This node moved to another automatic zone.",
  },
  {
    name: "meshd_mesh_zone_summaries_accepted_total",
    kind: "counter",
    help: "A zone's summary from gossip or a pull was accepted.",
  },
  {
    name: "meshd_mesh_zone_summaries_refused_total",
    kind: "counter",
    help: "A zone's summary from gossip or a pull was refused for this reason.",
    labels: { code: summaryRejectCodes },
  },
];
