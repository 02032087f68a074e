// The scenarios, each at a size that takes seconds, and the report that a failed one leaves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isMeshError } from "../../src/foundation/index.ts";
import {
  createSimEngine,
  describeReport,
  runScenario,
  type ScenarioOptions,
  scenarios,
} from "../../src/sim/index.ts";
import { nativeSha256 } from "./native-sha256.ts";

const SEED = 20_260_101;
const options = (change: Partial<ScenarioOptions> = {}): ScenarioOptions => ({
  seed: SEED,
  engine: createSimEngine(nativeSha256),
  ...change,
});

test("50 nodes at 7 % loss survive a partition of three minutes", (t) => {
  const report = runScenario("partition-heal", options({ nodes: 50, lossRatio: 0.07 }));
  t.diagnostic(describeReport(report));
  assert.ok(report.passed, describeReport(report));
  assert.ok(report.checks.noFalseDeath > 10_000, "the death checker looked");
  assert.ok(report.checks.sequenceRises > 100_000, "the sequence checker looked");
  const lossSeen = report.network.lost / (report.network.sent - report.network.blocked);
  assert.ok(lossSeen > 0.065 && lossSeen < 0.075, `loss was ${lossSeen}`);
});

test("nodes that lose power are found dead by all, and return", (t) => {
  const report = runScenario("crash-restart", options({ nodes: 16 }));
  t.diagnostic(describeReport(report));
  assert.ok(report.passed, describeReport(report));
});

test("an equivocator is quarantined everywhere, a forger and a replayer change nothing", (t) => {
  const report = runScenario("byzantine", options({ nodes: 10 }));
  t.diagnostic(describeReport(report));
  assert.ok(report.passed, describeReport(report));
});

test("a report is a function of its options", () => {
  const run = (): unknown => runScenario("crash-restart", options({ nodes: 6 }));
  assert.deepEqual(run(), run());
});

test("a failed run says how to see it again", () => {
  const report = runScenario("crash-restart", options({ nodes: 6, lossRatio: 0.95 }));
  assert.equal(report.passed, false);
  const text = describeReport(report);
  assert.match(text, /crash-restart FAILED: seed 20260101, 6 nodes/);
  assert.match(
    text,
    /to replay.*runScenario\("crash-restart", \{"seed":20260101,"nodes":6,"lossRatio":0\.95\}\)/,
  );
  assert.ok(report.tail.length > 0);
});

test("a scenario that is not there is refused, with the names of those that are", () => {
  assert.throws(
    () => runScenario("none", options()),
    (error) => {
      assert.ok(isMeshError(error, "sim/unknown-scenario"));
      for (const { name } of scenarios) assert.ok(error.message.includes(name));
      return true;
    },
  );
});
