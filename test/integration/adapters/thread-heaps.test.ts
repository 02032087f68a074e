// How full the heaps of threads are: of threads that live, and of the fullest.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { fullestHeap, watchHeap } from "../../../src/adapters/workers/thread-heaps.ts";
import { until } from "../node/harness.ts";

const MEBIBYTE = 1024 * 1024;
const HELD_MEBIBYTES = 24;
const program = `
  const held = Array.from({ length: ${HELD_MEBIBYTES} }, () => new Array(${MEBIBYTE / 8}).fill(Math.random()));
  require("node:worker_threads").parentPort.postMessage(held.length);
  setInterval(() => held.length, 1_000);
`;

test("the fullest heap is told as a share of its limit, and nothing of a thread that has ended", async (t) => {
  assert.equal(fullestHeap(), 0);
  const full = new Worker(program, { eval: true });
  const empty = new Worker("setInterval(() => 0, 1_000)", { eval: true });
  t.after(() => Promise.all([full.terminate(), empty.terminate()]));
  for (const worker of [full, empty]) watchHeap(worker, 64 * MEBIBYTE);
  await once(full, "message");
  const share = await until("the share", () =>
    Promise.resolve([fullestHeap()].find((one) => one > HELD_MEBIBYTES / 64)),
  );
  assert.ok(share < 1, `${share}`);
  await full.terminate();
  assert.ok(fullestHeap() < HELD_MEBIBYTES / 64);
  await empty.terminate();
  assert.equal(fullestHeap(), 0);
});
