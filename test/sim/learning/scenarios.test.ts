// Training in the simulator: one seed is one history, its checkers can go red, and what fails becomes smaller.

import assert from "node:assert/strict";
import { test } from "node:test";
import { computeRound } from "../../../src/learning/index.ts";
import { kappaOf } from "../../../src/sim/checkers/learning-bound.ts";
import {
  parseScenario,
  planRun,
  runPlan,
  type RunPlan,
  type RunReport,
  shrink,
} from "../../../src/sim/index.ts";
import { nativeSha256 } from "../native-sha256.ts";
import { run } from "../scenario-runs.ts";

function scenario(rest: string) {
  const text = `{ name: training, summary: of a test, nodes: 7, minutes: 0.4, ${rest} }`;
  return parseScenario(text, "training");
}

const brief = "learning: { rounds: 3, start: 6s }, expect: { calm: 1s }";
const poison = "{ inject: poison, at: 5s, nodes: [1, 4], attack: ipm-optimal }";

const broken = ({ invariants }: RunReport): string[] =>
  invariants.filter(({ violations }) => violations > 0).map(({ name }) => name);

test("one seed is one history, with what was trained in it", () => {
  const [first, again, other] = [1, 1, 2].map((seed) => run(scenario(brief), { seed }));
  assert.ok(first?.passed && other?.passed);
  assert.equal(first.traceDigest, again?.traceDigest);
  assert.deepEqual(first.learning, again?.learning);
  assert.notEqual(first.learning?.modelDigest, other.learning?.modelDigest);
  assert.equal(first.learning?.certified, 3);
});

test("learning-bound goes red when a step is far from the honest ones, or one update has all weight", () => {
  const attacked = scenario(`${brief}, faults: [${poison}]`);
  assert.deepEqual(broken(run(attacked)), []);
  const far: typeof computeRound = (...input) => {
    const computed = computeRound(...input);
    const { base } = input[3];
    const weights = computed.weights.map((value, i) => value + 50 * (value - (base[i] as number)));
    return { ...computed, weights };
  };
  assert.deepEqual(broken(run(attacked, {}, { compute: far })), ["learning-bound"]);
  const dictated: typeof computeRound = (...input) => {
    const { influences, ...computed } = computeRound(...input);
    return {
      ...computed,
      influences: influences.map((one, i) => ({ ...one, share: i > 0 ? 0 : 1 })),
    };
  };
  assert.deepEqual(broken(run(attacked, {}, { compute: dictated })), ["learning-bound"]);
});

test("late updates enter a stream's steps, and the same flood that is proven in a batch is proven there", () => {
  const stream = "learning: { rounds: 8, start: 6s, orchestrator: streaming, deadline: 3s }";
  /** How late each update was when it entered. */
  const lateness = new Map<string, number>();
  const watched: typeof computeRound = (...input) => {
    const { round, updates } = input[3];
    for (const { nodeId, baseRound } of updates) {
      const name = `${nodeId}/${baseRound}`;
      lateness.set(name, Math.min(lateness.get(name) ?? round, round - 1 - baseRound));
    }
    return computeRound(...input);
  };
  const flood = "{ inject: flood_updates, at: 5s, nodes: [1, 4], factor: 10 }";
  const flooded = scenario(`${stream}, expect: { calm: 1s }, faults: [${flood}]`);
  const report = run(flooded, {}, { compute: watched });
  assert.deepEqual(broken(report), []);
  const late = [...lateness.values()];
  assert.ok(late.includes(0) && late.includes(1), late.join());
  assert.equal(report.learning?.convicted, 2);
  assert.equal(report.learning.certified, 8);
});

test("an accuracy below what is expected fails a run", () => {
  const report = run(scenario("learning: { rounds: 2, start: 6s }, expect: { accuracy: 0.99 }"));
  assert.equal(report.passed, false);
  assert.match(report.failures.join(), /^accuracy is 0\.\d+, at least 0\.99 is expected\.$/);
});

test("same-model goes red when one computation in ten has another result", () => {
  let turn = 0;
  const flawed: typeof computeRound = (...input) => {
    const computed = computeRound(...input);
    if (turn++ % 10 === 9) computed.weights[0] = (computed.weights[0] ?? 0) + 1;
    return computed;
  };
  assert.ok(broken(run(scenario(brief), {}, { compute: flawed })).includes("same-model"));
});

test("rounds-go-on goes red when rounds are left after the bound", () => {
  const endless = "learning: { rounds: 500, start: 6s }, expect: { calm: 1s, rounds_within: 1s }";
  assert.ok(broken(run(scenario(endless))).includes("rounds-go-on"));
});

test("what fails becomes smaller, and fails for the same reason", () => {
  const file = scenario(
    `learning: { rounds: 3, start: 6s, aggregator: mean }, expect: { calm: 1s, accuracy: 0.4 },
     faults: [{ inject: latency, at: 8s, for: 5s, extra: 50ms }, ${poison}]`,
  );
  const again = (plan: RunPlan): RunReport => runPlan(plan, { sha256: nativeSha256 });
  const plan = planRun(file, { seed: 3 });
  const smallest = shrink(plan, again(plan), { run: again, runsMax: 8 });
  assert.deepEqual(
    smallest.plan.faults.map(({ inject }) => inject),
    ["poison"],
  );
  const { nodes, faults } = smallest.plan;
  const [left] = faults;
  const liars = left?.inject === "poison" ? left.nodes.length : 0;
  assert.ok(liars > 0 && liars <= 0.3 * nodes, "never more liars than a training is to bear");
  assert.match(smallest.report.failures.join(), /accuracy/);
});

test("a rule's bound is the published one, and rules without one have none", () => {
  // Of 20 rows 6 lie: r = 6/8.
  const near = (a: number | undefined, b: number) =>
    assert.ok(Math.abs((a ?? 0) - b) < 0.1, `${a}`);
  near(kappaOf("geometric-median", 20, 6), 12.25);
  near(kappaOf("krum", 20, 6), 10.5);
  near(kappaOf("nearest-neighbour-mixing", 20, 6), 30.4);
  near(kappaOf("nnm+geometric-median", 20, 6), 45.4);
  near(kappaOf("arc+nnm+geometric-median", 20, 6), 46.9);
  near(kappaOf("caf", 20, 6), 19.2);
  near(kappaOf("arc+caf", 20, 6), 20.7);
  assert.equal(kappaOf("caf", 20, 0), 0);
  for (const rule of ["mean", "spectral", "arc+spectral", "centered-clipping"] as const) {
    assert.equal(kappaOf(rule, 20, 6), undefined);
  }
});
