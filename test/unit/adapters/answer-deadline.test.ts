// Until when an answer is waited for: an answer that has arrived counts, however late the process comes to read it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { answerDeadline } from "../../../src/adapters/libp2p/answer-deadline.ts";

const TIMEOUT_MS = 50;

/** Nothing of this thread runs for so long. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("without an answer it ends with a TimeoutError, not before its time", async () => {
  const startMs = performance.now();
  const signal = answerDeadline(TIMEOUT_MS);
  const held = setInterval(() => undefined, 1_000); // the deadline alone keeps nothing alive
  await once(signal, "abort");
  clearInterval(held);
  assert.ok(performance.now() - startMs >= TIMEOUT_MS - 1); // timers count whole milliseconds
  assert.equal((signal.reason as Error).name, "TimeoutError");
});

test("an answer that came while this process did not run is read before it ends", async (t) => {
  // The other end is a thread of its own: it answers while this one stands still.
  const far = new Worker(
    `const { connect } = require("node:net"); const { workerData } = require("node:worker_threads");
     const socket = connect(workerData, "127.0.0.1"); socket.on("data", (ping) => socket.write(ping));`,
    { eval: true, workerData: await listening() },
  );
  t.after(() => far.terminate());
  const [near] = await accepted;
  t.after(() => near.destroy());
  const answer = once(near, "data");
  const signal = answerDeadline(TIMEOUT_MS);
  const ended = once(signal, "abort").then(() => "ended");
  near.write("ping");
  // Written above is sent at once; the answer is in this socket's buffer when the timer is long due.
  stall(10 * TIMEOUT_MS);
  const first = await Promise.race([answer.then(([data]) => String(data)), ended]);
  assert.equal(first, "ping");
});

const server = createServer();
const accepted = once(server, "connection") as Promise<[Socket]>;

async function listening(): Promise<number> {
  server.listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
