// How the garbage collector trades memory for CPU: a node with a few peers is to be small, one with many must keep up.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** From so many peers on the heap may grow; below half of it it is kept small again. */
export const HEAP_GROWS_AT_PEERS = 64;

/** What {@link sizeHeapFor} chose last; V8 starts with "fast". */
let heap: "small" | "fast" = "fast";

/**
 * Keeps the heap small while this process serves few peers. "Small" is a young generation of 1 MB and an old one that is collected
 * as soon as it has grown by a few MB: 8 MB less in an idle daemon. With 1,000 peers the same setting collected without end: 96 % of
 * a core where "fast" takes 60 % (docs/load.md). V8 reads the flag at each collection, so that it may change while the process runs.
 */
export function sizeHeapFor(peers: number): "small" | "fast" {
  if (peers >= HEAP_GROWS_AT_PEERS) choose("fast");
  else if (peers < HEAP_GROWS_AT_PEERS / 2) choose("small");
  return heap;
}

/** Collects all garbage now, old generation too. The function that does so is made at the first call: V8 hides it otherwise. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
}

function choose(next: typeof heap): void {
  if (next === heap) return;
  heap = next;
  setFlagsFromString(next === "small" ? "--optimize-for-size" : "--no-optimize-for-size");
}
