import assert from "node:assert/strict";
import test from "node:test";
import {
  decodeSafetensors,
  type EpidemicAction,
  type EpidemicEvent,
  EpidemicMachine,
  encodeUpdate,
  GRACE_RATIO,
  modelSpec,
  OFFERS_KEPT,
  parseTask,
  type ParticipantId,
  type TaskManifest,
} from "../../../src/learning/index.ts";
import type { Meter, MonoMs, Now, WallMs } from "../../../src/ports/index.ts";

const spec = modelSpec([{ name: "w", shape: [2] }]);
const id = (n: number): ParticipantId => n.toString(16).padStart(64, "0");
const at = (ms: number): Now => ({ monoMs: ms as MonoMs, wallMs: ms as WallMs });
const self = id(1);

const makeTask = (n: number, over: Partial<TaskManifest> = {}): TaskManifest =>
  parseTask({
    schemaVersion: 2,
    taskId: "t",
    name: "a task",
    trustDomain: "example.org",
    createdBy: id(1),
    createdAtMs: 0,
    model: { kind: "softmax", features: 144, classes: 10 },
    seed: 1,
    data: { kind: "glyphs", seed: 1, trainSamples: 100, testSamples: 20, dirichletAlpha: 1 },
    trainer: { kind: "embedded", steps: 1, batch: 1, learningRate: 0.1, momentum: 0.9 },
    aggregator: "median",
    byzantine: 1,
    orchestrator: { kind: "epidemic", roundTimeoutMs: 1000 },
    compression: { kind: "none" },
    schedule: { kind: "constant" },
    convergence: null,
    initialWeights: null,
    rounds: 10,
    participants: Array.from({ length: n }, (_, i) => id(i + 1)),
    attack: "none",
    ...over,
  });

class CountingMeter implements Meter {
  readonly counts = new Map<string, number>();
  count(name: string, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    const key = [name, ...Object.values(labels)].join(" ");
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
  }
  set(): void {}
  observe(): void {}
}

const start = (
  n: number,
  over: Partial<TaskManifest> = {},
  options: { adversary?: boolean; resume?: { round: number; weights: Float32Array } } = {},
) => {
  const meter = new CountingMeter();
  const task = makeTask(n, over);
  const { resume, adversary = false } = options;
  const machine = new EpidemicMachine(
    { meter, spec, initialWeights: Float32Array.of(0, 0) },
    { task, self, adversary, ...(resume ? { resume } : {}) },
  );
  let nowMs = 0;
  const send = (event: EpidemicEvent, ms = nowMs): EpidemicAction[] => {
    nowMs = ms;
    return machine.handle(event, at(ms));
  };
  const train = (...weights: number[]): EpidemicAction[] =>
    send({ type: "trained", round: machine.round, weights: Float32Array.from(weights), loss: 1 });
  const answer = (
    n2: number,
    weights: number[],
    label: { round?: number; nodeId?: string; taskId?: string } = {},
  ): EpidemicAction[] => {
    const bytes = encodeUpdate(spec, Float32Array.from(weights), {
      taskId: "t",
      round: machine.round,
      nodeId: id(n2),
      ...label,
    });
    return send({ type: "pulled", round: machine.round, nodeId: id(n2), bytes });
  };
  const evaluate = (): EpidemicAction[] =>
    send({ type: "evaluated", round: machine.round, loss: 0.5, accuracy: 0.9 });
  return { machine, meter, task, send, train, answer, evaluate };
};
const types = (actions: readonly EpidemicAction[]): string[] => actions.map(({ type }) => type);
const find = <Type extends EpidemicAction["type"]>(
  actions: readonly EpidemicAction[],
  type: Type,
) =>
  actions.find((action): action is Extract<EpidemicAction, { type: Type }> => action.type === type);

test("A round trains, offers, pulls everyone, aggregates robustly, persists, measures and goes on.", () => {
  const { machine, send, train, answer, evaluate } = start(4);
  const begun = send({ type: "start" });
  assert.deepEqual(types(begun), ["train"]);
  assert.equal(machine.serve(1), "pending");
  const pulls = train(1, 1);
  assert.deepEqual(types(pulls), ["offer", "set-timer", "pull", "pull", "pull"]);
  assert.equal(machine.serve(1), find(pulls, "offer")?.bytes);
  // A faster peer that is in the next round waits for this node to come there.
  assert.equal(machine.serve(2), "pending");
  answer(2, [2, 2]);
  answer(3, [3, 3]);
  const closed = answer(4, [100, -100]);
  assert.deepEqual(types(closed), ["persist", "evaluate"]);
  assert.deepEqual([...(find(closed, "evaluate")?.weights ?? [])], [2.5, 1.5]);
  const done = evaluate();
  assert.deepEqual(types(done), ["round-finished", "train"]);
  const report = find(done, "round-finished");
  assert.equal(report?.result, "aggregated");
  assert.deepEqual(report.rejected, [id(4)]);
  assert.deepEqual(
    report.contributors.map(({ nodeId }) => nodeId),
    [id(1), id(2), id(3), id(4)],
  );
  assert.equal(find(done, "train")?.round, 2);
});

test("Updates of an unfit kind are refused with their code, and the round goes on without them.", () => {
  const { meter, send, train, answer, evaluate } = start(7);
  send({ type: "start" });
  train(1, 1);
  answer(2, [1, 1], { round: 2 });
  answer(3, [1, 1], { taskId: "other" });
  answer(4, [1, 1], { nodeId: id(5) });
  answer(5, [Number.NaN, 1]);
  send({ type: "pulled", round: 1, nodeId: id(6), bytes: Uint8Array.of(1, 2, 3) });
  const closed = answer(7, [3, 3]);
  assert.deepEqual(types(closed), ["persist", "evaluate"]);
  const report = find(evaluate(), "round-finished");
  assert.deepEqual(report?.refusals, [
    { nodeId: id(2), code: "learning/wrong-round" },
    { nodeId: id(3), code: "learning/wrong-task" },
    { nodeId: id(4), code: "learning/wrong-node" },
    { nodeId: id(5), code: "learning/not-finite" },
    { nodeId: id(6), code: "learning/bad-tensors" },
  ]);
  assert.equal(report.held, true, "two updates are no quorum for one liar");
  assert.equal(meter.counts.get("meshd_learning_updates_rejected_total learning/wrong-round"), 1);
  assert.equal(meter.counts.get("meshd_learning_rounds_total held"), 1);
});

test("With 2f + 1 updates at the deadline the round aggregates; with 2f it holds the model, whatever the rule.", () => {
  for (const [answers, result, aggregator] of [
    [2, "aggregated", "median"],
    [1, "held", "median"],
    [1, "held", "mean"],
  ] as const) {
    const { machine, send, train, answer, evaluate } = start(5, { aggregator });
    send({ type: "start" });
    train(1, 1);
    for (let n = 0; n < answers; n++) answer(n + 2, [3, 3]);
    assert.deepEqual(send({ type: "timer", id: "deadline/2" }), [], "a deadline of another round");
    const closed = send({ type: "timer", id: "deadline/1" }, 1000);
    assert.deepEqual(types(closed), ["persist", "evaluate"]);
    const report = find(evaluate(), "round-finished");
    assert.equal(report?.result, result);
    assert.equal(report.held, result === "held");
    assert.equal(report.silent.length, 4 - answers);
    assert.deepEqual([...machine.weights], result === "held" ? [0, 0] : [3, 3]);
    assert.equal(machine.round, 2);
  }
});

test("After n - f updates the rest get a grace, not the whole deadline.", () => {
  const { send, train, answer } = start(5);
  send({ type: "start" });
  train(1, 1);
  assert.deepEqual(answer(2, [1, 1]), []);
  assert.deepEqual(answer(3, [1, 1]), []);
  const graced = answer(4, [1, 1]);
  assert.deepEqual(graced, [{ type: "set-timer", id: "grace/1", delayMs: GRACE_RATIO * 1000 }]);
  assert.deepEqual(types(send({ type: "timer", id: "grace/1" })), ["persist", "evaluate"]);
});

test("A refused pull is tried again after a growing pause and given up after three tries.", () => {
  const { send, train, answer } = start(3, { byzantine: 0 });
  send({ type: "start" });
  train(1, 1);
  answer(2, [1, 1]);
  const failure = { type: "pull-failed", round: 1, nodeId: id(3), code: "unreachable" } as const;
  for (const delayMs of [500, 1000, 2000]) {
    assert.deepEqual(send(failure), [{ type: "set-timer", id: `retry/1/${id(3)}`, delayMs }]);
    assert.deepEqual(types(send({ type: "timer", id: `retry/1/${id(3)}` })), ["pull"]);
  }
  assert.deepEqual(types(send(failure)), ["persist", "evaluate"]);
});

test("A peer that leaves no longer holds the round up.", () => {
  const { send, train, answer } = start(4);
  send({ type: "start" });
  train(1, 1);
  answer(2, [1, 1]);
  answer(3, [1, 1]);
  assert.deepEqual(types(send({ type: "peer-gone", nodeId: id(4) })), ["persist", "evaluate"]);
});

test("Answers of strangers, of another round, and second answers change nothing.", () => {
  const { machine, send, train, answer } = start(4);
  send({ type: "start" });
  assert.deepEqual(answer(2, [1, 1]), [], "before training is done");
  train(1, 1);
  answer(2, [2, 2]);
  answer(2, [50, 50]);
  assert.deepEqual(answer(9, [50, 50]), []);
  assert.deepEqual(send({ type: "pull-failed", round: 7, nodeId: id(3), code: "timeout" }), []);
  assert.deepEqual(
    send({ type: "trained", round: 1, weights: Float32Array.of(9, 9), loss: 0 }),
    [],
  );
  assert.deepEqual(send({ type: "evaluated", round: 1, loss: 0, accuracy: 1 }), []);
  answer(3, [3, 3]);
  answer(4, [3, 3]);
  assert.deepEqual([...machine.weights], [2.5, 2.5]);
});

test("Without an own update a round goes on with the peers' updates, and peers need not wait for it.", () => {
  const { machine, meter, send, answer, evaluate } = start(4);
  send({ type: "start" });
  const begun = send({ type: "not-trained", round: 1, code: "learning/trainer-late" });
  assert.deepEqual(types(begun), ["offer", "set-timer", "pull", "pull", "pull"]);
  assert.equal(find(begun, "offer")?.bytes, undefined);
  assert.equal(machine.serve(1), "none");
  assert.equal(machine.serve("newest"), "none");
  answer(2, [1, 1]);
  answer(3, [2, 2]);
  const closed = answer(4, [3, 3]);
  assert.deepEqual([...(find(closed, "evaluate")?.weights ?? [])], [2, 2]);
  const report = find(evaluate(), "round-finished");
  assert.equal(report?.result, "aggregated");
  assert.equal(report.trainLoss, null);
  assert.equal(report.trainerFailure, "learning/trainer-late");
  assert.deepEqual(
    report.contributors.map(({ nodeId }) => nodeId),
    [id(2), id(3), id(4)],
  );
  assert.equal(meter.counts.get("meshd_learning_trainer_failures_total learning/trainer-late"), 1);
  // A failure of another round, or one that comes after the update, changes nothing.
  assert.deepEqual(send({ type: "not-trained", round: 1, code: "learning/trainer-late" }), []);
  assert.equal(machine.phase, "training");
});

test("Without an own update a quorum has to come from the peers alone: at 2f updates the model is held.", () => {
  const { machine, send, answer } = start(3);
  send({ type: "start" });
  send({ type: "not-trained", round: 1, code: "learning/trainer-failed" });
  answer(2, [1, 1]);
  const closed = answer(3, [1, 1]);
  assert.deepEqual(types(closed), ["persist", "evaluate"]);
  assert.deepEqual([...machine.weights], [0, 0]);
});

test("An adversary offers an attacked update and trains honestly itself.", () => {
  const { machine, send, train, answer } = start(3, { attack: "sign-flip" }, { adversary: true });
  send({ type: "start" });
  const offer = find(train(1, 2), "offer");
  assert.ok(offer?.bytes);
  const sent = decodeSafetensors(spec, offer.bytes);
  assert.ok(sent.ok);
  assert.deepEqual([...sent.value.weights], [-8, -16]);
  answer(2, [1, 2]);
  answer(3, [1, 2]);
  assert.deepEqual([...machine.weights], [1, 2]);
});

test("Training that left the finite numbers counts as no change.", () => {
  const { machine, send, train, answer } = start(3);
  send({ type: "start" });
  const offer = find(train(Number.NaN, 1), "offer");
  assert.ok(offer?.bytes && decodeSafetensors(spec, offer.bytes).ok);
  answer(2, [1, 1]);
  answer(3, [1, 1]);
  assert.deepEqual([...machine.weights], [1, 1]);
});

test("A restart resumes after the persisted round, and a finished task finishes at once.", () => {
  const weights = Float32Array.of(4, 5);
  const resumed = start(3, {}, { resume: { round: 6, weights } });
  const begun = resumed.send({ type: "start" });
  assert.deepEqual(begun, [
    { type: "train", round: 7, weights, learningRateFactor: 1, deadlineMs: 1000 },
  ]);
  assert.equal(resumed.machine.serve(6), "gone");
  assert.equal(resumed.machine.serve(7), "pending");
  assert.equal(resumed.machine.serve("newest"), "pending");
  const over = start(3, {}, { resume: { round: 10, weights } });
  assert.deepEqual(over.send({ type: "start" }), [{ type: "finished", reason: "completed" }]);
  assert.equal(over.machine.serve("newest"), "gone");
});

test("The last rounds' offers are kept for slower peers, older ones are gone, also after the end.", () => {
  const { machine, send, train, answer, evaluate } = start(3, { rounds: 5 });
  send({ type: "start" });
  let last: EpidemicAction[] = [];
  for (let round = 1; round <= 5; round++) {
    train(1, 1);
    answer(2, [1, 1]);
    answer(3, [1, 1]);
    last = evaluate();
  }
  assert.deepEqual(types(last), ["round-finished", "finished"]);
  assert.equal(machine.serve(5 - OFFERS_KEPT), "gone");
  assert.ok(machine.serve(6 - OFFERS_KEPT) instanceof Uint8Array);
  assert.equal(machine.serve("newest"), machine.serve(5));
  assert.equal(machine.serve(6), "gone");
});

test("Stop ends everything, once, and nothing comes after it.", () => {
  const { send, train } = start(3);
  send({ type: "start" });
  assert.deepEqual(send({ type: "stop" }), [{ type: "finished", reason: "stopped" }]);
  assert.deepEqual(send({ type: "stop" }), []);
  assert.deepEqual(train(1, 1), []);
});

/** Brings a node of five (one may lie) in round 1 to where it catches up: its peers are past the round. */
const behind = () => {
  const node = start(5);
  node.send({ type: "start" });
  node.train(1, 1);
  let last: EpidemicAction[] = [];
  for (const n of [2, 3, 4, 5])
    last = node.send({ type: "pull-failed", round: 1, nodeId: id(n), code: "gone" });
  const newest = (n: number, round: number, weights: number[]): EpidemicAction[] =>
    node.send({
      type: "pulled",
      round: "newest",
      nodeId: id(n),
      bytes: encodeUpdate(spec, Float32Array.from(weights), { taskId: "t", round, nodeId: id(n) }),
    });
  return { ...node, asked: last, newest };
};

test("A node that fell behind adopts the robust aggregate of its peers' newest models.", () => {
  const { machine, meter, asked, newest, evaluate } = behind();
  assert.equal(machine.phase, "catching-up");
  assert.ok(asked.slice(1).every((action) => action.type === "pull" && action.round === "newest"));
  newest(2, 6, [7, 7]);
  newest(3, 6, [8, 8]);
  newest(4, 5, [9, 9]);
  newest(5, 10, [-1000, 1000]);
  assert.deepEqual([...machine.weights], [7.5, 8.5]);
  const done = evaluate();
  assert.equal(find(done, "round-finished")?.result, "caught-up");
  assert.equal(find(done, "train")?.round, 7, "one liar's round 10 lures nobody");
  assert.equal(meter.counts.get("meshd_learning_rounds_total caught-up"), 1);
});

test("Catching up without a quorum, or with peers that are not ahead after all, holds the round.", () => {
  const few = behind();
  few.newest(2, 6, [7, 7]);
  few.newest(3, 6, [8, 8]);
  for (const n of [4, 5]) few.send({ type: "peer-gone", nodeId: id(n) });
  assert.equal(find(few.evaluate(), "round-finished")?.result, "held");
  assert.deepEqual([...few.machine.weights], [0, 0]);
  assert.equal(few.machine.round, 2);

  const liars = behind();
  for (const n of [2, 3, 4]) liars.newest(n, 1, [5, 5]);
  liars.newest(5, 9, [5, 5]);
  assert.equal(find(liars.evaluate(), "round-finished")?.result, "held");

  const late = behind();
  for (const n of [2, 3, 4]) late.newest(n, 3, [5, 5]);
  late.send({ type: "timer", id: "catch-up/1" });
  assert.equal(find(late.evaluate(), "round-finished")?.round, 3);
});

test("Up to f peers that claim a round is gone cannot make a node catch up.", () => {
  const { machine, send, train } = start(5);
  send({ type: "start" });
  train(1, 1);
  send({ type: "pull-failed", round: 1, nodeId: id(2), code: "gone" });
  for (const n of [3, 4, 5])
    send({ type: "pull-failed", round: 1, nodeId: id(n), code: "timeout" });
  assert.equal(machine.phase, "evaluating");
  assert.deepEqual([...machine.weights], [0, 0]);
});
