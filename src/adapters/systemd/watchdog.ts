// When the service manager's watchdog is fed: only while the event loop keeps its times and the mesh machine works off
// its timers. A daemon that merely has a timer left would else look alive for ever.

/** Beats in the time that the manager waits: one may be missed, by a hiccup, without a restart. */
const BEATS_PER_TIMEOUT = 3;
/** A longer beat would show a stale status text. */
const BEAT_MS_MAX = 5_000;

/** What to do at a beat: feed, or not, because the event loop came too late or the mesh machine stands still. */
export type Beat = "feed" | "loop-late" | "mesh-stuck";

export class Watchdog {
  readonly beatMs: number;
  #dueAtMs: number;
  #timersAtFeed: number | undefined;

  /**
   * @param timeoutMs what the manager waits; undefined: it has no watchdog, and the beat is the status text's alone
   * @param nowMs a monotonic clock, as in `beat`
   */
  constructor(timeoutMs: number | undefined, nowMs: number) {
    this.beatMs = Math.min(BEAT_MS_MAX, (timeoutMs ?? Infinity) / BEATS_PER_TIMEOUT);
    this.#dueAtMs = nowMs + this.beatMs;
  }

  /**
   * Decides at a beat of the event loop's own timer.
   * @param meshTimers how many timers the mesh machine has worked off; undefined when the node is in no mesh
   */
  beat(nowMs: number, meshTimers: number | undefined): Beat {
    const lateMs = nowMs - this.#dueAtMs;
    this.#dueAtMs = nowMs + this.beatMs;
    if (lateMs > this.beatMs) return "loop-late";
    if (meshTimers !== undefined && meshTimers === this.#timersAtFeed) return "mesh-stuck";
    this.#timersAtFeed = meshTimers;
    return "feed";
  }
}

/** What the manager waits for this process in milliseconds (sd_watchdog_enabled(3)); undefined: it has no watchdog. */
export function watchdogTimeoutMs(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: forPid } = environment;
  if (usec === undefined || !/^[1-9]\d{0,15}$/.test(usec)) return undefined;
  if (forPid !== undefined && forPid !== String(pid)) return undefined;
  return Number(usec) / 1_000;
}
