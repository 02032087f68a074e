// What a node shows of its workloads' identities.

import type { MetricDeclaration } from "../../ports/index.ts";

export const SVIDS = "meshd_identity_workload_svids";
export const WORKLOAD_SVID_EXPIRY = "meshd_identity_workload_svid_expiry_timestamp_seconds";
export const ROTATIONS = "meshd_identity_workload_rotations_total";
export const ISSUER_CONTACT = "meshd_identity_workload_issuer_reachable";

export const workloadMetrics: readonly MetricDeclaration[] = [
  {
    name: SVIDS,
    kind: "gauge",
    help: "X.509-SVIDs that this node holds for its workloads.",
  },
  {
    name: WORKLOAD_SVID_EXPIRY,
    kind: "gauge",
    help: "When the first X.509-SVID of this node's workloads expires, in seconds since 1970 (UTC); 0 when it holds none.",
  },
  {
    name: ROTATIONS,
    kind: "counter",
    help: "One attempt to get an X.509-SVID for a workload of this node, the first one or a new one.",
    labels: { result: ["ok", "failed"] },
  },
  {
    name: ISSUER_CONTACT,
    kind: "gauge",
    help: "1 when an issuer answered the last question about this node's workloads; 0 when none did, or the Workload API is off.",
  },
];
