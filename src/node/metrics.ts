// What the node as a whole shows: its state, the conditions of its health, its configuration and its disk.
// Read when they are scraped; nothing of it costs an idle daemon anything.

import { statfsSync } from "node:fs";
import { networkMetrics } from "../adapters/libp2p/network.ts";
import { tunnelMetrics } from "../adapters/tunnel/tunnels.ts";
import { workloadApiMetrics } from "../adapters/workload-api/metrics.ts";
import type { Meter, MetricDeclaration } from "../ports/index.ts";
import { daemonMetrics } from "../telemetry/index.ts";
import { federationMetrics } from "./federation.ts";
import { intakeMetrics } from "./beacon-intake.ts";
import { type SymptomCode, symptomCodes, symptoms } from "../healing/index.ts";
import type { LifecycleState } from "./lifecycle.ts";
import { workloadMetrics } from "./workload/metrics.ts";

const lifecycleStates = ["unenrolled", "starting", "running", "stopping"] as const;

export const nodeMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_node_state",
    kind: "gauge",
    help: "1 for the state that the node is in, 0 for the others.",
    labels: { state: lifecycleStates },
  },
  {
    name: "meshd_health_issue",
    kind: "gauge",
    help: "1 while the health of meshctl status shows this code; every code has one series, with its severity.",
    labels: { code: symptomCodes, severity: null },
  },
  {
    name: "meshd_node_config_load_timestamp_seconds",
    kind: "gauge",
    help: "When the configuration in force was read, in seconds since 1970 (UTC).",
  },
  {
    name: "meshd_node_config_reload_successful",
    kind: "gauge",
    help: "1 when the last SIGHUP's configuration was taken, or none came yet; 0 when it was refused and the old one stays.",
  },
  {
    name: "meshd_node_config_restart_keys",
    kind: "gauge",
    help: "Keys changed in the file since the start that take effect at the next start only.",
  },
  {
    name: "meshd_node_state_disk_free_bytes",
    kind: "gauge",
    help: "Bytes that the daemon may still write on the file system of state_dir; 0 when it cannot be read.",
  },
  {
    name: "meshd_node_state_disk_size_bytes",
    kind: "gauge",
    help: "Size of the file system of state_dir.",
  },
];

/** Everything on a daemon's metrics page but the meter's own `telemetryMetrics`. */
export const allMetrics: readonly MetricDeclaration[] = [
  ...daemonMetrics,
  ...networkMetrics,
  ...tunnelMetrics,
  ...workloadApiMetrics,
  ...workloadMetrics,
  ...intakeMetrics,
  ...nodeMetrics,
  ...federationMetrics,
];

/** What is read for a scrape. */
export interface NodeReading {
  readonly state: LifecycleState;
  readonly health: readonly { readonly code: SymptomCode }[];
  readonly stateDir: string;
}

/** Sets the gauges that are read on demand. */
export function meterNode(meter: Meter, { state, health, stateDir }: NodeReading): void {
  for (const known of lifecycleStates)
    meter.set("meshd_node_state", known === state ? 1 : 0, { state: known });
  const standing = new Set<SymptomCode>(health.map(({ code }) => code));
  for (const code of symptomCodes) {
    const { severity } = symptoms[code];
    meter.set("meshd_health_issue", standing.has(code) ? 1 : 0, { code, severity });
  }
  const { freeBytes, sizeBytes } = diskOf(stateDir);
  meter.set("meshd_node_state_disk_free_bytes", freeBytes);
  meter.set("meshd_node_state_disk_size_bytes", sizeBytes);
}

function diskOf(directory: string): { freeBytes: number; sizeBytes: number } {
  try {
    const { bavail, bsize, blocks } = statfsSync(directory);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return { freeBytes: 0, sizeBytes: 0 }; // the directory is gone: nothing can be written there
  }
}

/** A configuration was taken. */
export function meterConfig(meter: Meter, nowMs: number, restartKeys: number): void {
  meter.set("meshd_node_config_load_timestamp_seconds", nowMs / 1000);
  meter.set("meshd_node_config_reload_successful", 1);
  meter.set("meshd_node_config_restart_keys", restartKeys);
}
