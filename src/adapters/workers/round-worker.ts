// The thread that computes certified rounds: it holds the rows of updates that may still count, so that one is decoded once, when it
// comes, and neither that nor the aggregation delays a heartbeat.

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
  updatesHereMax,
} from "../../learning/index.ts";
import { createWasmVectorKernels } from "../wasm/learning/vector-kernels.ts";
import type { RoundAnswer, RoundRequest, RoundSetup, RowName } from "./round-thread.ts";

const port = parentPort;
assert(port !== null, "this module runs as a worker thread");
const { task, self, adversary, kernels: module } = workerData as RoundSetup;
const kernels = module === undefined ? plainKernels : createWasmVectorKernels(module);
const { parameters: length } = taskSpec(task);
const owed = new ErrorFeedback(length);
const rows = new Map<string, Float32Array>();
const capacity = updatesHereMax(task);
const nameOf = ({ update, baseRound }: RowName): string => `${baseRound}/${update}`;
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

/** An update of somebody, kept as a row if it is sound. */
function open({ bytes, coding, ...name }: RoundRequest<"open">): RoundAnswer {
  const row = decompress(bytes, task.compression, { ...coding, length, kernels });
  if (row.ok && !rows.has(nameOf(name))) {
    assert(rows.size < capacity, "no participant has more updates here than it may");
    rows.set(nameOf(name), row.value);
  }
  return { kind: "opened", refused: row.ok ? undefined : row.code };
}

function forget({ kept }: RoundRequest<"forget">): RoundAnswer {
  const names = new Set(kept.map(nameOf));
  for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
  return { kind: "forgotten" };
}

function aggregate({ updates, ...computation }: RoundRequest<"aggregate">): RoundAnswer {
  const entries = updates.map(({ update, ...entry }) => {
    const row = rows.get(nameOf({ ...entry, update }));
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
      return forget(request);
  }
}

port.on("message", ({ id, request }: { readonly id: number; readonly request: RoundRequest }) => {
  try {
    port.postMessage({ id, answer: answerTo(request) });
  } catch (error) {
    port.postMessage({ id, answer: { kind: "failed", code: errorCode(error) } });
  }
});
