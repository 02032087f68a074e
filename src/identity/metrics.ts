// The metrics of this room, declared beside the code that moves them.

import { ATTESTATION_REFUSALS } from "./attestation/messages.ts";
import type { MetricDeclaration } from "../ports/index.ts";
import { ATTESTOR_TYPES } from "./node-selectors.ts";
import { type Right, RIGHTS } from "./policy.ts";
import { SVID_REFUSALS } from "./workload/messages.ts";

export const SVID_EXPIRY = "meshd_identity_svid_expiry_timestamp_seconds";
export const SVID_GRACE_END = "meshd_identity_svid_grace_end_timestamp_seconds";
export const SVID_ISSUE = "meshd_identity_svid_issue_timestamp_seconds";
export const AUTHORITY_EXPIRY = "meshd_identity_authority_expiry_timestamp_seconds";
export const BUNDLE_SEQUENCE = "meshd_identity_bundle_sequence";
export const SVID_RENEWALS = "meshd_identity_svid_renewals_total";
export const ATTESTATIONS = "meshd_identity_attestations_total";
export const NODE_ATTESTATIONS = "meshd_identity_node_attestations_total";
export const CHAIN_VERIFICATIONS = "meshd_identity_chain_verifications_total";
export const DENIALS = "meshd_identity_denials_total";
export const CHAIN_CACHE_ENTRIES = "meshd_identity_chain_cache_entries";
export const WORKLOAD_ENTRIES = "meshd_identity_workload_entries";
export const WORKLOAD_ISSUES = "meshd_identity_workload_issues_total";

const TUNNEL_CONNECT = "tunnel.connect";

/** Label values of attestation requests. */
const ATTESTATION_OPERATIONS = [
  "bundle",
  "join",
  "challenge",
  "attest",
  "renew",
  "unreadable",
] as const;

/** As a right is counted: all ports are one. */
export function denialLabel(right: Right): string {
  return right.startsWith(TUNNEL_CONNECT) ? TUNNEL_CONNECT : right;
}

/** Everything that this room counts. */
export const identityMetrics: readonly MetricDeclaration[] = [
  {
    name: SVID_EXPIRY,
    kind: "gauge",
    help: "When the node's own SVID expires, in seconds since 1970 (UTC); 0 before the node is enrolled.",
  },
  {
    name: SVID_GRACE_END,
    kind: "gauge",
    help: "Until when peers take the node's own SVID if no issuer renews it, in seconds since 1970 (UTC): its end and identity.issuer_grace. 0 before the node is enrolled.",
  },
  {
    name: SVID_ISSUE,
    kind: "gauge",
    help: "When the node's own SVID was issued, in seconds since 1970 (UTC); 0 before the node is enrolled.",
  },
  {
    name: AUTHORITY_EXPIRY,
    kind: "gauge",
    help: "When an authority above this node expires, in seconds since 1970 (UTC): the last root of the trust bundle, or the intermediate that signed the node's own SVID. 0 before the node is enrolled.",
    labels: { authority: ["root", "intermediate"] },
  },
  {
    name: BUNDLE_SEQUENCE,
    kind: "gauge",
    help: "Sequence of the trust bundle that this node goes by; 0 before the node is enrolled.",
  },
  {
    name: SVID_RENEWALS,
    kind: "counter",
    help: "One finished attempt to renew the node's own SVID.",
    labels: { result: ["ok", "failed"] },
  },
  {
    name: ATTESTATIONS,
    kind: "counter",
    help: "One attestation request that this node answered; result is ok or the code of the refusal.",
    labels: {
      operation: ATTESTATION_OPERATIONS,
      result: ["ok", ...ATTESTATION_REFUSALS],
    },
  },
  {
    name: NODE_ATTESTATIONS,
    kind: "counter",
    help: "One node that wanted to join through this issuer, by what it showed; result is ok or the code of the refusal.",
    labels: { type: ["join_token", ...ATTESTOR_TYPES], result: ["ok", ...ATTESTATION_REFUSALS] },
  },
  {
    name: DENIALS,
    kind: "counter",
    help: "One act that the policy denied to a peer, or to a caller of the control API, by the right that was missing.",
    labels: { right: [...RIGHTS, TUNNEL_CONNECT] },
  },
  {
    name: CHAIN_VERIFICATIONS,
    kind: "counter",
    help: "One certificate chain judged: verified with signatures, taken from the cache, or refused.",
    labels: { result: ["verified", "cached", "refused"] },
  },
  {
    name: CHAIN_CACHE_ENTRIES,
    kind: "gauge",
    help: "Verified chains held in the cache.",
  },
  {
    name: WORKLOAD_ENTRIES,
    kind: "gauge",
    help: "Registration entries that this issuer holds; 0 on other nodes.",
  },
  {
    name: WORKLOAD_ISSUES,
    kind: "counter",
    help: "One request of a node for its workloads that this issuer answered; result is ok or the code of the refusal.",
    labels: {
      kind: ["sync", "federated", "x509", "jwt", "unreadable"],
      result: ["ok", ...SVID_REFUSALS],
    },
  },
];
