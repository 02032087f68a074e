// The metrics of the mesh room.

import type { MetricDeclaration } from "../ports/index.ts";
import { beaconRejectCodes } from "./beacons/reject-codes.ts";
import { memberStates } from "./membership/roster.ts";
import { offences } from "./reputation.ts";

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
    name: "meshd_mesh_flaps_total",
    kind: "counter",
    help: "A member that was held for dead came back in the same or a new epoch.",
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
    labels: { kind: ["state", "heartbeat", "proof", "release"] },
  },
  {
    name: "meshd_mesh_beacons_accepted_total",
    kind: "counter",
    help: "A message from gossip or a pull was accepted.",
    labels: { kind: ["state", "heartbeat", "proof", "release"] },
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
    name: "meshd_mesh_releases_total",
    kind: "counter",
    help: "An operator's signed release let a member out of quarantine.",
  },
  {
    name: "meshd_mesh_offences_total",
    kind: "counter",
    help: "Something was held against a peer, which lowers its reputation.",
    labels: { offence: Object.keys(offences) },
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
];
