// A chaos scenario as a test: it must hold every invariant, its faults must have had an effect, and the checkers must
// have looked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeReport } from "../../../src/sim/index.ts";
import { run, shipped, shippedNames } from "../scenario-runs.ts";

/** The scenario's own seed, and one more. */
const SEEDS = [1, 2];

/** Judged in any run at all. */
const ALWAYS = ["sequence-rises", "valid-signatures", "views-equal", "routes-live", "same-trace"];

/** Names of the shipped scenarios of a class. */
export function scenariosOf(prefix: string): string[] {
  return shippedNames().filter((name) => name.startsWith(`${prefix}-`));
}

/** One test for each shipped scenario of a class, of which there must be `least`. */
export function chaosTests(prefix: string, least: number): void {
  const names = scenariosOf(prefix);
  test(`there are at least ${least} ${prefix} scenarios`, () => {
    assert.ok(names.length >= least, `${names.length}`);
  });
  for (const name of names) {
    for (const seed of SEEDS) chaosTest(name, seed);
  }
}

/** Judged in any training. */
const IN_TRAINING = ["one-certificate", "learning-quorum", "learning-bound", "same-model"];

/** A shipped scenario as a test. */
export function chaosTest(name: string, seed: number): void {
  const scenario = shipped(name);
  test(`${name}, seed ${seed}: ${scenario.summary}`, (t) => {
    assert.equal(scenario.name, name, "the file is called as the scenario in it");
    const report = run(scenario, { seed });
    t.diagnostic(
      `${name}: detect ${report.recovery.detectMsP99} ms, reroute ${report.recovery.rerouteMsP99} ms, ` +
        `converge ${report.recovery.convergeMsP99} ms (p99), ${JSON.stringify(report.bites)}`,
    );
    assert.ok(report.passed, describeReport(report));
    for (const { inject } of report.plan.faults) {
      assert.ok((report.bites[inject] ?? 0) > 0, `${inject} had an effect`);
    }
    const judgedHere = report.learning === undefined ? ALWAYS : [...ALWAYS, ...IN_TRAINING];
    for (const invariant of judgedHere) {
      const result = report.invariants.find((one) => one.name === invariant);
      assert.ok((result?.checked ?? 0) > 0, `${invariant} was checked`);
    }
    const injected = report.plan.faults.map((fault) => fault.inject);
    const judged = (checker: string): number =>
      report.invariants.find((one) => one.name === checker)?.checked ?? 0;
    // A node that has no power from the start has nothing to recover.
    const crashes = report.plan.faults.some(({ inject, at }) => inject === "crash" && at > 0);
    if (crashes) assert.ok(judged("restart-recovers") > 0);
    if (injected.includes("equivocate")) assert.ok(judged("evidence-holds") > 0);
    if (injected.includes("forge")) {
      const { "mesh/bad-signature": signatures = 0, "mesh/wrong-link": links = 0 } = report.refused;
      assert.ok(signatures + links > 0, "forgeries reached machines and were refused");
    }
  });
}
