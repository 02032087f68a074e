// What is fixed about traces: the span that is sampled apart, and the metrics of the export.

import type { MetricDeclaration } from "../ports/index.ts";

/** The validation of a beacon: the one span of which there may be thousands a second. */
export const BEACON_SPAN = "beacon.validate";

/** Why a span that was recorded does not reach the collector. */
const spanDropReasons = ["queue-full", "refused", "stopped"] as const;
export type SpanDropReason = (typeof spanDropReasons)[number];

/** Declarations of what the span exporter counts. All stay 0 while tracing is off. */
export const tracingMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_telemetry_spans_exported_total",
    kind: "counter",
    help: "Spans that the trace collector has taken.",
  },
  {
    name: "meshd_telemetry_spans_dropped_total",
    kind: "counter",
    help:
      "Spans lost: the queue was full because the collector is slow or away, the collector refused them, " +
      "or the daemon stopped before they were sent.",
    labels: { reason: spanDropReasons },
  },
  {
    name: "meshd_telemetry_span_exports_failed_total",
    kind: "counter",
    help: "Attempts to hand spans to the trace collector that failed; what can be tried again is.",
  },
];
