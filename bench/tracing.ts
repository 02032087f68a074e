// What tracing costs: handshakes and the validation of heartbeats without it, with a thousandth of the traces recorded, and with
// all. The variants take turns in one run, so that what the machine does besides hits all of them. The collector is in a
// thread of its own and takes everything.

import { Worker } from "node:worker_threads";
import { systemRandom } from "../src/adapters/random.ts";
import { createOtlpTracer, type RunningTracer } from "../src/adapters/telemetry/otlp-tracer.ts";
import { type Meter, noTracer, type Tracer } from "../src/ports/index.ts";
import { BEACON_SPAN } from "../src/telemetry/index.ts";
import { handshake, issue, loopback, meshEncrypters } from "./handshake.ts";
import { type BenchSuite, summarize } from "./measure.ts";
import { heartbeatReceiver } from "./mesh.ts";

const COLLECTOR = `
  const { createServer } = require("node:http");
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end("{}"));
  });
  server.listen(0, "127.0.0.1", () => require("node:worker_threads").parentPort.postMessage(server.address().port));
`;

/** What the collector took, and what was lost before it. */
const counts = { exported: 0, dropped: 0 };
const nothing = (): void => undefined;
const meter: Meter = {
  count: (name, _labels, by = 1) => {
    if (name === "meshd_telemetry_spans_exported_total") counts.exported += by;
    if (name === "meshd_telemetry_spans_dropped_total") counts.dropped += by;
  },
  set: nothing,
  observe: nothing,
};

async function startCollector(): Promise<{ readonly worker: Worker; readonly endpoint: string }> {
  const worker = new Worker(COLLECTOR, { eval: true });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return { worker, endpoint: `http://127.0.0.1:${port}/v1/traces` };
}

function tracerWith(endpoint: string, ratio: number): RunningTracer {
  return createOtlpTracer(
    {
      random: systemRandom,
      meter,
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      resource: () => ({ "service.name": "bench" }),
    },
    { endpoint, headers: {}, sampleRatio: ratio, beaconSampleRatio: ratio, version: "0" },
  );
}

type Variants = readonly (readonly [name: string, tracer: Tracer])[];

/** Turns of the variants: enough of them that a median means something. */
const TURNS = 40;
const HEARTBEATS_A_TURN = 2_000;

/** Microseconds of one validation, awaited as the mesh does it; `bare` is the machine's own work. */
async function heartbeats(variants: Variants, seconds: number): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>();
  const receive = heartbeatReceiver();
  const add = (name: string, ms: number): void => {
    samples.set(name, [...(samples.get(name) ?? []), (ms * 1000) / HEARTBEATS_A_TURN]);
  };
  const end = performance.now() + 3_000 * seconds;
  for (let turn = -5; turn < TURNS || performance.now() < end; turn++) {
    let start = performance.now();
    for (let i = 0; i < HEARTBEATS_A_TURN; i++) receive();
    if (turn >= 0) add("bare", performance.now() - start);
    for (const [name, tracer] of variants) {
      start = performance.now();
      for (let i = 0; i < HEARTBEATS_A_TURN; i++) {
        await tracer.span(BEACON_SPAN, { parent: "root" }, (span) => {
          receive();
          span.set({ "meshd.beacon.code": "heartbeat", "meshd.beacon.bytes": 74 });
          return Promise.resolve();
        });
      }
      if (turn >= 0) add(name, performance.now() - start);
    }
  }
  return samples;
}

/** Milliseconds of one handshake with chains that are known, both sides traced. */
async function handshakes(variants: Variants, seconds: number): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>();
  const issued = issue();
  const pairs = variants.map(([name, tracer]) => ({
    name,
    encrypters: meshEncrypters(issued, "known", tracer),
  }));
  const { open, close } = await loopback();
  const end = performance.now() + 3_000 * seconds;
  for (let turn = -20; turn < TURNS || performance.now() < end; turn++) {
    for (const { name, encrypters } of pairs) {
      const { ms } = await handshake(encrypters, await open());
      if (turn >= 0) samples.set(name, [...(samples.get(name) ?? []), ms]);
    }
  }
  await close();
  return samples;
}

export const suite: BenchSuite = async (report, { seconds }) => {
  const { worker, endpoint } = await startCollector();
  const running = [tracerWith(endpoint, 0.001), tracerWith(endpoint, 1)] as const;
  const variants: Variants = [
    ["off", noTracer],
    ["sampled", running[0]],
    ["all", running[1]],
  ];
  const reportAll = (what: string, unit: string, samples: Map<string, number[]>): void => {
    const off = samples.get("off") ?? [];
    for (const [name, values] of samples) {
      report(summarize(`tracing/${what}/${name}`, unit, values));
      if (name === "off") continue;
      // Turn by turn: a busy moment of the machine hits both.
      const ratios = values.map((value, turn) => value / (off[turn] ?? Number.NaN));
      report(summarize(`tracing/${what}/${name}/ratio`, "x off", ratios));
    }
  };
  reportAll("handshake", "ms", await handshakes(variants, seconds));
  reportAll("heartbeat", "us", await heartbeats(variants, seconds));
  for (const tracer of running) await tracer.stop();
  const { exported, dropped } = counts;
  report(summarize("tracing/spans/exported", "spans", [exported]));
  report(summarize("tracing/spans/dropped", "spans", [dropped]));
  await worker.terminate();
};
