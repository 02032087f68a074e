// Injectors: overlapping faults, traffic patterns, and what the recovery monitor says of its samples.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkFailureInjector } from "../../../src/sim/injectors/network-failure-injector.ts";
import { percentile } from "../../../src/sim/injectors/recovery-monitor.ts";
import { intensity } from "../../../src/sim/injectors/traffic-source.ts";
import { createSimEngine, Swarm } from "../../../src/sim/index.ts";
import { NETWORK_DEFAULTS } from "../../../src/sim/network.ts";
import { nativeSha256 } from "../../sim/native-sha256.ts";
import { parseScenario, planRun } from "../../../src/sim/index.ts";
import { run, shipped } from "../../sim/scenario-runs.ts";

test("two partitions cut each on its own, and the end of one leaves the other", () => {
  const swarm = new Swarm({ nodes: 6, seed: 1, engine: createSimEngine(nativeSha256) });
  const injector = new NetworkFailureInjector(swarm, NETWORK_DEFAULTS);
  const { network } = swarm.world;
  const first = { inject: "partition", at: 0, nodes: [0], shape: "symmetric" } as const;
  const second = { inject: "partition", at: 0, nodes: [0, 1], shape: "asymmetric" } as const;
  injector.begin(first);
  injector.begin(second);
  injector.end(first);
  assert.ok(network.isBlocked(0, 2), "the second still stops 0 to 2");
  assert.ok(!network.isBlocked(2, 0), "and hears it");
  assert.ok(!network.isBlocked(0, 1), "they are on one side of it");
  injector.end(second);
  assert.ok(!network.isPartitioned);
});

test("a bridge reaches both sides, which do not reach each other", () => {
  const swarm = new Swarm({ nodes: 5, seed: 1, engine: createSimEngine(nativeSha256) });
  const injector = new NetworkFailureInjector(swarm, NETWORK_DEFAULTS);
  injector.begin({ inject: "partition", at: 0, nodes: [0, 1], shape: "bridge" });
  const { network } = swarm.world;
  assert.ok(network.isOpen(2, 0) && network.isOpen(2, 4));
  assert.ok(network.isBlocked(0, 3) && network.isBlocked(3, 0));
});

test("patterns have the same mean over their period, but for the ramp, which has it over the run", () => {
  const { traffic } = planRun(shipped("steady"));
  for (const pattern of ["steady", "burst", "ramp", "diurnal", "churn"] as const) {
    const samples = 6_000;
    let sum = 0;
    for (let i = 0; i < samples; i++) {
      sum += intensity({ ...traffic, pattern, period: 60_000 }, i * 10, 60_000);
    }
    assert.ok(Math.abs(sum / samples - 1) < 0.01, `${pattern}: ${sum / samples}`);
  }
});

test("percentiles are the nearest rank", () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile([7], 0.99), 7);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.99)], [50, 99]);
});

test("a fault that finds nothing to do fails the run", () => {
  const text =
    "{ name: a, summary: b, nodes: 3, minutes: 0.5, expect: { calm: 1s }, " +
    "faults: [{ inject: disk_full, at: 20s, nodes: 1 }] }";
  const report = run(parseScenario(text, "x"));
  assert.equal(report.passed, false);
  assert.match(report.failures.join(), /disk_full had no effect/);
});
