// A thread of the verification pool: an engine of its own, one ring to serve, and nothing else. It sleeps in the ring, not in an event loop.

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../foundation/index.ts";
import { systemRandom } from "../random.ts";
import { createWasmEngine } from "./engine.ts";
import { RingConsumer, type RingMemory } from "./job-ring.ts";

/** Answers go back after so many jobs at the latest: one call of the kernels. */
const BATCH_MAX = 16;

assert(parentPort !== null, "this module runs as a worker thread");
const ring = new RingConsumer(workerData as RingMemory);
const { mlDsa65 } = createWasmEngine({ random: systemRandom });
for (;;) {
  ring.answer(mlDsa65.verifyBatch(ring.take(BATCH_MAX)));
  parentPort.postMessage("answered");
}
