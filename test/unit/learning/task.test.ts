import assert from "node:assert/strict";
import test from "node:test";
import { createNobleEngine } from "../../../src/crypto/index.ts";
import { concatBytes, utf8Bytes, utf8Text } from "../../../src/foundation/index.ts";
import {
  completeDraft,
  decodeSignedTask,
  decodeTask,
  encodeTask,
  parseDraft,
  parseTask,
  SeededRandom,
  simulatedTaskLimits,
  signTask,
  TASK_BYTES_MAX,
  verifySignedTask,
} from "../../../src/learning/index.ts";

const id = (n: number): string => n.toString(16).padStart(64, "0");
const plain = {
  schemaVersion: 2,
  taskId: "digits-1",
  name: "digits",
  trustDomain: "example.org",
  createdBy: id(1),
  createdAtMs: 1_700_000_000_000,
  model: { kind: "mlp", features: 144, classes: 10, hidden: 32 },
  seed: 7,
  data: { kind: "glyphs", seed: 7, trainSamples: 4000, testSamples: 1000, dirichletAlpha: 1 },
  trainer: { kind: "embedded", steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 },
  aggregator: "nearest-neighbour-mixing",
  byzantine: 1,
  orchestrator: { kind: "epidemic", roundTimeoutMs: 30_000 },
  compression: { kind: "none" },
  schedule: { kind: "constant" },
  convergence: null,
  initialWeights: null,
  rounds: 10,
  participants: [id(1), id(2), id(3)],
  attack: "none",
};
const task = parseTask(plain);
const refused = (bytes: Uint8Array): string => {
  const result = decodeTask(bytes);
  return result.ok ? "ok" : result.code;
};

test("A task has one encoding: keys ascend, and anything else of the same meaning is refused.", () => {
  const bytes = encodeTask(task);
  assert.deepEqual(decodeTask(bytes), { ok: true, value: task });
  const text = utf8Text(bytes);
  assert.ok(text.startsWith('{"aggregator":'));
  assert.equal(refused(utf8Bytes(text.replace("{", "{ "))), "learning/bad-task");
  assert.equal(refused(utf8Bytes(JSON.stringify(plain))), "learning/bad-task");
  assert.equal(refused(utf8Bytes(text.replace('"seed":7', '"seed":7.0'))), "learning/bad-task");
  assert.equal(
    refused(utf8Bytes(text.replace('"rounds":10', '"rounds":9,"rounds":10'))),
    "learning/bad-task",
  );
  assert.equal(refused(new Uint8Array(TASK_BYTES_MAX + 1)), "learning/too-large");
});

test("Manifests that cannot work are refused with the path of every problem.", () => {
  const bad: [string, object][] = [
    ["byzantine", { byzantine: 2 }],
    ["participants", { participants: [id(2), id(1), id(3)] }],
    ["participants", { participants: [id(1), id(1), id(3)] }],
    ["participants", { participants: [id(1)], byzantine: 0 }],
    ["participants", { participants: Array.from({ length: 65 }, (_, i) => id(i)) }],
    ["model", { model: { ...plain.model, features: 143 } }],
    ["model.features", { model: { ...plain.model, features: 0 } }],
    ["model.hidden", { model: { ...plain.model, hidden: 5000 } }],
    ["aggregator", { aggregator: "bulyan" }],
    ["rounds", { rounds: 0 }],
    ["data.dirichletAlpha", { data: { ...plain.data, dirichletAlpha: 0 } }],
    ["trainer.learningRate", { trainer: { ...plain.trainer, learningRate: 0 } }],
    ["createdBy", { createdBy: id(1).toUpperCase().replace("1", "A") }],
    ["taskId", { taskId: "../etc" }],
    ["surprise", { surprise: true }],
  ];
  for (const [path, change] of bad) {
    assert.throws(
      () => parseTask({ ...plain, ...change }),
      (error: Error & { code?: string }) =>
        error.code === "learning/bad-task" && error.message.includes(`${path}: `),
      `${path} ${JSON.stringify(change).slice(0, 60)}`,
    );
  }
  assert.throws(
    () => parseTask({ ...plain, rounds: 0, seed: -1 }),
    /rounds: .*seed: |seed: .*rounds: /,
  );
  assert.equal(
    parseTask({ ...plain, participants: Array.from({ length: 64 }, (_, i) => id(i)) }).participants
      .length,
    64,
  );
});

const ids = (n: number): string[] => Array.from({ length: n }, (_, i) => id(i + 1));
const glyphs = plain.data;
const none = { kind: "none" };
const local = { kind: "local" };
const batch = (target: number): object => ({ kind: "batch-async", target, deadlineMs: 1000 });
const zones = (count: number): object => ({ kind: "hierarchical", zones: count, deadlineMs: 1000 });
const streaming = { kind: "streaming", intervalMs: 1000, stalenessMax: 4 };
const tensors = (...names: string[]): object => ({
  kind: "tensors",
  tensors: names.map((name) => ({ name, shape: [2, 3] })),
});
const own = { trainer: local, data: none, model: tensors("a", "b") };
const norm = { kind: "update-norm", delta: 0.1, window: 2, patience: 2 };
const int8 = { kind: "int8" };
const telemetry = { kind: "telemetry" };
const narrow = { kind: "autoencoder", features: 10, hidden: 4 };
const topK = { kind: "top-k", share: 0.1 };

test("Both sides of every rule between fields: what holds is accepted, one past it is refused by its path.", () => {
  const certified = { participants: ids(7), byzantine: 2, orchestrator: batch(6) };
  const gram = "arc+nnm+geometric-median";
  const rules: [path: string, holds: object, breaks: object][] = [
    // Agreement needs n > 3f; the epidemic one n > 2f.
    ["byzantine", { ...certified }, { ...certified, participants: ids(6) }],
    ["byzantine", { participants: ids(5), byzantine: 2 }, { participants: ids(4), byzantine: 2 }],
    // Krum: 2f + 3 updates, and n - f are sure to come.
    [
      "aggregator",
      { ...certified, participants: ids(9), orchestrator: batch(9), aggregator: "krum" },
      { ...certified, participants: ids(8), orchestrator: batch(8), aggregator: "krum" },
    ],
    [
      "byzantine",
      { participants: ids(7), byzantine: 2, aggregator: "krum" },
      { participants: ids(6), byzantine: 2, aggregator: "krum" },
    ],
    [
      "orchestrator.target",
      { ...certified, orchestrator: batch(5) },
      { ...certified, orchestrator: batch(4) },
    ],
    [
      "orchestrator.target",
      { ...certified, orchestrator: batch(7) },
      { ...certified, orchestrator: batch(8) },
    ],
    [
      "orchestrator.zones",
      { ...certified, participants: ids(12), orchestrator: zones(3) },
      { ...certified, participants: ids(11), orchestrator: zones(3) },
    ],
    [
      "data.trainSamples",
      { data: { ...glyphs, trainSamples: 10 }, participants: ids(5) },
      { data: { ...glyphs, trainSamples: 10 }, participants: ids(6) },
    ],
    ["model.kind", own, { ...own, trainer: plain.trainer }],
    ["model.kind", own, { ...own, data: glyphs }],
    ["model.tensors", own, { ...own, model: tensors("b", "a") }],
    ["model.tensors", own, { ...own, model: tensors("a", "a") }],
    [
      "model",
      { ...own, model: { kind: "tensors", tensors: [{ name: "a", shape: [4, 1024, 1024] }] } },
      {
        ...own,
        model: {
          kind: "tensors",
          tensors: [
            { name: "a", shape: [4, 1024, 1024] },
            { name: "b", shape: [] },
          ],
        },
      },
    ],
    [
      "participants",
      {
        ...own,
        participants: ids(4),
        model: { kind: "tensors", tensors: [{ name: "a", shape: [4, 1024, 1024] }] },
      },
      {
        ...own,
        participants: ids(5),
        model: { kind: "tensors", tensors: [{ name: "a", shape: [4, 1024, 1024] }] },
      },
    ],
    ["model.kind", { data: telemetry, model: narrow }, { data: telemetry }],
    ["model.kind", { data: telemetry, model: narrow }, { data: glyphs, model: narrow }],
    [
      "model.features",
      { data: telemetry, model: narrow },
      { data: telemetry, model: { ...narrow, features: 11 } },
    ],
    ["data.kind", { data: none, trainer: local }, { data: none }],
    ["attack", { attack: "label-flip" }, { attack: "label-flip", trainer: local }],
    [
      "attack",
      { attack: "sign-flip", data: telemetry, model: narrow },
      { attack: "label-flip", data: telemetry, model: narrow },
    ],
    ["convergence", { ...certified, convergence: norm }, { convergence: norm }],
    [
      "convergence.kind",
      { ...certified, ...own, convergence: norm },
      { ...certified, ...own, convergence: { ...norm, kind: "loss" } },
    ],
    [
      "convergence.kind",
      { ...certified, data: telemetry, model: narrow, convergence: { ...norm, kind: "loss" } },
      { ...certified, data: telemetry, model: narrow, convergence: { ...norm, kind: "accuracy" } },
    ],
    [
      "schedule.kind",
      { schedule: { kind: "plateau", factor: 0.5, patience: 3 } },
      { ...own, schedule: { kind: "plateau", factor: 0.5, patience: 3 } },
    ],
    [
      "schedule.kind",
      { ...certified, orchestrator: streaming, schedule: { kind: "staleness", a: 0.5 } },
      { ...certified, schedule: { kind: "staleness", a: 0.5 } },
    ],
    ["compression.kind", { ...certified, compression: int8 }, { compression: int8 }],
    [
      "compression.kind",
      { ...certified, compression: topK, aggregator: gram },
      { ...certified, compression: topK, aggregator: "median" },
    ],
  ];
  for (const [path, holds, breaks] of rules) {
    assert.doesNotThrow(
      () => parseTask({ ...plain, ...holds }),
      `${path} ${JSON.stringify(holds)}`,
    );
    assert.throws(
      () => parseTask({ ...plain, ...breaks }),
      (error: Error) => error.message.includes(`${path}: `),
      `${path} ${JSON.stringify(breaks).slice(0, 100)}`,
    );
  }
});

test("The simulator takes a population that no mesh has.", () => {
  const many = {
    ...plain,
    participants: ids(1000),
    byzantine: 300,
    model: { kind: "softmax", features: 144, classes: 10 },
  };
  assert.throws(() => parseTask(many), /participants: must be at most 64/);
  assert.equal(parseTask(many, simulatedTaskLimits).participants.length, 1000);
});

test("A draft gets every default, and what it says stays.", () => {
  const setting = {
    taskId: "t-1",
    trustDomain: "example.org",
    createdBy: id(1),
    createdAtMs: 1,
    participants: ids(10).reverse(),
    seed: 5,
  };
  const least = completeDraft(parseDraft({}), setting);
  assert.deepEqual(
    [least.byzantine, least.orchestrator, least.compression, least.seed, least.name],
    [3, { kind: "epidemic", roundTimeoutMs: 30_000 }, none, 5, "softmax on glyphs"],
  );
  assert.deepEqual(least.participants, ids(10));
  const full = completeDraft(
    parseDraft({
      name: "x",
      seed: 9,
      model: { kind: "mlp", hidden: 8 },
      orchestrator: { kind: "batch-async" },
      trainer: { kind: "embedded", steps: 3 },
    }),
    setting,
  );
  assert.deepEqual(full.orchestrator, { kind: "batch-async", target: 9, deadlineMs: 30_000 });
  assert.deepEqual(full.compression, int8);
  assert.deepEqual(full.model, { kind: "mlp", features: 144, classes: 10, hidden: 8 });
  assert.equal(full.trainer.kind === "embedded" && full.trainer.steps, 3);
  assert.equal(full.data.kind === "glyphs" && full.data.seed, 9);
  const forty = { ...setting, participants: ids(40), limits: simulatedTaskLimits };
  // No number of zones bears ten of forty: that is the orchestrator's to refuse.
  for (const [byzantine, zones] of [
    [0, 10],
    [5, 10],
    [6, 8],
    [9, 7],
    [10, 10],
  ] as const) {
    const draft = parseDraft({ byzantine, orchestrator: { kind: "hierarchical" } });
    const { orchestrator } = completeDraft(draft, forty);
    assert.deepEqual(orchestrator, { kind: "hierarchical", zones, deadlineMs: 30_000 });
  }
  for (const [kind, rule] of [
    ["epidemic", "nearest-neighbour-mixing"],
    ["batch-async", "arc+caf"],
    ["hierarchical", "arc+caf"],
    ["streaming", "arc+nnm+geometric-median"],
  ] as const) {
    const { aggregator } = completeDraft(parseDraft({ orchestrator: { kind } }), forty);
    assert.equal(aggregator, rule, kind);
  }
  for (const [path, draft] of [
    ["taskId", { taskId: "mine" }],
    ["model.kind", { model: { kind: "transformer" } }],
    ["model.hiden", { model: { kind: "mlp", hiden: 3 } }],
    ["trainer.steps", { trainer: { kind: "embedded", steps: 0 } }],
    ["model.features", { model: { kind: "softmax" }, data: { kind: "csv" } }],
  ] as const) {
    assert.throws(
      () => completeDraft(parseDraft(draft), setting),
      (error: Error & { code?: string }) =>
        error.code === "learning/bad-task" && error.message.includes(`${path}: `),
      path,
    );
  }
});

test("A signed task verifies with its creator's key, and with nothing changed.", () => {
  const random = new SeededRandom("task test", 1);
  const bytes = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => random.below(256));
  const engine = createNobleEngine({ bytes, fraction: () => random.fraction() });
  const signer = engine.mlDsa65.signer(bytes(32));
  const signed = signTask(signer, task);
  const opened = decodeSignedTask(signed);
  assert.ok(opened.ok);
  assert.deepEqual(opened.value.manifest, task);
  assert.equal(verifySignedTask(engine.mlDsa65, signer.publicKey, opened.value), true);
  assert.equal(
    verifySignedTask(engine.mlDsa65, engine.mlDsa65.signer(bytes(32)).publicKey, opened.value),
    false,
  );
  const other = encodeTask({ ...task, seed: 8 });
  assert.equal(
    verifySignedTask(engine.mlDsa65, signer.publicKey, { ...opened.value, manifestBytes: other }),
    false,
  );
  for (const damaged of [
    signed.subarray(1),
    signed.subarray(0, -1),
    concatBytes(signed, Uint8Array.of(0)),
    signed.subarray(0, 3),
  ]) {
    const result = decodeSignedTask(damaged);
    assert.equal(result.ok ? "ok" : result.code, "learning/bad-task");
  }
});
