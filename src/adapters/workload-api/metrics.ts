// What the Workload API counts.

import type { MetricDeclaration } from "../../ports/index.ts";
import { CALLER_CODES } from "./caller.ts";
import { grpcStatus } from "./grpc.ts";

export const CALLS = "meshd_identity_workload_calls_total";
export const STREAMS = "meshd_identity_workload_streams";
export const ATTESTATIONS = "meshd_identity_workload_attestations_total";
export const CONNECTIONS_REFUSED = "meshd_identity_workload_connections_refused_total";

/** The methods that are served, and what is left. */
export const METHODS = [
  "FetchX509SVID",
  "FetchX509Bundles",
  "FetchJWTSVID",
  "FetchJWTBundles",
  "ValidateJWTSVID",
  "ServerReflectionInfo",
  "other",
] as const;

export const workloadApiMetrics: readonly MetricDeclaration[] = [
  {
    name: CALLS,
    kind: "counter",
    help: "One ended call of the Workload API or of reflection beside it, by method and gRPC status.",
    labels: { method: METHODS, status: Object.keys(grpcStatus) },
  },
  {
    name: STREAMS,
    kind: "gauge",
    help: "Calls of the Workload API that are under way, most of them streams that wait for changes.",
  },
  {
    name: ATTESTATIONS,
    kind: "counter",
    help: "One look at the process that called the Workload API: ok, or why it could not be identified.",
    labels: { result: ["ok", ...CALLER_CODES] },
  },
  {
    name: CONNECTIONS_REFUSED,
    kind: "counter",
    help: "One connection to the Workload API closed at once because there were too many, in all or of one user.",
  },
];
