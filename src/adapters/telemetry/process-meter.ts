// Reads the process: event-loop lag from perf_hooks' histogram, memory and CPU from the runtime.

import { monitorEventLoopDelay } from "node:perf_hooks";
import type { PromMeter } from "./prom-meter.ts";

/** What `meshd_build_info` says. */
export interface BuildInfo {
  readonly version: string;
  readonly engine: string;
}

/** A running watch over the process. */
export interface ProcessMeter {
  /** For the status answer. The lag covers the time since the last scrape. */
  read(): { readonly rssBytes: number; readonly eventLoopLagP99Ms: number };
  /** Stops measuring the event loop; idempotent. */
  stop(): void;
}

/** Resolution of the lag measurement. Finer costs CPU in an idle daemon. */
const lagResolutionMs = 20;
const nanosPerMs = 1e6;

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
  let reported = { user: 0, system: 0 };
  beforeText(() => {
    for (const quantile of ["0.5", "0.99", "1"]) {
      const seconds = lagMs(Number(quantile) * 100) / 1000;
      meter.set("meshd_process_event_loop_lag_seconds", seconds, { quantile });
    }
    delay.reset();
    const memory = process.memoryUsage();
    meter.set("meshd_process_resident_memory_bytes", memory.rss);
    meter.set("meshd_process_heap_used_bytes", memory.heapUsed);
    meter.set("meshd_process_external_memory_bytes", memory.external);
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
