// What the handshake room measures.

import type { MetricDeclaration } from "../ports/index.ts";
import { HANDSHAKE_SUITES } from "./authenticated-peer.ts";
import { HANDSHAKE_ERROR_CODES } from "./codes.ts";

export const ATTEMPTS_METRIC = "meshd_handshake_attempts_total";
export const FAILURES_METRIC = "meshd_handshake_failures_total";
export const DURATION_METRIC = "meshd_handshake_duration_seconds";
export const OPEN_METRIC = "meshd_handshake_unauthenticated_connections";
export const FORGOTTEN_METRIC = "meshd_handshake_limiter_forgotten_total";

export const handshakeMetrics: readonly MetricDeclaration[] = [
  {
    name: ATTEMPTS_METRIC,
    kind: "counter",
    help: "One handshake was begun, as dialler (initiator) or listener (responder).",
    labels: { suite: HANDSHAKE_SUITES, role: ["initiator", "responder"] },
  },
  {
    name: FAILURES_METRIC,
    kind: "counter",
    help: "One handshake failed for this reason; the connection was closed and the peer was not told why.",
    labels: { suite: HANDSHAKE_SUITES, code: HANDSHAKE_ERROR_CODES },
  },
  {
    name: DURATION_METRIC,
    kind: "histogram",
    help: "Seconds from the first byte of a successful handshake to an authenticated connection.",
    labels: { suite: HANDSHAKE_SUITES },
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
  },
  {
    name: OPEN_METRIC,
    kind: "gauge",
    help: "Inbound connections whose handshake has not ended yet.",
  },
  {
    name: FORGOTTEN_METRIC,
    kind: "counter",
    help: "One remote address lost its handshake budget's memory because the table was full.",
  },
];
