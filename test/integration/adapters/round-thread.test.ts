// The thread of certified rounds computes what the plain functions compute, to the bit, with the kernels of wasm/learning and without.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, describe, test } from "node:test";
import { compileLearningKernels } from "../../../src/adapters/wasm/learning/instance.ts";
import { roundRowsBytes, RoundThread } from "../../../src/adapters/workers/round-thread.ts";
import {
  type AggregatorName,
  compress,
  computeRound,
  type ComputedRound,
  decompress,
  FIRST_STEP,
  orchestratorOf,
  plainKernels,
  SeededRandom,
  type TaskManifest,
} from "../../../src/learning/index.ts";

const hash = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(bytes).digest());
const idOf = (index: number): string => Buffer.from(hash(Uint8Array.of(index))).toString("hex");
const participants = Array.from({ length: 13 }, (_, index) => idOf(index)).sort();
const LENGTH = 785 * 10;
const beacon = "ab".repeat(32);
const coding = { stepSize: FIRST_STEP, seed: beacon };
const base = vector("base", 1);

function vector(name: string, size: number): Float32Array {
  const random = new SeededRandom("round-thread", name);
  return Float32Array.from({ length: LENGTH }, () => random.between(-size, size));
}

function taskWith(
  aggregator: AggregatorName,
  compression: TaskManifest["compression"]["kind"],
): TaskManifest {
  return {
    ...{ participants, byzantine: 4, aggregator, attack: "none", seed: 1 },
    model: { kind: "softmax", features: 784, classes: 10 },
    compression: compression === "top-k" ? { kind: "top-k", share: 0.5 } : { kind: compression },
    orchestrator: { kind: "batch-async", target: 13, deadlineMs: 1000 },
    schedule: { kind: "constant" },
  } as TaskManifest;
}

/** An update of each participant as it travels; the last four lie. */
function updatesOf({ compression }: TaskManifest) {
  return participants.map((nodeId, i) => {
    const sent = vector(nodeId, i < 9 ? 0.05 : 0.12);
    return {
      ...{ nodeId, baseRound: 0, update: nodeId, note: { loss: i, accuracy: i / 13 } },
      bytes: compress(sent, compression, { ...coding, length: LENGTH, author: nodeId }),
    };
  });
}

function plainly(task: TaskManifest): ComputedRound {
  const updates = updatesOf(task).map(({ bytes, ...entry }) => {
    const row = decompress(bytes, task.compression, { ...coding, length: LENGTH });
    assert.ok(row.ok);
    return { ...entry, row: row.value };
  });
  const orchestrator = orchestratorOf({ hash }, task);
  assert.ok(orchestrator !== undefined);
  const input = { round: 1, beacon, base, stepSize: FIRST_STEP, updates };
  return computeRound(orchestrator, task.aggregator, plainKernels, input);
}

describe("the thread of certified rounds", () => {
  const threads: RoundThread[] = [];
  after(() => Promise.all(threads.map((thread) => thread.stop())));

  function threadOf(task: TaskManifest, kernels?: object): RoundThread {
    const thread = new RoundThread({ task, self: idOf(0), adversary: false, kernels });
    threads.push(thread);
    return thread;
  }

  async function inThread(thread: RoundThread, task: TaskManifest, count = participants.length) {
    const updates = updatesOf(task).slice(0, count);
    for (const { update, baseRound, bytes } of updates) {
      assert.equal(await thread.open({ update, baseRound, bytes, coding }), undefined);
    }
    const entries = updates.map(({ bytes: _, ...entry }) => entry);
    return thread.aggregate({ round: 1, beacon, base, stepSize: FIRST_STEP, updates: entries });
  }

  const module = compileLearningKernels();
  const chosen: readonly (readonly [AggregatorName, TaskManifest["compression"]["kind"]])[] = [
    ["median", "int8"],
    ["nearest-neighbour-mixing", "int8"],
    ["arc+nnm+geometric-median", "int8"],
    ["arc+caf", "top-k"],
    ["arc+nnm+geometric-median", "none"],
    ["median", "int4"],
  ];
  for (const [aggregator, compression] of chosen) {
    test(`computes ${aggregator} of ${compression} updates as the plain functions do`, async () => {
      const task = taskWith(aggregator, compression);
      const thread = threadOf(task, module);
      const { weights, influences, summary } = await inThread(thread, task);
      const expected = plainly(task);
      assert.deepEqual(new Uint8Array(weights.buffer), new Uint8Array(expected.weights.buffer));
      assert.deepEqual(influences, expected.influences);
      assert.deepEqual(summary, expected.summary);
      assert.equal(summary.held, false);
      await thread.stop();
    });
  }

  test("goes down the ladder: without Krum below 2f + 3 rows, held below 2f + 1", async () => {
    const task = taskWith("arc+nnm+multi-krum", "int8");
    const instead = taskWith("arc+nnm+geometric-median", "int8");
    const ten = await inThread(threadOf(task, module), task, 10);
    const same = await inThread(threadOf(instead, module), instead, 10);
    assert.deepEqual(ten.weights, same.weights);
    const chosenRule = await inThread(threadOf(task, module), task, 11);
    const other = await inThread(threadOf(instead, module), instead, 11);
    assert.notDeepEqual(chosenRule.weights, other.weights);
    const nine = await inThread(threadOf(task, module), task, 9);
    assert.equal(nine.summary.held, false);
    const eight = await inThread(threadOf(task, module), task, 8);
    assert.equal(eight.summary.held, true);
    assert.deepEqual(eight.weights, base);
  });

  test("keeps the rows that may still count, and no more than participants can have here", async () => {
    const stream = { kind: "streaming", intervalMs: 1_000, stalenessMax: 5 } as const;
    for (const [orchestrator, most] of [
      [taskWith("median", "int8").orchestrator, 13 + 4],
      [stream, 3 * 13 + 4],
    ] as const) {
      const task = { ...taskWith("median", "int8"), orchestrator };
      const thread = threadOf(task);
      assert.equal(roundRowsBytes(task), 4 * most * LENGTH);
      const bytes = new Uint8Array(LENGTH);
      const open = (i: number) => thread.open({ update: `u${i}`, baseRound: 0, bytes, coding });
      for (let i = 0; i < most; i++) assert.equal(await open(i), undefined);
      await assert.rejects(open(most), { code: "internal/invariant" });
      await thread.forget([{ update: "u0", baseRound: 0 }]);
      const computed = (update: string, baseRound: number) => {
        const note = { loss: null, accuracy: null };
        const updates = [{ nodeId: idOf(0), baseRound, update, note }];
        return thread.aggregate({ round: 2, beacon, base, stepSize: FIRST_STEP, updates });
      };
      await computed("u0", 0);
      await assert.rejects(computed("u1", 0), { code: "internal/invariant" }, "dropped");
      await assert.rejects(computed("u0", 1), { code: "internal/invariant" }, "another base");
      assert.equal(await open(most), undefined);
    }
  });
});
