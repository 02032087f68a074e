import assert from "node:assert/strict";
import test from "node:test";
import {
  type AttackKind,
  defaultTraining,
  generateGlyphs,
  parseTask,
  simulatedParticipants,
  simulateEpidemic,
  type TaskManifest,
} from "../../../src/learning/index.ts";

const seed = 1;
const glyphs = { seed, trainSamples: 2800, testSamples: 500 };
const data = generateGlyphs(glyphs);
const ids = simulatedParticipants(7, seed);
const liars = ids.slice(0, 2);

const taskOf = (over: Partial<TaskManifest> = {}): TaskManifest =>
  parseTask({
    schemaVersion: 2,
    taskId: "simulated",
    name: "simulated",
    trustDomain: "example.org",
    createdBy: ids[0],
    createdAtMs: 0,
    model: { kind: "mlp", features: 144, classes: 10, hidden: 24 },
    seed,
    data: { kind: "glyphs", ...glyphs, dirichletAlpha: 1 },
    trainer: { ...defaultTraining.trainer, steps: 40 },
    aggregator: "nearest-neighbour-mixing",
    byzantine: 2,
    orchestrator: { kind: "epidemic", roundTimeoutMs: 30_000 },
    compression: { kind: "none" },
    schedule: { kind: "constant" },
    convergence: null,
    initialWeights: null,
    rounds: 5,
    participants: ids,
    attack: "none",
    ...over,
  });

const peaceful = simulateEpidemic({ task: taskOf(), data });
const clean = peaceful.accuracy;

test(`Among honest nodes nobody is named an outlier (seed ${seed}).`, () => {
  for (const reports of peaceful.reports.values()) {
    assert.ok(reports.every(({ rejected }) => rejected.length === 0));
  }
});

for (const attack of ["sign-flip", "label-flip", "gaussian", "scaled"] satisfies AttackKind[]) {
  test(`Two of seven under ${attack} cost the defended mesh less than three points, and are named (seed ${seed}).`, () => {
    const outcome = simulateEpidemic({ task: taskOf({ attack }), adversaries: liars, data });
    assert.ok(outcome.accuracy > clean - 0.03, `${outcome.accuracy} against ${clean}`);
    // Flipped labels pull aside only once the models know the right ones.
    const named = outcome.reports
      .get(ids[6]!)!
      .filter(({ round }) => attack !== "label-flip" || round > 2);
    for (const report of named) assert.deepEqual(report.rejected, liars, `round ${report.round}`);
  });
}

test(`A plain mean breaks under sign flip (seed ${seed}).`, () => {
  const task = taskOf({ attack: "sign-flip", aggregator: "mean", rounds: 4 });
  const { accuracy } = simulateEpidemic({ task, adversaries: liars, data });
  assert.ok(accuracy < 0.4, `accuracy ${accuracy}`);
});

test(`Median and trimmed mean keep most of the accuracy under sign flip, on uneven data (seed ${seed}).`, () => {
  for (const aggregator of ["median", "trimmed-mean"] as const) {
    const task = taskOf({ attack: "sign-flip", aggregator });
    const { accuracy } = simulateEpidemic({ task, adversaries: liars, data });
    assert.ok(accuracy > 0.7, `${aggregator} ${accuracy} against ${clean}`);
  }
});

test(`Pipelines of the Gram space keep the accuracy under sign flip, on uneven data (seed ${seed}).`, () => {
  for (const aggregator of ["arc+nnm+geometric-median", "arc+caf"] as const) {
    const task = taskOf({ attack: "sign-flip", aggregator });
    const { accuracy } = simulateEpidemic({ task, adversaries: liars, data });
    assert.ok(accuracy > clean - 0.05, `${aggregator} ${accuracy} against ${clean}`);
  }
});

/** A task small enough for scenarios where accuracy is not the point. */
const small = taskOf({
  model: { kind: "softmax", features: 144, classes: 10 },
  trainer: { ...defaultTraining.trainer, steps: 5 },
});

test("Silent peers up to f cost waiting, not rounds; beyond the quorum every round holds.", () => {
  const two = simulateEpidemic({ task: small, data, silent: ids.slice(0, 2) });
  assert.ok(
    two.reports
      .get(ids[6]!)!
      .every(({ result, silent }) => result === "aggregated" && silent.length === 2),
  );
  const three = simulateEpidemic({ task: { ...small, rounds: 2 }, data, silent: ids.slice(0, 3) });
  assert.ok(
    three.reports.get(ids[6]!)!.every(({ held }) => held),
    "4 of 7 are not more than 2f",
  );
});

test("Garbage of two liars is refused and the others learn on; equal runs have equal outcomes.", () => {
  const garbage = (from: string, _to: string, bytes: Uint8Array): Uint8Array =>
    liars.includes(from) ? bytes.subarray(0, bytes.length - 4) : bytes;
  const run = () => simulateEpidemic({ task: small, data, tamper: garbage });
  const outcome = run();
  for (const report of outcome.reports.get(ids[6]!)!) {
    assert.deepEqual(
      report.refusals.map(({ nodeId }) => nodeId),
      liars,
    );
    assert.equal(report.contributors.length, 5);
  }
  assert.deepEqual(run(), outcome);
});

test("A node that was cut off finds its way back to the newest round and finishes with the others.", () => {
  const lost = ids[3]!;
  const task = {
    ...small,
    rounds: 30,
    orchestrator: { kind: "epidemic", roundTimeoutMs: 1000 },
  } as const;
  const outcome = simulateEpidemic({
    task,
    data,
    cuts: [{ nodeId: lost, atMs: 150, untilMs: 4300 }],
  });
  const reports = outcome.reports.get(lost)!;
  assert.ok(
    reports.some(({ result }) => result === "held"),
    "it held while it was alone",
  );
  assert.ok(
    reports.some(({ result }) => result === "caught-up"),
    "it caught up",
  );
  assert.equal(reports.at(-1)?.round, 30);
  const other = outcome.reports.get(ids[0]!)!.at(-1)!;
  assert.ok(Math.abs(reports.at(-1)!.accuracy! - other.accuracy!) < 0.05);
});
