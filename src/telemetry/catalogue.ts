// Every metric of the daemon, gathered from the rooms that move them.

import { cryptoMetrics } from "../crypto/index.ts";
import { handshakeMetrics } from "../handshake/index.ts";
import { auditMetrics, identityMetrics } from "../identity/index.ts";
import { healingMetrics } from "../healing/index.ts";
import { learningMetrics } from "../learning/index.ts";
import { meshMetrics } from "../mesh/index.ts";
import type { MetricDeclaration } from "../ports/index.ts";
import { processMetrics } from "./process-metrics.ts";
import { tracingMetrics } from "./tracing.ts";

/** What a daemon's meter declares; the meter adds its own `telemetryMetrics`. */
export const daemonMetrics: readonly MetricDeclaration[] = [
  ...processMetrics,
  ...cryptoMetrics,
  ...identityMetrics,
  ...auditMetrics,
  ...handshakeMetrics,
  ...meshMetrics,
  ...learningMetrics,
  ...healingMetrics,
  ...tracingMetrics,
];
