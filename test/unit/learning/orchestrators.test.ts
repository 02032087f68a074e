import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import {
  BatchAsyncOrchestrator,
  type CompressionSpec,
  drawZones,
  HierarchicalOrchestrator,
  liarsAbove,
  plainKernels,
  type RoundEntry,
  simulatedParticipants,
  stalenessWeight,
  StreamingOrchestrator,
  zoneByzantine,
} from "../../../src/learning/index.ts";

const context = { kernels: plainKernels };
const hash = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const beaconOf = (seed: number): string => seed.toString(16).padStart(64, "0");
const ids = simulatedParticipants(1000, 1);

/** Entries of the first `count` participants, each with one value. */
const entriesOf = (count: number, valueOf: (i: number) => number, baseRound = 0): RoundEntry[] =>
  ids.slice(0, count).map((nodeId, i) => ({ nodeId, baseRound, row: Float32Array.of(valueOf(i)) }));

const inputOf = (entries: readonly RoundEntry[], over: object = {}) => ({
  round: 1,
  beacon: beaconOf(1),
  stepSize: 2 ** -6,
  entries,
  ...over,
});

const thousand = { participants: 1000, byzantine: 300 };
const batch = new BatchAsyncOrchestrator({ target: 850, deadlineMs: 1000 }, thousand);
const seen = (held: number, elapsedMs: number) =>
  batch.closes({ ...thousand, held, fresh: held, elapsedMs });

test("Batch-async closes at its target, and at the deadline with N - f.", () => {
  assert.equal(seen(849, 999), "wait");
  assert.equal(seen(850, 0), "close");
  assert.equal(seen(700, 999), "wait");
  assert.equal(seen(700, 1000), "close");
  assert.equal(seen(699, 1000), "void");
});

test("Batch-async refuses a target that liars could be half of, and one that nobody can reach.", () => {
  const withTarget = (target: number) => () =>
    new BatchAsyncOrchestrator({ target, deadlineMs: 1000 }, thousand);
  assert.throws(withTarget(600), { code: "learning/bad-task" });
  assert.doesNotThrow(withTarget(601));
  assert.doesNotThrow(withTarget(1000));
  assert.throws(withTarget(1001), { code: "learning/bad-task" });
});

test("Batch-async keeps f of the population inside the quorum: K = 2f is void, K = 2f + 1 is not.", () => {
  const small = new BatchAsyncOrchestrator(
    { target: 10, deadlineMs: 1 },
    { participants: 10, byzantine: 3 },
  );
  const combine = (count: number) =>
    small.combine(inputOf(entriesOf(count, (i) => i)), "median", context);
  const refused = combine(6);
  assert.equal(refused.ok ? "" : refused.code, "learning/too-few-updates");
  const step = combine(7);
  assert.ok(step.ok);
  assert.deepEqual([...step.value.vector], [3]);
  assert.deepEqual(
    step.value.influences.map(({ nodeId }) => nodeId),
    ids.slice(0, 7),
  );
});

test("At the deadline a floor of N - f <= 2f is void all the same.", () => {
  const options = { participants: 9, byzantine: 3 };
  const many = new BatchAsyncOrchestrator({ target: 8, deadlineMs: 1 }, options);
  assert.equal(many.closes({ ...options, held: 6, fresh: 6, elapsedMs: 1 }), "void");
  assert.equal(many.closes({ ...options, held: 7, fresh: 7, elapsedMs: 1 }), "close");
});

const streamOf = (over: object = {}) =>
  new StreamingOrchestrator({
    ...{ participants: 7, byzantine: 2, intervalMs: 100, stalenessMax: 3, ...over },
  });

test("Streaming steps at its interval when something came.", () => {
  const view = { participants: 7, byzantine: 2, held: 7 };
  assert.equal(streamOf().closes({ ...view, fresh: 7, elapsedMs: 99 }), "wait");
  assert.equal(streamOf().closes({ ...view, fresh: 1, elapsedMs: 100 }), "close");
  assert.equal(streamOf().closes({ ...view, fresh: 0, elapsedMs: 100 }), "void");
});

test("Streaming counts an identity once however often it sends: its newest update.", () => {
  const first = entriesOf(5, () => 1);
  const flood = Array.from({ length: 10 }, (_, i) => ({
    ...{ nodeId: ids[0] as string, baseRound: 0, row: Float32Array.of(100 + i) },
  }));
  const step = streamOf().combine(inputOf([...first, ...flood]), "mean", context);
  assert.ok(step.ok);
  assert.equal(step.value.influences.length, 5);
  assert.deepEqual([...step.value.vector], [Math.fround((109 + 4) / 5)]);
});

test("Streaming's table outlives a round, ages, and refuses with 2f identities.", () => {
  const streaming = streamOf();
  const fresh = entriesOf(5, () => 1);
  const at = (round: number, table: readonly RoundEntry[]) =>
    streaming.combine(inputOf(table, { round }), "mean", context);
  const step = at(4, fresh);
  assert.ok(step.ok, "age 3 of 3 counts");
  assert.deepEqual([...step.value.vector], [Math.fround(stalenessWeight(3))]);
  const old = at(5, fresh);
  assert.equal(old.ok ? "" : old.code, "learning/too-few-updates", "age 4 does not");
  const few = at(1, fresh.slice(0, 4));
  assert.equal(few.ok ? "" : few.code, "learning/too-few-updates", "2f identities");
  const renewed = at(4, [...entriesOf(1, () => 9, 3), ...fresh]);
  assert.ok(renewed.ok);
  assert.deepEqual(
    [...renewed.value.vector],
    [Math.fround((9 + 4 * stalenessWeight(3)) / 5)],
    "the newer of one identity, wherever it stands",
  );
});

test("Late updates weigh by the schedule's exponent.", () => {
  assert.equal(stalenessWeight(0), 1);
  assert.equal(stalenessWeight(3), 0.5);
  assert.equal(stalenessWeight(3, 2), 1 / 16);
  const entries = entriesOf(5, () => 1);
  const step = streamOf({ stalenessExponent: 1 }).combine(
    inputOf(entries, { round: 2 }),
    "mean",
    context,
  );
  assert.ok(step.ok);
  assert.deepEqual([...step.value.vector], [0.5]);
});

test("Streaming is refused where liars could be half of the table.", () => {
  assert.throws(() => streamOf({ participants: 4 }), { code: "learning/bad-task" });
  assert.doesNotThrow(() => streamOf({ participants: 5 }));
});

test("Zones are drawn by the beacon: the same for all, others after another, nobody twice.", () => {
  const zones = drawZones(ids, beaconOf(1), 10, hash);
  assert.deepEqual(drawZones(ids, beaconOf(1), 10, hash), zones);
  assert.deepEqual(drawZones(ids.toReversed(), beaconOf(1), 10, hash), zones);
  assert.notDeepEqual(drawZones(ids, beaconOf(2), 10, hash), zones);
  assert.deepEqual(zones.flat().sort(), ids);
  assert.ok(zones.every((zone) => zone.length === 100));
});

test("Liars spread over zones as chance has it, whatever ids they have.", () => {
  const liars = new Set(ids.slice(0, 300));
  for (let seed = 1; seed <= 20; seed++) {
    for (const zone of drawZones(ids, beaconOf(seed), 10, hash)) {
      const count = zone.filter((id) => liars.has(id)).length;
      assert.ok(count >= 10 && count < 50, `${count} liars in a zone of 100 (beacon ${seed})`);
    }
  }
});

test("The liars of a zone follow the hypergeometric tail.", () => {
  // All draws of 2 from 4 with 2 liars: none 1/6, one 4/6, two 1/6.
  const draw = { size: 2, population: 4, byzantine: 2 };
  assert.ok(Math.abs(liarsAbove(0, draw) - 5 / 6) < 1e-12);
  assert.ok(Math.abs(liarsAbove(1, draw) - 1 / 6) < 1e-12);
  assert.equal(liarsAbove(2, draw), 0);
  // Of 1000 with 300, a zone of 100 has half of them or more in 8 of a million draws.
  const half = liarsAbove(49, { size: 100, population: 1000, byzantine: 300 });
  assert.ok(half > 4e-6 && half < 1.2e-5, String(half));
  assert.equal(zoneByzantine(100, 1000, 300), 45);
  const wide = zoneByzantine(1000, 10_000, 300 * 10);
  assert.ok(wide > 350 && wide < 400, `${wide}: the tail, not 45 %`);
  assert.equal(zoneByzantine(10, 100, 0), 0);
});

const hundred = ids.slice(0, 100);
const tieredWith = (compression: CompressionSpec) =>
  new HierarchicalOrchestrator(
    { hash },
    { participants: hundred, byzantine: 20, zones: 4, deadlineMs: 1000, compression },
  );
const tiered = tieredWith({ kind: "int8" });

test("Hierarchical closes with everybody, and at its deadline with N - f.", () => {
  const closes = (held: number, elapsedMs: number) =>
    tiered.closes({ participants: 100, byzantine: 20, held, fresh: held, elapsedMs });
  assert.equal(closes(99, 999), "wait");
  assert.equal(closes(100, 0), "close");
  assert.equal(closes(80, 1000), "close");
  assert.equal(closes(79, 1000), "void");
});

const zones = tiered.zonesOf(beaconOf(1));
const faults = zoneByzantine(25, 100, 20);
/** One entry of value 1 for each participant that is not among the missing. */
const without = (...missing: readonly string[]): RoundEntry[] =>
  entriesOf(100, () => 1).filter(({ nodeId }) => !missing.includes(nodeId));

test("A zone stands f_z missing members, and is void with one more; one void zone of four is borne, two are not.", () => {
  const combine = (...missing: readonly string[]) =>
    tiered.combine(inputOf(without(...missing)), "median", context);
  const whole = combine();
  assert.ok(whole.ok);
  assert.equal(whole.value.influences.length, 100);
  const standing = combine(...(zones[0] ?? []).slice(0, faults));
  assert.ok(standing.ok);
  assert.equal(standing.value.influences.length, 100 - faults);
  const one = combine(...(zones[0] ?? []).slice(0, faults + 1));
  assert.ok(one.ok);
  assert.equal(one.value.influences.length, 75, "a void zone has no part");
  const two = combine(...zones.slice(0, 2).flatMap((zone) => zone.slice(0, faults + 1)));
  assert.equal(two.ok ? "" : two.code, "learning/too-few-updates");
});

test("A captured zone does not move the step.", () => {
  const captured = new Set(zones[2]);
  const entries = entriesOf(100, () => 1).map((entry) =>
    captured.has(entry.nodeId) ? { ...entry, row: Float32Array.of(-1000) } : entry,
  );
  const step = tiered.combine(inputOf(entries), "median", context);
  assert.ok(step.ok);
  assert.ok(Math.abs((step.value.vector[0] ?? 0) - 1) < 1e-3, String(step.value.vector[0]));
  const theirs = step.value.influences.filter(({ nodeId }) => captured.has(nodeId));
  assert.ok(theirs.every(({ share, outlier }) => outlier && share < 1e-3));
});

test("Rows of zones travel as updates do: on the round's grid, by draws of the beacon that all nodes share.", () => {
  const entries = entriesOf(100, (i) => 0.3 + i / 1000);
  const stepOf = (compression: CompressionSpec, beacon: string): number => {
    const step = tieredWith(compression).combine(inputOf(entries, { beacon }), "median", context);
    assert.ok(step.ok);
    return step.value.vector[0] ?? 0;
  };
  const int8 = { kind: "int8" } as const;
  assert.equal(stepOf(int8, beaconOf(1)), stepOf(int8, beaconOf(1)));
  const [plain, coded] = [{ kind: "none" } as const, int8].map((compression) =>
    Array.from({ length: 40 }, (_, i) => stepOf(compression, beaconOf(i + 1))),
  );
  const meanOf = (values: readonly number[] = []): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  coded?.forEach((value, i) => assert.ok(Math.abs(value - (plain?.[i] ?? 0)) < 2 ** -6));
  assert.ok(
    coded?.some((value, i) => value !== plain?.[i]),
    "the rows are rounded",
  );
  assert.ok(Math.abs(meanOf(coded) - meanOf(plain)) < 2 ** -8, "without bias");
});

test("Hierarchical refuses zones that would too often be captured, and says how many liars they bear.", () => {
  const of =
    (count: number, byzantine = 30) =>
    () =>
      new HierarchicalOrchestrator(
        { hash },
        {
          ...{ participants: hundred, byzantine, zones: count, deadlineMs: 1000 },
          compression: { kind: "int8" },
        },
      );
  assert.doesNotThrow(of(4));
  const borne = 27;
  assert.throws(of(20), {
    code: "learning/bad-task",
    message: new RegExp(`State byzantine ${borne} or less`),
  });
  assert.doesNotThrow(of(20, borne));
  assert.throws(of(20, borne + 1), { code: "learning/bad-task" });
});
