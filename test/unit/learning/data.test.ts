import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  attackUpdate,
  drain,
  evaluateSteps,
  flipLabels,
  freshMomentum,
  generateGlyphs,
  GLYPH_FEATURES,
  mlpModel,
  type Classifier,
  parseCsv,
  SeededRandom,
  softmaxModel,
  type SplitDataset,
  splitByDirichlet,
  splitTrainTest,
  trainSteps,
} from "../../../src/learning/index.ts";

const accuracyOf = (
  model: Classifier,
  data: SplitDataset,
  steps: number,
  learningRate: number,
): number => {
  const trainer = { steps, batch: 32, learningRate, momentum: 0.9 };
  const { weights } = drain(
    trainSteps(model, model.init(1), data.train, trainer, freshMomentum(model.spec), 1),
  );
  return drain(evaluateSteps(model, weights, data.test)).accuracy;
};

test("Glyphs are equal for equal seeds, differ between seeds, and are balanced and bounded.", () => {
  const options = { seed: 3, trainSamples: 200, testSamples: 100 };
  const { train, test: held } = generateGlyphs(options);
  assert.deepEqual(generateGlyphs(options).train.features, train.features);
  assert.notDeepEqual(generateGlyphs({ ...options, seed: 4 }).train.features, train.features);
  assert.notDeepEqual(held.features, train.features.subarray(0, held.features.length));
  assert.equal(train.features.length, 200 * GLYPH_FEATURES);
  assert.ok(train.features.every((value) => value >= 0 && value <= 1));
  for (let digit = 0; digit < 10; digit++)
    assert.equal(train.labels.filter((l) => l === digit).length, 20);
});

test("Glyphs leave a linear model clearly behind a small network.", () => {
  const data = generateGlyphs({ seed: 1, trainSamples: 4000, testSamples: 1000 });
  const linear = accuracyOf(softmaxModel(144, 10), data, 1200, 0.05);
  const network = accuracyOf(mlpModel(144, 32, 10), data, 1200, 0.05);
  assert.ok(linear > 0.85 && linear < 0.94, `linear ${linear}`);
  assert.ok(network > 0.94 && network > linear + 0.015, `network ${network}`);
});

test("The Dirichlet split deals every sample once, and leaves nobody short.", () => {
  const labels = Uint16Array.from({ length: 600 }, (_, i) => i % 10);
  for (const alpha of [0.01, 0.1, 1, 1000]) {
    const shards = splitByDirichlet({ labels, classes: 10, nodes: 8, alpha, seed: 5 });
    assert.deepEqual(
      shards.flat().sort((a, b) => a - b),
      Array.from(labels.keys()),
    );
    assert.ok(
      Math.min(...shards.map((shard) => shard.length)) >= Math.floor(600 / 8 / 4),
      `alpha ${alpha}`,
    );
  }
  assert.throws(
    () =>
      splitByDirichlet({ labels: labels.slice(0, 3), classes: 10, nodes: 4, alpha: 1, seed: 1 }),
    {
      code: "learning/bad-data",
    },
  );
  assert.equal(
    splitByDirichlet({
      labels: labels.slice(0, 4),
      classes: 10,
      nodes: 4,
      alpha: 0.01,
      seed: 1,
    }).every((s) => s.length === 1),
    true,
  );
});

test("A small alpha makes shares unlike, a large one alike.", () => {
  const labels = Uint16Array.from({ length: 4000 }, (_, i) => i % 10);
  const spread = (alpha: number): number => {
    const shards = splitByDirichlet({ labels, classes: 10, nodes: 5, alpha, seed: 2 });
    const shares = shards.map(
      (shard) => shard.filter((i) => labels[i] === 0).length / shard.length,
    );
    return Math.max(...shares) - Math.min(...shares);
  };
  assert.ok(spread(0.1) > 0.2 && spread(1000) < 0.03, `${spread(0.1)} ${spread(1000)}`);
});

test("CSV columns are scaled to 0..1, constants to 0, and labels become classes in ascending order.", () => {
  const { data, labels, columns } = parseCsv(
    'a,kind,b\r\n1,10,"5"\r\n3,9,5\r\n2, 10 ,5\r\n',
    "kind",
  );
  assert.deepEqual([...data.features], [0, 0, 1, 0, 0.5, 0]);
  assert.deepEqual(labels, ["9", "10"]);
  assert.deepEqual([...data.labels], [1, 0, 1]);
  assert.deepEqual(columns, ["a", "b"]);
  assert.deepEqual(parseCsv('a,l\n1,"x, ""y"""\n2,b\n', "l").labels, ["b", 'x, "y"']);
});

test("A CSV mistake names its line, column and value, and the next step.", () => {
  const bad: [string, string, object][] = [
    ["", "l", { line: 1 }],
    ["a,b\n1,2\n", "l", { line: 1, column: "l" }],
    ["l\n1\n2\n", "l", { line: 1 }],
    ["a,a,l\n1,2,3\n", "l", { line: 1, column: "a" }],
    ["a,,l\n1,2,3\n", "l", { line: 1, column: "" }],
    ["a,l\n1,x\n,y\n", "l", { line: 3, column: "a", value: "" }],
    ["a,l\n1,x\nn/a,y\n", "l", { line: 3, column: "a", value: "n/a" }],
    ["a,l\n1,x\n0x10,y\n", "l", { line: 3, value: "0x10" }],
    ["a,l\n1,x\nNaN,y\n", "l", { line: 3, value: "NaN" }],
    ["a,l\n1,x\n1e39,y\n", "l", { line: 3, value: "1e39" }],
    ["a,l\n1,x\nInfinity,y\n", "l", { line: 3 }],
    ["a,l\n1,x\n2,\n", "l", { line: 3, column: "l", value: "" }],
    ["a,l\n1,x\n2,y,3\n", "l", { line: 3, cells: 3, expected: 2 }],
    ["a,l\n1,x\n\n2,y\n", "l", { line: 3 }],
    ['a,l\n1,x\n2,"y\n', "l", { line: 3 }],
    ["a,l\n1,x\n2,x\n", "l", { classes: 1 }],
    ["a,l\n1,x\n", "l", {}],
  ];
  for (const [text, label, details] of bad) {
    assert.throws(
      () => parseCsv(text, label),
      (error: unknown) => {
        assert.ok(isMeshError(error, "learning/bad-csv"), JSON.stringify(text));
        for (const [key, value] of Object.entries(details))
          assert.equal(error.details[key], value, JSON.stringify(text));
        return true;
      },
    );
  }
});

test("Train and test part every sample once, by seed.", () => {
  const lines = Array.from({ length: 20 }, (_, i) => `${i},${i % 2}`);
  const { data } = parseCsv(["a,l", ...lines].join("\n"), "l");
  const split = splitTrainTest(data, 5, 1);
  assert.deepEqual([split.train.count, split.test.count], [15, 5]);
  assert.equal(new Set([...split.train.features, ...split.test.features]).size, 20);
  assert.deepEqual(splitTrainTest(data, 5, 1), split);
  assert.equal(splitTrainTest(data, 19, 1).train.count, 1);
  for (const count of [0, 20, 1.5])
    assert.throws(() => splitTrainTest(data, count, 1), { code: "learning/bad-data" });
});

test("Softmax regression reads handwritten digits from CSV.", (t) => {
  const file = new URL("../../../../shared/data/digits-1797.csv", import.meta.url);
  if (!existsSync(file)) {
    t.skip("../shared/data/digits-1797.csv is absent");
    return;
  }
  const { data } = parseCsv(readFileSync(file, "utf8"), "label");
  assert.deepEqual([data.count, data.dimensions, data.classes], [1797, 64, 10]);
  const accuracy = accuracyOf(softmaxModel(64, 10), splitTrainTest(data, 450, 1), 800, 0.1);
  assert.ok(accuracy > 0.94, `accuracy ${accuracy}`);
});

test("Gradients agree with finite differences.", () => {
  const random = new SeededRandom("gradient", 1);
  const features = Float32Array.from({ length: 5 * 6 }, () => random.normal());
  const data = {
    count: 5,
    dimensions: 6,
    classes: 3,
    features,
    labels: Uint16Array.of(0, 1, 2, 1, 0),
  };
  const indices = Uint32Array.of(0, 1, 2, 3, 4);
  for (const model of [softmaxModel(6, 3), mlpModel(6, 4, 3)]) {
    const weights = model.init(2).map((value) => value + 0.1 * random.normal());
    const gradient = new Float32Array(weights.length);
    const scratch = new Float32Array(weights.length);
    model.lossAndGradient(weights, data, indices, gradient);
    for (let i = 0; i < weights.length; i++) {
      const step = 2 ** -8;
      const loss = (shift: number): number =>
        model.lossAndGradient(
          weights.map((v, j) => (j === i ? v + shift : v)),
          data,
          indices,
          scratch,
        );
      const slope = (loss(step) - loss(-step)) / (2 * step);
      assert.ok(
        Math.abs(slope - gradient[i]!) < 2e-3,
        `parameter ${i}: ${slope} and ${gradient[i]}`,
      );
    }
  }
});

test("Training is reproducible, leaves its input alone, yields after every batch and carries momentum on.", () => {
  const { train } = generateGlyphs({ seed: 1, trainSamples: 100, testSamples: 10 });
  const model = softmaxModel(144, 10);
  const initial = model.init(1);
  const options = { steps: 5, batch: 16, learningRate: 0.1, momentum: 0.9 };
  const state = freshMomentum(model.spec);
  const steps = trainSteps(model, initial, train, options, state, 1);
  for (let i = 0; i < 5; i++) assert.equal(steps.next().done, false);
  const first = steps.next();
  assert.ok(first.done === true);
  assert.ok(initial.every((value) => value === 0));
  const again = drain(trainSteps(model, initial, train, options, freshMomentum(model.spec), 1));
  assert.deepEqual(first.value.weights, again.weights);
  const carried = drain(trainSteps(model, initial, train, options, state, 1));
  assert.notDeepEqual(carried.weights, again.weights);
  assert.notDeepEqual(
    drain(trainSteps(model, initial, train, options, freshMomentum(model.spec), 2)).weights,
    again.weights,
  );
});

test("Attacks do what their names say, on a copy.", () => {
  const delta = Float32Array.of(1, -2);
  assert.deepEqual([...attackUpdate("none", delta)], [1, -2]);
  assert.deepEqual([...attackUpdate("sign-flip", delta)], [-8, 16]);
  assert.deepEqual([...attackUpdate("scaled", delta)], [10, -20]);
  const noise = attackUpdate("gaussian", new Float32Array(2000).fill(1), 1);
  const power = Math.sqrt(noise.reduce((sum, v) => sum + v * v, 0) / 2000);
  assert.ok(power > 9.3 && power < 10.7, `power ${power}`);
  assert.deepEqual(attackUpdate("gaussian", delta, 1), attackUpdate("gaussian", delta, 1));
  assert.notDeepEqual(attackUpdate("gaussian", delta, 1), attackUpdate("gaussian", delta, 2));
  assert.deepEqual([...flipLabels(Uint16Array.of(0, 4, 9), 10)], [9, 5, 0]);
  assert.deepEqual([...delta], [1, -2]);
});
