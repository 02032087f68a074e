// Metrics of the process itself and of telemetry. An adapter reads the values when they are scraped.

import type { MetricDeclaration } from "../ports/index.ts";

/** Declarations of what the process adapter sets and the meter counts. */
export const processMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_build_info",
    kind: "gauge",
    help: "Always 1; the labels say which version and Node.js run.",
    labels: { version: null, node: null },
  },
  {
    name: "meshd_process_event_loop_lag_seconds",
    kind: "gauge",
    help: "How late the event loop came to its timers since the last scrape, by percentile.",
    labels: { percentile: ["p50", "p99", "max"] },
  },
  {
    name: "meshd_process_resident_memory_bytes",
    kind: "gauge",
    help: "Resident set size of the process.",
  },
  {
    name: "meshd_process_heap_used_bytes",
    kind: "gauge",
    help: "Bytes of the JavaScript heap in use.",
  },
  {
    name: "meshd_process_external_memory_bytes",
    kind: "gauge",
    help: "Bytes outside of the JavaScript heap that its objects hold, buffers included.",
  },
  {
    name: "meshd_process_cpu_seconds_total",
    kind: "counter",
    help: "CPU time of the process in seconds, by mode.",
    labels: { mode: ["user", "system"] },
  },
  {
    name: "meshd_process_start_time_seconds",
    kind: "gauge",
    help: "When the process started, in seconds since 1970-01-01 UTC.",
  },
  {
    name: "meshd_process_wall_clock_seconds",
    kind: "gauge",
    help: "What this host's clock says at the scrape, in seconds since 1970-01-01 UTC; certificates are judged by it.",
  },
  {
    name: "meshd_process_open_fds",
    kind: "gauge",
    help: "Open file descriptors of the process; 0 where /proc is not to be read.",
  },
  {
    name: "meshd_process_max_fds",
    kind: "gauge",
    help: "File descriptors that the process may open; 0 where that is unlimited or unknown.",
  },
  {
    name: "meshd_process_notify_failures_total",
    kind: "counter",
    help: "Messages that the service manager could not be sent although it set NOTIFY_SOCKET.",
  },
  {
    name: "meshd_process_watchdog_withheld_total",
    kind: "counter",
    help: "Times that the service manager's watchdog was not fed, by what made no progress.",
    labels: { reason: ["loop-late", "mesh-stuck"] },
  },
];

/** Declarations of what the meter counts about itself. */
export const telemetryMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_telemetry_series_dropped_total",
    kind: "counter",
    help: "Values not recorded under their own labels because the metric has as many series as it may have.",
    labels: { metric: null },
  },
];
