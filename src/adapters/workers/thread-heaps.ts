// How full the heaps of this process's threads are. Each thread has a heap of its own, of which the main thread's numbers hold nothing.

import type { Worker } from "node:worker_threads";

/** By thread, until it ends: how many bytes its heap may grow to, and the share of them that it had in use when last asked. */
const heaps = new Map<Worker, { readonly limitBytes: number; share: number }>();

/** Counts a thread from now on. */
export function watchHeap(worker: Worker, limitBytes: number): void {
  heaps.set(worker, { limitBytes, share: 0 });
  worker.once("exit", () => heaps.delete(worker));
}

/** The fullest heap of all threads as of the last call, which asks them anew: a share of its limit, 0 without a thread. */
export function fullestHeap(): number {
  for (const [worker, heap] of heaps) {
    worker.getHeapStatistics().then(
      ({ used_heap_size: used }) => (heap.share = used / heap.limitBytes),
      () => undefined, // it has ended
    );
  }
  return Math.max(0, ...[...heaps.values()].map(({ share }) => share));
}
