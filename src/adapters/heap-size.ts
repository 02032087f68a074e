// How V8 trades memory for CPU: a node that idles is to be small and to compile nothing, one that works must keep up.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Worker } from "node:worker_threads";

const LOOK_MS = 5_000;
/**
 * Shares of a look in which the event loop was busy, or waited for a core: a host that boots has none to spare. Between the two nothing
 * changes: a small heap itself costs up to twice the CPU time.
 */
const BUSY = 0.2;
const CALM = 0.1;
/** Consecutive calm looks until the heap is made small: half a minute. */
const CALM_LOOKS = 6;

export type HeapSize = "small" | "fast";

/**
 * Which heap fits a process, from the use of its event loop. "Small" is a young generation of 1 MB and an old one that is collected
 * as soon as it has grown by a few MB: 8 MB less in an idle daemon. What allocates much collects without end in it: 35 % of the CPU time
 * of a daemon that joins a mesh of 24, 96 % of a core with 1,000 peers where "fast" takes 60 %.
 */
export class HeapRule {
  #calmLooks = 0;
  #size: HeapSize = "fast";

  /**
   * @param loopUse share of the time since the last look, 0 to 1
   * @param threads how many threads with work of their own there are: V8's flags are theirs too
   */
  look(loopUse: number, threads: number): HeapSize {
    this.#calmLooks = loopUse < CALM && threads === 0 ? this.#calmLooks + 1 : 0;
    if (loopUse >= BUSY || threads > 0) this.#size = "fast";
    else if (this.#calmLooks >= CALM_LOOKS) this.#size = "small";
    return this.#size;
  }
}

/** Threads that learn, and the running watches, which a new one of them wakes. */
const threads = new Set<Worker>();
const watches = new Set<() => void>();

/** Until it ends, the thread's code is compiled and its heap may grow, however calm the event loop is. */
export function countAsWork(worker: Worker): void {
  threads.add(worker);
  worker.once("exit", () => threads.delete(worker));
  for (const look of watches) look();
}

/** A running watch over the heap; `stop` leaves the heap as it is, and is idempotent. */
export interface HeapKeeper {
  stop(): void;
}

/** Keeps this process's heap by {@link HeapRule}. V8 reads the flag at each collection. */
export function keepHeapSized(): HeapKeeper {
  const rule = new HeapRule();
  let size: HeapSize = "fast";
  let loop = performance.eventLoopUtilization();
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, loop);
    const next = rule.look(utilization, threads.size);
    loop = now;
    if (next === size) return;
    size = next;
    setFlagsFromString(size === "small" ? "--optimize-for-size" : "--no-optimize-for-size");
    // What runs some times a second is hot enough for TurboFan after minutes, one function after the other: 4 compilations a second, 16 % of
    // the CPU time of a daemon among fifty. Without, one among five takes a fifth less.
    setFlagsFromString(size === "small" ? "--no-turbofan" : "--turbofan");
    if (size === "small") dropCompiledCode();
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  watches.add(look);
  return {
    stop: () => {
      watches.delete(look);
      clearInterval(timer);
    },
  };
}

/**
 * Drops all bytecode and machine code but that of functions which run now; what is needed again is compiled again. A last-resort collection alone
 * keeps more of what was for the start: about 3 MB. Several collections in a row: nothing for a node that works.
 */
function dropCompiledCode(): void {
  setFlagsFromString("--stress-flush-code");
  collector()({ type: "major", flavor: "last-resort" });
  setFlagsFromString("--no-stress-flush-code");
}

/** Collects all garbage now, old generation too. */
export function collectGarbage(): void {
  collector()({ type: "major" });
}

type Collector = (options: { readonly type: "major"; readonly flavor?: "last-resort" }) => void;

/** V8 hides it until it is asked for. */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collector;
}
