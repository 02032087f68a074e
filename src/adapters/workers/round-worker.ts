// The thread that computes certified rounds: it holds the rows of the open round, so that an update is decoded once, when it comes, and
// neither that nor the aggregation delays a heartbeat.

import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { assert, errorCode } from "../../foundation/index.ts";
import {
  attackUpdate,
  computeRound,
  decompress,
  ErrorFeedback,
  orchestratorOf,
  plainKernels,
  taskSpec,
} from "../../learning/index.ts";
import { createWasmVectorKernels } from "../wasm/learning/vector-kernels.ts";
import type { RoundAnswer, RoundRequest, RoundSetup } from "./round-thread.ts";

const port = parentPort;
assert(port !== null, "this module runs as a worker thread");
const { task, self, adversary, kernels: module } = workerData as RoundSetup;
const kernels = module === undefined ? plainKernels : createWasmVectorKernels(module);
const { parameters: length } = taskSpec(task);
const owed = new ErrorFeedback(length);
/** Of the open round, by the digests of their updates. */
const rows = new Map<string, Float32Array>();
let openRound = 0;
const hash = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(bytes).digest());
const orchestrator = orchestratorOf({ hash }, task);

/** The own update: the trained model minus its base, compressed; what that loses is added to the next one. */
function encode({ round, weights, base, coding }: RoundRequest<"encode">): RoundAnswer {
  const row = weights.map((value, i) => value - (base[i] as number));
  const sent = adversary ? attackUpdate(task.attack, row, task.seed, round, self) : row;
  const bytes = owed.compress(sent, task.compression, { ...coding, length, kernels, author: self });
  return { kind: "encoded", bytes };
}

/** An update of somebody, kept as a row if it is sound and its round is not over. */
function open({ round, update, bytes, coding }: RoundRequest<"open">): RoundAnswer {
  if (round > openRound) {
    rows.clear();
    openRound = round;
  }
  const row = decompress(bytes, task.compression, { ...coding, length, kernels });
  if (row.ok && round === openRound && !rows.has(update)) {
    assert(rows.size < task.participants.length, "a participant has one update a round");
    rows.set(update, row.value);
  }
  return { kind: "opened", refused: row.ok ? undefined : row.code };
}

function aggregate({ updates, ...computation }: RoundRequest<"aggregate">): RoundAnswer {
  const entries = updates.map(({ update, ...entry }) => {
    const row = rows.get(update);
    assert(row !== undefined, "every update of the set was opened");
    return { ...entry, row };
  });
  assert(orchestrator !== undefined, "the task's rounds are certified");
  const input = { ...computation, updates: entries };
  const computed = computeRound(orchestrator, task.aggregator, kernels, input);
  return { kind: "aggregated", ...computed };
}

function answerTo(request: RoundRequest): RoundAnswer {
  switch (request.kind) {
    case "encode":
      return encode(request);
    case "open":
      return open(request);
    case "aggregate":
      return aggregate(request);
    case "forget":
      rows.clear();
      return { kind: "forgotten" };
  }
}

port.on("message", ({ id, request }: { readonly id: number; readonly request: RoundRequest }) => {
  try {
    port.postMessage({ id, answer: answerTo(request) });
  } catch (error) {
    port.postMessage({ id, answer: { kind: "failed", code: errorCode(error) } });
  }
});
