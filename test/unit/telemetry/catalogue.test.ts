import assert from "node:assert/strict";
import { test } from "node:test";
import { allMetrics } from "../../../src/node/metrics.ts";
import { metricProblems, telemetryMetrics } from "../../../src/telemetry/index.ts";

test("every declared metric follows the naming rule", () => {
  assert.ok(allMetrics.length > 20);
  assert.deepEqual([...allMetrics, ...telemetryMetrics].flatMap(metricProblems), []);
});

test("no name is declared twice", () => {
  const names = [...allMetrics, ...telemetryMetrics].map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

test("each breach of the rule is named", () => {
  const good = {
    name: "meshd_mesh_probes_total",
    kind: "counter",
    help: "One more probe was sent.",
  } as const;
  assert.deepEqual(metricProblems(good), []);
  const bad = [
    { ...good, name: "mesh_probes_total" },
    { ...good, name: "meshd_kitchen_probes_total" },
    { ...good, name: "meshd_mesh_Probes_total" },
    { ...good, name: "meshd_mesh_probes" },
    { ...good, kind: "gauge" as const },
    { ...good, kind: "gauge" as const, name: "meshd_mesh_rtt_ms" },
    { ...good, help: "" },
    { ...good, labels: { Result: ["a"] } },
    { ...good, buckets: [1] },
    { ...good, kind: "histogram" as const, name: "meshd_mesh_rtt_seconds" },
    { ...good, kind: "histogram" as const, name: "meshd_mesh_rtt_seconds", buckets: [2, 1] },
    {
      ...good,
      kind: "histogram" as const,
      name: "meshd_mesh_rtt_seconds",
      buckets: Array.from({ length: 11 }, (_, i) => i),
    },
  ];
  for (const declaration of bad) {
    assert.equal(metricProblems(declaration).length, 1, JSON.stringify(declaration));
  }
});
