import assert from "node:assert/strict";
import { test } from "node:test";
import { createPromMeter } from "../../../src/adapters/telemetry/prom-meter.ts";
import { startProcessMeter } from "../../../src/adapters/telemetry/process-meter.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import type { MetricDeclaration } from "../../../src/ports/index.ts";
import { daemonMetrics } from "../../../src/telemetry/index.ts";

const declarations: readonly MetricDeclaration[] = [
  {
    name: "meshd_mesh_frames_total",
    kind: "counter",
    help: "One more frame came in.",
    labels: { result: ["accepted", "rejected"], topic: ["state"] },
  },
  { name: "meshd_mesh_peers", kind: "gauge", help: "Peers known by now." },
  {
    name: "meshd_mesh_rtt_seconds",
    kind: "histogram",
    help: "Round-trip times of probes.",
    buckets: [0.1, 1],
  },
  {
    name: "meshd_mesh_peer_rtt_seconds",
    kind: "gauge",
    help: "Round-trip time by peer.",
    labels: { peer: null },
  },
  {
    name: "meshd_mesh_peer_frames_total",
    kind: "counter",
    help: "One more frame of a peer.",
    labels: { peer: null, result: ["a", "b"] },
  },
];

/** Samples of the Prometheus text format by series; every line must parse. */
function parseText(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    const match =
      /^([a-z_][a-z0-9_]*(?:\{(?:[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})?) (-?[\d.e+-]+|NaN|[+-]Inf)$/i.exec(
        line,
      );
    assert.ok(match?.[1] !== undefined, `does not parse: ${line}`);
    assert.ok(!samples.has(match[1]), `twice: ${line}`);
    samples.set(match[1], Number(match[2]));
  }
  return samples;
}

function assertInvariant(call: () => void): void {
  assert.throws(call, (error) => isMeshError(error, "internal/invariant"));
}

test("all closed series exist with 0 before anything happens", async () => {
  const samples = parseText(await createPromMeter(declarations).text());
  assert.equal(samples.get('meshd_mesh_frames_total{result="accepted",topic="state"}'), 0);
  assert.equal(samples.get('meshd_mesh_frames_total{result="rejected",topic="state"}'), 0);
  assert.equal(samples.get("meshd_mesh_peers"), 0);
  assert.equal(samples.get('meshd_mesh_rtt_seconds_bucket{le="0.1"}'), 0);
  assert.equal(samples.get("meshd_mesh_rtt_seconds_count"), 0);
});

test("counts, sets and observations show in the text and in the snapshot", async () => {
  const { meter, text, snapshot } = createPromMeter(declarations);
  meter.count("meshd_mesh_frames_total", { topic: "state", result: "accepted" });
  meter.count("meshd_mesh_frames_total", { result: "accepted", topic: "state" }, 4);
  meter.set("meshd_mesh_peers", 3);
  meter.set("meshd_mesh_peers", 2);
  meter.observe("meshd_mesh_rtt_seconds", 0.5);
  const samples = parseText(await text());
  assert.equal(samples.get('meshd_mesh_frames_total{result="accepted",topic="state"}'), 5);
  assert.equal(samples.get("meshd_mesh_peers"), 2);
  assert.equal(samples.get('meshd_mesh_rtt_seconds_bucket{le="0.1"}'), 0);
  assert.equal(samples.get('meshd_mesh_rtt_seconds_bucket{le="1"}'), 1);
  assert.deepEqual(snapshot("meshd_mesh_frames_total"), [
    { labels: { result: "accepted", topic: "state" }, value: 5 },
    { labels: { result: "rejected", topic: "state" }, value: 0 },
  ]);
  assert.deepEqual(snapshot("meshd_mesh_peers"), [{ labels: {}, value: 2 }]);
});

test("an undeclared name, kind, label or label value is an error of ours", () => {
  const { meter, snapshot } = createPromMeter(declarations);
  const labels = { result: "accepted", topic: "state" };
  assertInvariant(() => meter.count("meshd_mesh_nothing_total"));
  assertInvariant(() => snapshot("meshd_mesh_nothing_total"));
  assertInvariant(() => meter.set("meshd_mesh_frames_total", 1, labels));
  assertInvariant(() => meter.count("meshd_mesh_frames_total"));
  assertInvariant(() => meter.count("meshd_mesh_frames_total", { result: "accepted" }));
  assertInvariant(() => meter.count("meshd_mesh_frames_total", { ...labels, result: "lost" }));
  assertInvariant(() => meter.count("meshd_mesh_frames_total", { ...labels, more: "x" }));
  assertInvariant(() => meter.count("meshd_mesh_frames_total", labels, -1));
  assertInvariant(() => meter.set("meshd_mesh_peers", Number.NaN));
  assertInvariant(() => meter.set("meshd_mesh_peers", 1, { peer: "a" }));
  assertInvariant(() => createPromMeter([...declarations, ...declarations]));
});

test("an open label has as many series as allowed; beyond, gauges are dropped, counters fold, both are counted", async () => {
  const { meter, text } = createPromMeter(declarations, { seriesPerMetricMax: 3 });
  for (const peer of ["a", "b", "c", "d", "e", "a"]) {
    meter.set("meshd_mesh_peer_rtt_seconds", 1, { peer });
    meter.count("meshd_mesh_peer_frames_total", { peer, result: "b" });
  }
  const samples = parseText(await text());
  const series = (name: string): string[] =>
    [...samples.keys()].filter((key) => key.startsWith(`${name}{`));
  assert.equal(series("meshd_mesh_peer_rtt_seconds").length, 3);
  assert.equal(series("meshd_mesh_peer_frames_total").length, 4);
  assert.equal(samples.get('meshd_mesh_peer_frames_total{peer="a",result="b"}'), 2);
  assert.equal(samples.get('meshd_mesh_peer_frames_total{peer="other",result="b"}'), 2);
  const dropped = "meshd_telemetry_series_dropped_total";
  assert.equal(samples.get(`${dropped}{metric="meshd_mesh_peer_rtt_seconds"}`), 2);
  assert.equal(samples.get(`${dropped}{metric="meshd_mesh_peer_frames_total"}`), 2);
});

test("a label value with quotes, backslashes and line breaks stays one series", async () => {
  const { meter, text } = createPromMeter(declarations);
  meter.set("meshd_mesh_peer_rtt_seconds", 1, { peer: 'a"b\\c\nd' });
  assert.equal(parseText(await text()).size > 0, true);
});

test("the whole daemon's page parses, with the process's own values", async (t) => {
  const prom = createPromMeter(daemonMetrics);
  const watch = startProcessMeter(prom, { version: "1.2.3" });
  t.after(() => watch.stop());
  const samples = parseText(await prom.text());
  assert.equal(samples.get(`meshd_build_info{version="1.2.3",node="${process.version}"}`), 1);
  assert.ok((samples.get("meshd_process_resident_memory_bytes") ?? 0) > 1e6);
  assert.ok((samples.get('meshd_process_cpu_seconds_total{mode="user"}') ?? 0) > 0);
  assert.ok((samples.get('meshd_process_event_loop_lag_seconds{percentile="p99"}') ?? -1) >= 0);
  const open = samples.get("meshd_process_open_fds") ?? 0;
  assert.ok(open > 3 && open < (samples.get("meshd_process_max_fds") ?? 0), `${open} descriptors`);
  const clock = samples.get("meshd_process_wall_clock_seconds") ?? 0;
  assert.ok(clock > (samples.get("meshd_process_start_time_seconds") ?? Infinity));
  const { rssBytes, eventLoopLagP99Ms } = watch.read();
  assert.ok(Number.isSafeInteger(rssBytes) && eventLoopLagP99Ms >= 0);
});
