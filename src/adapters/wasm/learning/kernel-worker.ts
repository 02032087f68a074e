// A thread of the learning kernels: makes the calls of each request over the memory that came with it, and says when they are made.

import { parentPort } from "node:worker_threads";
import { assert } from "../../../foundation/index.ts";
import { instantiate } from "../compile.ts";
import { makeCalls, type ThreadRequest } from "./calls.ts";
import type { LearningExports } from "./instance.ts";

const port = parentPort;
assert(port !== null, "this module runs as a worker thread");
port.on("message", ({ module, memory, calls }: ThreadRequest) => {
  makeCalls(instantiate(module, { env: { memory } }) as LearningExports, calls);
  port.postMessage("made");
});
