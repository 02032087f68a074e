// What the process did between two looks at it, cheaply enough to look every second.

import { performance } from "node:perf_hooks";

export interface ProcessReading {
  /** Share of the time since the last look that the event loop was busy. */
  readonly loopUse: number;
  /** CPU seconds a second, all threads. */
  readonly cpu: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Milliseconds since the last look. */
  readonly elapsedMs: number;
}

/** A look at the process; the first tells of the time since this call. */
export function processProbe(): () => ProcessReading {
  let loop = performance.eventLoopUtilization();
  let cpu = process.cpuUsage();
  let atMs = performance.now();
  return () => {
    const before = { loop, cpu, atMs };
    loop = performance.eventLoopUtilization();
    cpu = process.cpuUsage();
    atMs = performance.now();
    const elapsedMs = Math.max(1, atMs - before.atMs);
    const cpuMs = (cpu.user - before.cpu.user + cpu.system - before.cpu.system) / 1000;
    return {
      loopUse: performance.eventLoopUtilization(loop, before.loop).utilization,
      cpu: cpuMs / elapsedMs,
      rssBytes: process.memoryUsage.rss(),
      heapBytes: process.memoryUsage().heapUsed,
      elapsedMs,
    };
  };
}
