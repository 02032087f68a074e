import assert from "node:assert/strict";
import test from "node:test";
import { createNobleEngine } from "../../../src/crypto/index.ts";
import { concatBytes, utf8Bytes, utf8Text } from "../../../src/foundation/index.ts";
import {
  decodeSignedTask,
  decodeTask,
  encodeTask,
  parseTask,
  SeededRandom,
  signTask,
  TASK_BYTES_MAX,
  verifySignedTask,
} from "../../../src/learning/index.ts";

const id = (n: number): string => n.toString(16).padStart(64, "0");
const plain = {
  schemaVersion: 1,
  taskId: "digits-1",
  name: "digits",
  trustDomain: "example.org",
  createdBy: id(1),
  createdAtMs: 1_700_000_000_000,
  model: { kind: "mlp", features: 144, classes: 10, hidden: 32 },
  seed: 7,
  data: { kind: "glyphs", seed: 7, trainSamples: 4000, testSamples: 1000, dirichletAlpha: 1 },
  trainer: { steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 },
  aggregator: "nearest-neighbour-mixing",
  byzantine: 1,
  orchestrator: "epidemic",
  rounds: 10,
  roundTimeoutMs: 30_000,
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
    ["model.hidden", { model: { ...plain.model, hidden: 5000 } }],
    ["aggregator", { aggregator: "bulyan" }],
    ["rounds", { rounds: 0 }],
    ["data.dirichletAlpha", { data: { ...plain.data, dirichletAlpha: 0 } }],
    ["trainer.learningRate", { trainer: { ...plain.trainer, learningRate: 0 } }],
    ["createdBy", { createdBy: id(1).toUpperCase().replace("1", "A") }],
    ["taskId", { taskId: "../etc" }],
    ["task", { surprise: true }],
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
