// Shrinking: what is left still fails in the same way, and the runs are bounded. On a made-up run that fails when
// two certain faults come together, with enough nodes and time.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseScenario,
  planRun,
  type RunPlan,
  type RunReport,
  shrink,
} from "../../../src/sim/index.ts";
import { run, shipped } from "../../sim/scenario-runs.ts";

const whole = run(shipped("metrics-traffic"), { nodes: 3, minutes: 0.2 });

/** As if the run failed exactly then. */
function pretend(plan: RunPlan): RunReport {
  const kinds = plan.faults.map((fault) => fault.inject);
  const fails =
    kinds.includes("loss") && kinds.includes("crash") && plan.nodes >= 5 && plan.minutes >= 1;
  const failures = fails ? ["falseDeaths is 3, at most 0 is expected."] : [];
  return { ...whole, plan, failures, violations: [], passed: !fails, invariants: [] };
}

const kinds = ["latency, tail: 1s", "loss, ratio: 0.2", "duplication, ratio: 0.1"];
const text = `{ name: a, summary: b, nodes: 20, minutes: 8, faults: [
  ${kinds.map((kind) => `{ at: 20s, inject: ${kind} }`).join(", ")},
  { at: 20s, inject: crash, nodes: [1, 17] }, { at: 30s, inject: clock_step, nodes: 2, by_seconds: 5 } ] }`;
const plan = planRun(parseScenario(text, "x.yml"));

test("the smallest plan that still fails is found", () => {
  const smallest = shrink(plan, pretend(plan), { run: pretend, runsMax: 100 });
  assert.deepEqual(smallest.plan.faults.map(({ inject }) => inject).sort(), ["crash", "loss"]);
  assert.equal(smallest.plan.minutes, 1);
  assert.equal(smallest.plan.nodes, 5);
  const [crash] = smallest.plan.faults.filter(({ inject }) => inject === "crash");
  assert.deepEqual(crash !== undefined && "nodes" in crash && crash.nodes, [1]);
  assert.equal(smallest.report.passed, false);
});

test("no more runs are spent than allowed, and with none the plan stays", () => {
  let runs = 0;
  const count = (candidate: RunPlan): RunReport => {
    runs++;
    return pretend(candidate);
  };
  shrink(plan, pretend(plan), { run: count, runsMax: 3 });
  assert.equal(runs, 3);
  assert.deepEqual(shrink(plan, pretend(plan), { run: count, runsMax: 0 }).plan, plan);
  assert.equal(runs, 3);
});

test("another failure than the first is no reason to keep a smaller plan", () => {
  const other = (candidate: RunPlan): RunReport => ({
    ...pretend(candidate),
    passed: false,
    failures:
      candidate.faults.length < 5 ? ["The fault slow had no effect: nothing was tested."] : [],
  });
  assert.deepEqual(shrink(plan, pretend(plan), { run: other, runsMax: 50 }).plan, plan);
});
