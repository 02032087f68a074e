// The scaling report on sizes that take seconds: what it measures is there, agrees with itself, and does not touch the run.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSimEngine,
  measureSize,
  scalingChart,
  scalingReport,
  type SizeResult,
} from "../../src/sim/index.ts";
import { depthOfSize, meshDefaults } from "../../src/mesh/index.ts";
import { nativeSha256 } from "./native-sha256.ts";

const OPTIONS = { seed: 5, lossRatio: 0.05, settleMs: 12_000, measureMs: 3_000 };

/** A host whose clocks tick by the reading. */
function size(nodes: number, ticks = 1): SizeResult {
  let reading = 0;
  const clock = (): number => (reading += ticks);
  const deps = { wallMicros: clock, cpuMicros: clock, memoryBytes: () => clock() * nodes };
  return measureSize({ ...deps, engine: createSimEngine(nativeSha256) }, { ...OPTIONS, nodes });
}

const results = [36, 64, 100].map((nodes) => size(nodes));

test("a size is measured: zones, views, costs, times", () => {
  for (const result of results) {
    const { nodes, perNode } = result;
    assert.equal(result.zones, 2 ** depthOfSize(nodes, meshDefaults.zoneMembersMin));
    assert.equal(result.virtualSeconds, 15);
    assert.equal(result.falseDeaths, 0);
    assert.ok(result.aliveShare > 0.95, `${nodes} nodes: ${result.aliveShare} seen alive`);
    const heartbeats = nodes / result.zones - 1;
    assert.ok(
      perNode.messagesPerSecond > heartbeats && perNode.messagesPerSecond < 40 * heartbeats,
    );
    assert.ok(perNode.bytesPerSecond > 150 * perNode.messagesPerSecond);
    const received = perNode.receivedBytesPerSecond / perNode.bytesPerSecond;
    assert.ok(received > 0.9 && received < 1, `loss takes its share: ${received}`);
    assert.ok(perNode.cpuMicrosPerSecond > 0 && perNode.memoryBytes > 0);
  }
});

test("what the host's clocks say does not touch the run", () => {
  assert.equal(size(36, 1_000).traceDigest, results[0]?.traceDigest);
});

test("the report has a row for each size and each law, and the picture a panel for each", () => {
  const context = {
    command: "c",
    commit: "abc",
    seed: 5,
    lossRatio: 0.05,
    predictedNodes: 100_000,
  };
  const report = scalingReport(results, context);
  for (const { nodes, traceDigest } of results) {
    assert.match(report, new RegExp(`^\\| ${nodes} \\| `, "m"));
    assert.ok(report.includes(traceDigest));
  }
  assert.equal(report.match(/^- .* grows as N\^/gm)?.length, 4);
  assert.ok(!report.includes("NaN"));
  const chart = scalingChart(results, context.predictedNodes);
  assert.equal(chart.match(/nodes in the mesh/g)?.length, 4);
  assert.equal(chart.match(/<circle/g)?.length, 4 * (results.length + 1));
  assert.ok(!/NaN|Infinity|undefined/.test(chart));
});
