// The telemetry room's door: what is measured and logged, as data. Adapters carry it out.

export { daemonMetrics } from "./catalogue.ts";
export { logLimits, safeLogFields } from "./log-fields.ts";
export { metricProblems } from "./naming.ts";
export { processMetrics, telemetryMetrics } from "./process-metrics.ts";
