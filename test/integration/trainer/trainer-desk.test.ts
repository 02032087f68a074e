// The local trainer API as a program on the host has it: raw HTTP over the control socket.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { decodeTensors, encodeTensors } from "../../../src/client/trainer.ts";
import { type Answer, order, send, type Served, serveDesk, spec } from "./desk.ts";

const next = (served: Served): Promise<Answer> => send(served.socketPath, "GET", "next").answer;
const post = (served: Served, path: string, body: string | Uint8Array): Promise<Answer> =>
  send(served.socketPath, "POST", path, body).answer;
const codeOf = ({ json }: Answer): string | undefined => json.error?.code;

/** Waits until that many polls wait at the desk. */
const polling = async (served: Served, attached = 1): Promise<void> => {
  while (served.meter.of("trainer_attached") !== attached) await turn();
};

/** The model as it came, trained by adding one to everything. */
const trainedFrom = (model: Buffer, metadata: Record<string, string> = {}): Uint8Array => {
  const file = decodeTensors(model);
  const tensors = Object.fromEntries(
    Object.entries(file.tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value + 1) },
    ]),
  );
  return encodeTensors(tensors, { ...file.metadata, ...metadata });
};

test("A trainer that waits gets the round, its model, and brings the update.", async (t) => {
  const served = await serveDesk(t);
  const waiting = next(served);
  await polling(served);
  const trainer = served.open();
  const training = order(trainer, { factor: 0.5 });
  const { json } = await waiting;
  assert.equal(json.task?.taskId, "t1");
  assert.ok(json.order);
  const { lease, deadlineMs, base, ...rest } = json.order;
  assert.deepEqual(rest, { taskId: "t1", round: 1, learningRateFactor: 0.5, leaseMs: 30_000 });
  assert.ok(deadlineMs > 0 && deadlineMs <= 20_000);

  const model = (await send(served.socketPath, "GET", "model").answer).body;
  const { metadata, tensors } = decodeTensors(model);
  assert.deepEqual({ ...metadata }, { task: "t1", round: "1", base });
  assert.deepEqual(tensors["b"], { shape: [2], data: Float32Array.of(0, 1) });
  const beat = await post(served, "heartbeat", JSON.stringify({ lease }));
  assert.ok((beat.json.deadlineMs ?? 0) > 0);

  const update = trainedFrom(model, { loss: "0.25", accuracy: "0.75", samples: "1e300" });
  assert.equal((await post(served, "update", update)).status, 200);
  const trained = await training;
  assert.ok(trained.ok);
  assert.deepEqual([...trained.value.weights], [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(trained.value.loss, 0.25);
  assert.deepEqual(await trainer.evaluate(trained.value.weights), { loss: 0.25, accuracy: 0.75 });
  assert.equal(served.meter.of("trainer_updates_total accepted"), 1);
});

test("An update that comes twice, or without a round, finds no order; both are counted.", async (t) => {
  const served = await serveDesk(t);
  assert.equal(codeOf(await post(served, "update", "x")), "learning/no-order");
  assert.equal((await send(served.socketPath, "GET", "model").answer).status, 409);
  const trainer = served.open();
  const training = order(trainer);
  await next(served);
  const update = trainedFrom((await send(served.socketPath, "GET", "model").answer).body);
  assert.equal((await post(served, "update", update)).status, 200);
  assert.ok((await training).ok);
  const again = await post(served, "update", update);
  assert.equal(again.status, 409);
  assert.equal(codeOf(again), "learning/no-order");
  assert.equal(served.meter.of("trainer_updates_total learning/no-order"), 2);
});

test("Each kind of bad update is refused with its code and counted, and a good one may still come.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open();
  const training = order(trainer, { round: 3 });
  const { json } = await next(served);
  const { body: model } = await send(served.socketPath, "GET", "model").answer;
  const file = decodeTensors(model);
  const withTensor = (name: string, shape: number[], value: number): Uint8Array => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value);
    return encodeTensors({ ...file.tensors, [name]: { shape, data } }, file.metadata);
  };
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["learning/wrong-task", trainedFrom(model, { task: "t2" })],
    ["learning/wrong-round", trainedFrom(model, { round: "2" })],
    ["learning/wrong-round", trainedFrom(model, { round: "03" })],
    ["learning/wrong-base", trainedFrom(model, { base: "0".repeat(64) })],
    ["learning/wrong-base", encodeTensors(file.tensors, { task: "t1", round: "3" })],
    ["learning/bad-report", trainedFrom(model, { loss: "NaN" })],
    ["learning/bad-report", trainedFrom(model, { loss: "1e999" })],
    ["learning/bad-report", trainedFrom(model, { loss: "" })],
    ["learning/bad-report", trainedFrom(model, { accuracy: "1.01" })],
    ["learning/bad-report", trainedFrom(model, { accuracy: "-0.1" })],
    ["learning/not-finite", withTensor("b", [2], Number.NaN)],
    ["learning/not-finite", withTensor("b", [2], Number.POSITIVE_INFINITY)],
    ["learning/wrong-shape", withTensor("w", [3, 2], 1)],
    ["learning/wrong-shape", withTensor("extra", [1], 1)],
    ["learning/bad-tensors", new Uint8Array(0)],
    ["learning/too-large", new TextEncoder().encode("garbage, whose begin is no length")],
    ["learning/bad-tensors", model.subarray(0, -1)],
    ["learning/too-large", new Uint8Array(70_000 + 4 * spec.parameters)],
  ];
  const counted = new Map<string, number>();
  for (const [code, bytes] of bad) {
    const answer = await post(served, "update", bytes);
    assert.equal(codeOf(answer), code);
    assert.equal(answer.status, 422);
    assert.match(answer.json.error?.message ?? "", /docs\/trainers\.md/);
    counted.set(code, (counted.get(code) ?? 0) + 1);
    assert.equal(served.meter.of(`trainer_updates_total ${code}`), counted.get(code));
  }
  assert.equal(served.warnings.length, bad.length);
  assert.equal(json.order?.round, 3);
  assert.equal((await post(served, "update", trainedFrom(model))).status, 200);
  assert.ok((await training).ok);
});

test("A trainer that hangs does not hold the round up: at the deadline it goes on, and a late update is refused.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open();
  const training = order(trainer, { deadlineMs: 50 });
  const given = await next(served);
  const { body: model } = await send(served.socketPath, "GET", "model").answer;
  assert.deepEqual(await training, { ok: false, code: "learning/trainer-late" });
  const lease = given.json.order?.lease ?? "";
  assert.equal(
    codeOf(await post(served, "heartbeat", JSON.stringify({ lease }))),
    "learning/no-order",
  );
  assert.equal(codeOf(await post(served, "update", trainedFrom(model))), "learning/no-order");
  // In the next round it is of the round before.
  const second = order(trainer, { round: 2 });
  assert.equal(codeOf(await post(served, "update", trainedFrom(model))), "learning/wrong-round");
  assert.equal(
    codeOf(await post(served, "heartbeat", JSON.stringify({ lease }))),
    "learning/lease-lost",
  );
  await trainer.stop();
  assert.deepEqual(await second, { ok: false, code: "learning/trainer-failed" });
});

test("A trainer that dies loses the order to the next one, which is noticed and counted.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open("t1", 50);
  const training = order(trainer);
  const dead = await next(served);
  const second = await next(served); // waits until the lease of the first runs out
  assert.equal(second.json.order?.round, 1);
  assert.notEqual(second.json.order.lease, dead.json.order?.lease);
  assert.equal(served.meter.of("trainers_lost_total"), 1);
  assert.ok(served.warnings.includes("local trainer not heard of any more"));
  const old = JSON.stringify({ lease: dead.json.order?.lease });
  assert.equal(codeOf(await post(served, "heartbeat", old)), "learning/lease-lost");
  const { body: model } = await send(served.socketPath, "GET", "model").answer;
  assert.equal((await post(served, "update", trainedFrom(model))).status, 200);
  assert.ok((await training).ok);
});

test("A trainer that goes away while it waits gets no order: the other one does.", async (t) => {
  const served = await serveDesk(t);
  const gone = send(served.socketPath, "GET", "next");
  await polling(served);
  gone.request.destroy();
  await polling(served, 0);
  const waiting = next(served);
  await polling(served);
  const training = order(served.open());
  assert.equal((await waiting).json.order?.round, 1);
  assert.equal(served.meter.of("trainers_lost_total"), 0);
  void training;
});

test("Of two that wait one gets the order, and the other hears at once that the task has ended.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open();
  const { signal } = new AbortController();
  const first = served.desk.next(signal);
  const second = served.desk.next(signal);
  const training = order(trainer);
  assert.equal((await first).order?.round, 1);
  await trainer.stop();
  assert.deepEqual(await second, { task: null, order: null });
  assert.deepEqual(await training, { ok: false, code: "learning/trainer-failed" });
});

test("Eight may wait, the ninth is told to go.", async (t) => {
  const served = await serveDesk(t);
  const waiting = Array.from({ length: 8 }, () => send(served.socketPath, "GET", "next"));
  // Polls arrive in any order: the first one that is refused is the ninth.
  let refused: Answer | undefined;
  while (refused === undefined) {
    const more = send(served.socketPath, "GET", "next");
    const answer = await Promise.race([more.answer, turn().then(turn).then(turn)]);
    if (answer === undefined) more.request.destroy();
    else refused = answer;
  }
  assert.equal(codeOf(refused), "control/busy");
  for (const { request } of waiting) request.destroy();
});
