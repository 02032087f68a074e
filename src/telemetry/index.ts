// The telemetry room's door: what is measured, traced and logged, as data. Adapters carry it out.

export { daemonMetrics } from "./catalogue.ts";
export { logLimits, safeLogFields } from "./log-fields.ts";
export { metricProblems } from "./naming.ts";
export { processMetrics, telemetryMetrics } from "./process-metrics.ts";
export {
  parseTraceparent,
  type TraceContext,
  TRACEPARENT_CHARS,
  traceparentOf,
} from "./traceparent.ts";
export { BEACON_SPAN, type SpanDropReason, tracingMetrics } from "./tracing.ts";
