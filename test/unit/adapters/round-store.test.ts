// What certified rounds leave on disk, and that nothing of it outlives its use.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { MODELS_KEPT } from "../../../src/adapters/sqlite/round-store.ts";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const TASK = "task-1";
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("the store of certified rounds", () => {
  let directory: string;
  let store: StateStore;

  function open(): void {
    store = new StateStore(directory);
  }
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "x0-rounds-"));
    open();
    saveTask(TASK);
  });
  afterEach(() => {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function saveTask(taskId: string): void {
    const task = { taskId, signed: bytes(1), state: "running", round: 0 } as const;
    store.saveTask({ ...task, model: undefined, history: "[]" }, 0 as WallMs);
  }

  test("gives a round's journal back in its order, and only that round's", () => {
    store.rounds.journal(TASK, 1, [bytes(9)]);
    store.rounds.journal(TASK, 2, [bytes(3), bytes(1)]);
    store.rounds.journal(TASK, 2, [bytes(2)]);
    store.close();
    open();
    assert.deepEqual(store.rounds.journalOf(TASK, 2), [bytes(3), bytes(1), bytes(2)]);
  });

  test("drops journals and the own update with the certificate of their round", () => {
    store.rounds.journal(TASK, 1, [bytes(1)]);
    store.rounds.journal(TASK, 2, [bytes(2)]);
    store.rounds.saveUpdate(TASK, 1, { digest: "aa", bytes: bytes(7) });
    store.rounds.certify(TASK, { round: 1, certificate: bytes(8), report: "{}" });
    assert.deepEqual(store.rounds.journalOf(TASK, 1), []);
    assert.deepEqual(store.rounds.journalOf(TASK, 2), [bytes(2)], "what is open stays");
    assert.deepEqual(store.rounds.contents(TASK), []);
    assert.deepEqual(store.rounds.certificateAt(TASK, 1), bytes(8));
    assert.equal(store.rounds.certificateAt(TASK, 2), undefined);
  });

  test("keeps an update of a round after the one that is certified", () => {
    store.rounds.saveUpdate(TASK, 2, { digest: "bb", bytes: bytes(7) });
    store.rounds.certify(TASK, { round: 1, certificate: bytes(8), report: "{}" });
    assert.deepEqual(
      store.rounds.contents(TASK).map(({ digest }) => digest),
      ["bb"],
    );
  });

  test("keeps an own update for as long as late ones count", () => {
    store.rounds.saveUpdate(TASK, 2, { digest: "bb", bytes: bytes(7) });
    const kept = (outdated: number): number => {
      store.rounds.certify(TASK, { round: 5, certificate: bytes(8), report: "{}", outdated });
      return store.rounds.contents(TASK).length;
    };
    assert.deepEqual([kept(1), kept(2)], [1, 0]);
  });

  test(`keeps the last ${MODELS_KEPT} models and two updates`, () => {
    for (let round = 1; round <= MODELS_KEPT + 1; round++) {
      store.rounds.saveModel(TASK, round, { digest: `m${round}`, bytes: bytes(round) });
      store.rounds.saveUpdate(TASK, round, { digest: `u${round}`, bytes: bytes(round) });
    }
    const digests = store.rounds.contents(TASK).map(({ digest }) => digest);
    assert.deepEqual(digests.sort(), ["m2", "m3", "m4", "u3", "u4"]);
  });

  test("forgets the rounds of a task with the task", () => {
    store.rounds.journal("task-0", 1, [bytes(1)]);
    store.rounds.saveProof("task-0", "n", bytes(1));
    store.rounds.saveProof(TASK, "n", bytes(2));
    saveTask(TASK);
    assert.deepEqual(store.rounds.journalOf("task-0", 1), []);
    assert.deepEqual(store.rounds.proofs("task-0"), []);
    assert.deepEqual(store.rounds.proofs(TASK), [bytes(2)]);
  });

  test("keeps all messages of a step or none", () => {
    const broken = [bytes(1), { nonsense: true } as unknown as Uint8Array];
    assert.throws(() => store.rounds.journal(TASK, 1, broken), { code: "state/write-failed" });
    assert.deepEqual(store.rounds.journalOf(TASK, 1), []);
    store.rounds.journal(TASK, 1, [bytes(2)]);
    assert.deepEqual(store.rounds.journalOf(TASK, 1), [bytes(2)], "and goes on afterwards");
  });
});
