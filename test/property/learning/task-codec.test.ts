// Manifests and orders as bytes: one encoding each, and nothing else is taken for one.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { utf8Bytes, utf8Text } from "../../../src/foundation/index.ts";
import {
  aggregatorNames,
  completeDraft,
  decodeOrder,
  decodeSignedTask,
  decodeTask,
  encodeTask,
  ORDER_BYTES_MAX,
  parseDraft,
  signOrder,
  signTask,
  supersedes,
  type TaskOrder,
  verifyOrder,
} from "../../../src/learning/index.ts";

const engine = createNativeEngine();
const signer = engine.mlDsa65.signer(new Uint8Array(32).fill(7));
const other = engine.mlDsa65.signer(new Uint8Array(32).fill(8));
const idOf = (n: number): string => n.toString(16).padStart(64, "0");

/** Drafts of which most are tasks. */
const drafts = fc.record(
  {
    name: fc.string({ minLength: 1, maxLength: 20 }),
    seed: fc.nat(),
    rounds: fc.integer({ min: 1, max: 10_000 }),
    byzantine: fc.integer({ min: 0, max: 3 }),
    aggregator: fc.constantFrom(...aggregatorNames),
    attack: fc.constantFrom("none", "sign-flip", "scaled"),
    model: fc.oneof(
      fc.constant({ kind: "softmax" }),
      fc.record({ kind: fc.constant("mlp"), hidden: fc.integer({ min: 1, max: 64 }) }),
    ),
    trainer: fc.record({
      kind: fc.constant("embedded"),
      learningRate: fc.double({ min: 1e-9, max: 10, noNaN: true }),
      momentum: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
    orchestrator: fc.constantFrom(
      { kind: "epidemic" },
      { kind: "batch-async" },
      { kind: "streaming", stalenessMax: 2 },
      { kind: "hierarchical" },
    ),
    schedule: fc.constantFrom({ kind: "constant" }, { kind: "step", gamma: 0.5, every: 3 }),
  },
  { requiredKeys: [] },
);

function taskOf(draft: object) {
  const setting = {
    ...{ taskId: "t-1", trustDomain: "a.b", createdBy: idOf(1), createdAtMs: 1, seed: 5 },
    participants: Array.from({ length: 13 }, (_, i) => idOf(i)),
  };
  try {
    return completeDraft(parseDraft(draft), setting);
  } catch {
    return undefined;
  }
}

test("A manifest comes back from its bytes as it was, and its bytes from it.", () => {
  let tasks = 0;
  fc.assert(
    fc.property(drafts, (draft) => {
      const task = taskOf(draft);
      if (task === undefined) return;
      tasks++;
      const bytes = encodeTask(task);
      const decoded = decodeTask(bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value, task);
      assert.deepEqual(encodeTask(decoded.value), bytes);
    }),
    { numRuns: 300 },
  );
  assert.ok(tasks > 150, `${tasks} of 300 drafts were tasks`);
});

test("Another order of keys, white space or another number's text is no manifest.", () => {
  const task = taskOf({ seed: 7 });
  assert.ok(task);
  const text = utf8Text(encodeTask(task));
  const reversed = JSON.stringify(Object.fromEntries(Object.entries(task).reverse()));
  for (const wrong of [
    ` ${text}`,
    `${text}\n`,
    text.replace(",", ", "),
    text.replace('"seed":7', '"seed":7e0'),
    text.replace('"byzantine":3', '"byzantine":-0'),
    text.replace('"taskId"', '"task\\u0049d"'),
    reversed,
    `\ufeff${text}`,
  ]) {
    assert.equal(decodeTask(utf8Bytes(wrong)).ok, false, wrong.slice(0, 60));
  }
});

test("Damaged or random bytes never throw and are never a task or an order.", () => {
  const task = taskOf({});
  assert.ok(task);
  const order: TaskOrder = {
    ...{ schemaVersion: 1, taskId: "t-1", action: "stop", sequence: 1 },
    ...{ issuedBy: idOf(1), issuedAtMs: 1 },
  };
  const signedTask = signTask(signer, task);
  const signedOrder = signOrder(signer, order);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      assert.equal(decodeTask(bytes).ok, false);
      assert.equal(decodeSignedTask(bytes).ok, false);
      assert.equal(decodeOrder(bytes).ok, false);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (place, bits) => {
      const damaged = signedOrder.slice();
      const at = place % damaged.length;
      damaged[at] = (damaged[at] ?? 0) ^ bits;
      const decoded = decodeOrder(damaged);
      assert.ok(!decoded.ok || !verifyOrder(engine.mlDsa65, signer.publicKey, decoded.value));
      const cut = signedTask.subarray(0, place % signedTask.length);
      assert.equal(decodeSignedTask(cut).ok, false);
    }),
    { numRuns: 200 },
  );
  const opened = decodeOrder(signedOrder);
  assert.ok(opened.ok);
  assert.deepEqual(opened.value.order, order);
  assert.equal(verifyOrder(engine.mlDsa65, signer.publicKey, opened.value), true);
  assert.equal(verifyOrder(engine.mlDsa65, other.publicKey, opened.value), false);
  const tooLong = decodeOrder(new Uint8Array(ORDER_BYTES_MAX + 1));
  assert.equal(tooLong.ok ? "ok" : tooLong.code, "learning/too-large");
});

test("Of any two orders exactly one counts, the same on every node; none replaces itself.", () => {
  const orders = fc.record({
    schemaVersion: fc.constant(1 as const),
    taskId: fc.constant("t"),
    action: fc.constantFrom("stop" as const, "resume" as const),
    sequence: fc.integer({ min: 1, max: 3 }),
    issuedBy: fc.integer({ min: 1, max: 3 }).map(idOf),
    issuedAtMs: fc.constant(0),
  });
  fc.assert(
    fc.property(orders, orders, orders, (a, b, c) => {
      assert.equal(supersedes(a, undefined), true);
      assert.equal(supersedes(a, a), false);
      const same = JSON.stringify(a) === JSON.stringify(b);
      assert.equal(supersedes(a, b), !same && !supersedes(b, a));
      if (supersedes(a, b) && supersedes(b, c)) assert.ok(supersedes(a, c));
    }),
  );
});
