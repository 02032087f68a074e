// Reads the process: event-loop lag from perf_hooks' histogram, memory and CPU from the runtime, descriptors from /proc.

import { readdirSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { PromMeter } from "./prom-meter.ts";

/** What `meshd_build_info` says; the crypto engine can change, `meshd_crypto_engine_info` tells it. */
export interface BuildInfo {
  readonly version: string;
}

/** A running watch over the process. */
export interface ProcessMeter {
  /** For the status answer. The lag covers the time since the last scrape. */
  read(): { readonly rssBytes: number; readonly eventLoopLagP99Ms: number };
  /** Stops measuring the event loop; idempotent. */
  stop(): void;
}

/** Resolution of the lag measurement. Each period wakes an idle daemon: 20 ms cost it 50 wakes a second. */
const lagResolutionMs = 100;
const nanosPerMs = 1e6;

/** The exported percentiles of the lag. Not a label `quantile`: that name is kept for Prometheus's summaries. */
const lagPercentiles = { p50: 50, p99: 99, max: 100 } as const;

/** Fills the `processMetrics` of a meter that declares them, before every scrape. */
export function startProcessMeter(
  { meter, beforeText }: Pick<PromMeter, "meter" | "beforeText">,
  build: BuildInfo,
): ProcessMeter {
  const delay = monitorEventLoopDelay({ resolution: lagResolutionMs });
  delay.enable();
  const lagMs = (percentile: number): number =>
    // The histogram holds whole timer periods: the lag is what goes beyond the period asked for.
    delay.count === 0
      ? 0
      : Math.max(0, delay.percentile(percentile) / nanosPerMs - lagResolutionMs);

  meter.set("meshd_build_info", 1, { ...build, node: process.version });
  meter.set("meshd_process_start_time_seconds", Date.now() / 1000 - process.uptime());
  meter.set("meshd_process_max_fds", fdLimit());
  let reported = { user: 0, system: 0 };
  beforeText(() => {
    for (const [percentile, value] of Object.entries(lagPercentiles))
      meter.set("meshd_process_event_loop_lag_seconds", lagMs(value) / 1000, { percentile });
    delay.reset();
    const memory = process.memoryUsage();
    meter.set("meshd_process_resident_memory_bytes", memory.rss);
    meter.set("meshd_process_heap_used_bytes", memory.heapUsed);
    meter.set("meshd_process_external_memory_bytes", memory.external);
    meter.set("meshd_process_wall_clock_seconds", Date.now() / 1000);
    meter.set("meshd_process_open_fds", openFds());
    const cpu = process.cpuUsage();
    for (const mode of ["user", "system"] as const) {
      meter.count("meshd_process_cpu_seconds_total", { mode }, (cpu[mode] - reported[mode]) / 1e6);
    }
    reported = cpu;
  });
  return {
    read: () => ({ rssBytes: process.memoryUsage.rss(), eventLoopLagP99Ms: lagMs(99) }),
    stop: () => {
      delay.disable();
    },
  };
}

/** Without the one that looking opens. */
function openFds(): number {
  try {
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return 0; // no /proc, or descriptors exhausted: the gauge says that it is unknown
  }
}

/** The soft limit; Node.js has raised it to the hard one at its start. */
function fdLimit(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  } catch {
    return 0; // no /proc
  }
}
