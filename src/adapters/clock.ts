// The operating system's clocks.

import type { Clock, MonoMs, WallMs } from "../ports/index.ts";

/** Monotonic time from the start of the process, wall time from the system clock. */
export const systemClock: Clock = {
  now: () => ({ monoMs: performance.now() as MonoMs, wallMs: Date.now() as WallMs }),
};
