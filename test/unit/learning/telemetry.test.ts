// Telemetry as a model sees it, the autoencoder that learns it, and how far a degraded node stands out.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  anomalyOf,
  drain,
  normalised,
  parseTask,
  TelemetryLearner,
  type TelemetryReading,
  telemetryModel,
  TelemetryRing,
} from "../../../src/learning/index.ts";
import { SeededRandom } from "../../../src/learning/seeded.ts";

const ids = ["a", "b", "c"].map((digit) => digit.repeat(64));
const task = parseTask({
  schemaVersion: 2,
  taskId: "watch",
  name: "watch",
  trustDomain: "a.mesh",
  createdBy: ids[0],
  createdAtMs: 0,
  seed: 5,
  participants: ids,
  byzantine: 0,
  rounds: 10,
  aggregator: "mean",
  attack: "none",
  model: { kind: "autoencoder", features: 10, hidden: 3 },
  initialWeights: null,
  data: { kind: "telemetry" },
  trainer: { kind: "embedded", steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 },
  orchestrator: { kind: "epidemic", roundTimeoutMs: 1000 },
  compression: { kind: "none" },
  schedule: { kind: "constant" },
  convergence: null,
});

/** A node that does its work, more at some times than at others. */
function healthy(random: SeededRandom): TelemetryReading {
  const load = random.fraction();
  return {
    "loop lag": 0.002 + 0.01 * load,
    "loop use": 0.02 + 0.2 * load,
    cpu: 0.05 + 0.4 * load,
    memory: (110 + 30 * load) * 1024 * 1024,
    heap: (40 + 20 * load) * 1024 * 1024,
    peers: 9 + random.below(3),
    absent: 0,
    rtt: 0.004 + 0.004 * random.fraction(),
    loss: 0,
    beacons: 0.2 + 0.05 * random.fraction(),
  };
}

/** The same node behind a bad link, or starved of CPU. */
const degradations: Readonly<Record<string, Partial<TelemetryReading>>> = {
  rtt: { rtt: 0.6, loss: 0.3 },
  "loop lag": { "loop lag": 0.8, "loop use": 1 },
};

function samplesOf(
  seed: number,
  count: number,
  change: Partial<TelemetryReading> = {},
): Float32Array[] {
  const random = new SeededRandom("telemetry", seed);
  return Array.from({ length: count }, () => normalised({ ...healthy(random), ...change }));
}

function ringOf(samples: readonly Float32Array[], capacity = 1_000): TelemetryRing {
  const ring = new TelemetryRing(capacity);
  for (const sample of samples) ring.add(sample);
  return ring;
}

/** Ten rounds of three nodes, each with its own samples, averaged. */
function trained(): Float32Array {
  const nodes = ids.map((self, i) => ({
    learner: new TelemetryLearner({ task, self }),
    samples: ringOf(samplesOf(i, 200)).split(),
  }));
  let weights = nodes[0]?.learner.initialWeights() ?? assert.fail();
  for (let round = 1; round <= 10; round++) {
    const models = nodes.map(({ learner, samples }) =>
      drain(learner.train(round, weights, 1, samples) ?? assert.fail("there are samples")),
    );
    weights = weights.map((_, i) =>
      models.reduce((sum, model) => sum + (model.weights[i] as number) / models.length, 0),
    );
  }
  return weights;
}

describe("telemetry", () => {
  test("is a share of published ranges, whatever comes", () => {
    const reading = healthy(new SeededRandom("one"));
    const odd = { ...reading, "loop lag": 7, cpu: Number.NaN, rtt: -1, loss: 0.25 };
    const sample = normalised(odd);
    assert.equal(sample.length, 10);
    assert.deepEqual([sample[0], sample[2], sample[7], sample[8]], [1, 0, 0, 0.5]);
  });

  test("is kept in a ring, where a sample that measures never trains", () => {
    const ring = new TelemetryRing(8);
    const trains = new Set<number>();
    const measures = new Set<number>();
    for (let i = 0; i < 100; i++) {
      ring.add(new Float32Array(10).fill(i));
      const { train, test: held } = ring.split();
      assert.ok(train.length + held.length <= 80);
      for (const value of train) trains.add(value);
      for (const value of held) measures.add(value);
    }
    assert.equal(trains.size + measures.size, 100);
    assert.equal(measures.size, 25);
    assert.deepEqual(ring.newest(2)[1], new Float32Array(10).fill(99));
  });
});

describe("the autoencoder", () => {
  test("gives the gradient of its loss", () => {
    const model = telemetryModel(task);
    const [sample = assert.fail()] = samplesOf(9, 1);
    const data = {
      count: 1,
      dimensions: 10,
      classes: 1,
      features: sample,
      labels: new Uint16Array(1),
    };
    const weights = model.init(3);
    const gradient = new Float32Array(weights.length);
    const at = Uint32Array.of(0);
    const lossOf = (changed: Float32Array): number =>
      model.lossAndGradient(changed, data, at, new Float32Array(weights.length));
    model.lossAndGradient(weights, data, at, gradient);
    for (let i = 0; i < weights.length; i++) {
      const h = 1e-3;
      const up = weights.slice();
      const down = weights.slice();
      up[i] = (up[i] as number) + h;
      down[i] = (down[i] as number) - h;
      const slope = (lossOf(up) - lossOf(down)) / (2 * h);
      assert.ok(Math.abs(slope - (gradient[i] as number)) < 2e-3, `weight ${i}`);
    }
  });

  test("learns alike from equal samples, and takes no part with hardly any", () => {
    assert.deepEqual(trained(), trained());
    const learner = new TelemetryLearner({ task, self: ids[0] ?? "" });
    const initial = learner.initialWeights();
    const few = ringOf(samplesOf(1, 3)).split();
    const enough = ringOf(samplesOf(1, 4)).split();
    assert.equal(learner.train(1, initial, 1, few), undefined);
    assert.notEqual(learner.train(1, initial, 1, enough), undefined);
    const one = ringOf(samplesOf(1, 1)).split();
    assert.deepEqual(learner.evaluate(initial, one), { loss: null, accuracy: null });
  });

  test("finds a degraded node far out, names what is wrong, and a healthy one as usual", () => {
    const model = telemetryModel(task);
    const weights = trained();
    const usual = anomalyOf(model, weights, samplesOf(77, 10)) ?? assert.fail();
    assert.ok(usual.score < 0.04, `healthy: ${usual.score}`);
    for (const [channel, change] of Object.entries(degradations)) {
      const odd = anomalyOf(model, weights, samplesOf(77, 10, change)) ?? assert.fail();
      assert.ok(odd.score > 4 * usual.score, `${channel}: ${odd.score}, healthy ${usual.score}`);
      assert.equal(odd.channel, channel);
    }
    assert.equal(anomalyOf(model, weights, []), undefined);
  });
});
