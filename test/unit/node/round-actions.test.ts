// Where late updates count: training that outlasts its round is waited for, and an update is read by the terms of its base.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../../src/foundation/index.ts";
import type { RoundEvent, TaskManifest, UpdateHeader } from "../../../src/learning/index.ts";
import { RoundActions, type RoundActionsDeps } from "../../../src/node/learning/round-actions.ts";
import type { RoundTerms } from "../../../src/node/learning/round-work.ts";

interface Training {
  readonly terms: RoundTerms;
  readonly deadlineMs: number;
  end(): void;
}

const reports = [1, 2, 3].map((round) => ({
  round,
  model: `m${round}`,
  certificate: `c${round}`,
  summary: { stepSize: 2 ** -round },
}));

function actionsOf(stalenessMax: number) {
  const trainings: Training[] = [];
  const events: RoundEvent[] = [];
  const fetched: RoundTerms[] = [];
  const parts: string[] = [];
  const nothing = (): undefined => undefined;
  const deps = {
    work: {
      measure: () => Promise.resolve({ loss: null, accuracy: null }),
      train: (terms: RoundTerms, { deadlineMs }: { deadlineMs: number }) =>
        new Promise((resolve) => {
          const value = { update: "u", bytes: 1, codec: 1, note: new Uint8Array(0) };
          trainings.push({ terms, deadlineMs, end: () => resolve({ ok: true, value }) });
        }),
      fetchUpdate: () => Promise.resolve(ok(new Uint8Array(1))),
      openUpdate: (_header: UpdateHeader, terms: RoundTerms) => {
        fetched.push(terms);
        return Promise.resolve(undefined);
      },
    },
    history: {
      at: (round: number) => reports.find((report) => report.round === round),
      stepSizeAfter: (round: number) =>
        reports.findLast((report) => report.round <= round)?.summary.stepSize,
      measured: nothing,
    },
    fetches: { want: (_d: string, _h: unknown, work: (...all: unknown[]) => unknown) => work() },
    trace: {
      ...{ begin: nothing, phase: nothing, within: (work: () => unknown) => work() },
      part: (name: string, work: () => unknown) => {
        parts.push(name);
        return work();
      },
    },
    policy: { deadlineMs: 1_000, stalenessMax },
    sha256: () => new Uint8Array(32),
    headers: () => [],
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
    logger: { warn: nothing },
    meter: { count: nothing, set: nothing },
    handle: (event: RoundEvent) => events.push(event),
    state: () => "running",
  } as unknown as RoundActionsDeps;
  const task = { taskId: "t", data: { kind: "none" } } as TaskManifest;
  return { actions: new RoundActions(deps, task, "00"), trainings, events, fetched, parts };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const train = (round: number) => ({ kind: "train", round, model: "" }) as const;

test("In a stream a training that outlasts its tick is committed by its base, and the newest tick is trained next.", async () => {
  const { actions, trainings, events } = actionsOf(2);
  const all = [actions.train(train(2)), actions.train(train(3)), actions.train(train(4))];
  await settled();
  assert.equal(trainings.length, 1);
  assert.equal(trainings[0]?.deadlineMs, 3_000);
  trainings[0].end();
  await settled();
  assert.deepEqual(
    trainings.map(({ terms }) => [terms.round, terms.model, terms.seed, terms.stepSize]),
    [
      [2, "m1", "c1", 0.5],
      [4, "m3", "c3", 0.125],
    ],
  );
  trainings[1]?.end();
  await Promise.all(all);
  assert.deepEqual(
    events.map((event) => event.kind === "trained" && event.baseRound),
    [1, 3],
  );
});

test("Where late updates do not count, the next round's training begins at once.", async () => {
  const { actions, trainings } = actionsOf(0);
  void actions.train(train(2));
  void actions.train(train(3));
  await settled();
  assert.deepEqual(
    trainings.map(({ terms, deadlineMs }) => [terms.round, deadlineMs]),
    [
      [2, 1_000],
      [3, 1_000],
    ],
  );
});

test("An update is read by the step and the seed of the model that it was trained from.", async () => {
  const { actions, fetched, parts } = actionsOf(2);
  const header = { update: "u", nodeId: "a", round: 4, baseRound: 1 } as UpdateHeader;
  await actions.fetchUpdate({ kind: "fetch-update", header, holders: [] });
  const [terms] = fetched;
  assert.deepEqual([terms?.seed, terms?.stepSize, terms?.round], ["c1", 0.5, 2]);
  assert.deepEqual(parts, ["fetch", "open"]);
});
