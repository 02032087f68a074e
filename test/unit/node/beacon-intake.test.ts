// The intake between gossip and the mesh machine: batches, order, and what happens when too much waits.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlDsaVerification } from "../../../src/crypto/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import type { MeshProtocol, SignatureHandling } from "../../../src/mesh/index.ts";
import { BeaconIntake, intakeLimits, type Judgement } from "../../../src/node/beacon-intake.ts";
import { at, MemoryMeter } from "../mesh/fixture.ts";

const FROM = "ff".repeat(32) as NodeId;
const STATE = 1;
const HEARTBEAT = 2;
const job: MlDsaVerification = {
  ...{ publicKey: new Uint8Array(1), message: new Uint8Array(1) },
  ...{ signature: new Uint8Array(1), context: new Uint8Array(0) },
};

/** A message of an origin that is one byte, 32 times; the serial number stands behind it. */
function message(kind: number, origin: number, serial: number, length = 74): Uint8Array {
  const bytes = new Uint8Array(length).fill(0);
  bytes[0] = kind;
  bytes.fill(origin, 2, 34);
  new DataView(bytes.buffer).setUint32(34, serial);
  return bytes;
}

interface Call {
  readonly kind: number;
  readonly origin: number;
  readonly serial: number;
  readonly signatures: SignatureHandling;
}

/** A machine to which every state message is good but for its signature, and every heartbeat good. */
function makeBench(answer: (jobs: number) => boolean[] | Promise<boolean[]> = allValid) {
  const meter = new MemoryMeter();
  const calls: Call[] = [];
  const batches: number[] = [];
  const receive = (
    bytes: Uint8Array,
    _from: NodeId,
    _now: unknown,
    signatures: SignatureHandling = "inline",
  ): ReturnType<MeshProtocol["receive"]> => {
    const kind = bytes[0] ?? 0;
    const serial = new DataView(bytes.buffer).getUint32(34);
    calls.push({ kind, origin: bytes[2] ?? 0, serial, signatures });
    if (kind === STATE && signatures === "defer")
      return { verdict: "need-signature", jobs: [job] } as never;
    if (signatures === "invalid")
      return { verdict: "reject", code: "mesh/bad-signature", actions: [] };
    return { verdict: "accept", code: kind === STATE ? "state" : "heartbeat", actions: [] };
  };
  const intake = new BeaconIntake({
    machine: { receive } as Pick<MeshProtocol, "receive">,
    verify: (jobs) => {
      batches.push(jobs.length);
      return answer(jobs.length);
    },
    fetchIdentity: () => Promise.resolve(false),
    carryOut: () => undefined,
    clock: { now: () => at(0) },
    meter,
  });
  return { intake, meter, calls, batches };
}

const allValid = (jobs: number): boolean[] => new Array<boolean>(jobs).fill(true);

describe("the intake of beacons", () => {
  test("messages of one turn are verified together, each with its own answer", async () => {
    const { intake, batches } = makeBench((jobs) =>
      Array.from({ length: jobs }, (_, i) => i !== 1),
    );
    const judged = await Promise.all(
      [1, 2, 3].map(async (origin) => intake.receive(message(STATE, origin, 1), FROM)),
    );
    assert.deepEqual(batches, [3]);
    assert.deepEqual(
      judged.map(({ decision, code }) => [decision, code]),
      [
        ["accept", "state"],
        ["reject", "mesh/bad-signature"],
        ["accept", "state"],
      ],
    );
  });

  test("a batch has 256 signatures and the next one the rest, with a turn of the event loop between", async () => {
    const turned: boolean[] = [];
    let turn = false;
    const { intake, batches } = makeBench((jobs) => {
      turned.push(turn);
      setImmediate(() => (turn = true));
      return allValid(jobs);
    });
    await Promise.all(
      Array.from({ length: 257 }, async (_, i) =>
        intake.receive(message(STATE, i & 0xff, i), FROM),
      ),
    );
    assert.deepEqual(batches, [256, 1]);
    assert.deepEqual(turned, [false, true]);
  });

  test("a heartbeat is decided at once, also while the queue is full of others", () => {
    const { intake, meter } = makeBench();
    for (let i = 0; i < intakeLimits.messagesMax; i++) {
      assert.ok(intake.receive(message(STATE, 7, i), FROM) instanceof Promise);
    }
    const refused = intake.receive(message(STATE, 8, 1), FROM);
    assert.deepEqual(refused, { decision: "ignore", code: "mesh/intake-full" });
    assert.equal(
      meter.value("meshd_mesh_validation_dropped_total", { reason: "messages" }),
      1,
      "one past the limit",
    );
    assert.equal(meter.value("meshd_mesh_validation_queue_messages"), intakeLimits.messagesMax);
    const heartbeat = intake.receive(message(HEARTBEAT, 8, 2), FROM);
    assert.deepEqual(heartbeat, { decision: "accept", code: "heartbeat" });
    intake.stop();
  });

  test("the bytes that wait are bounded, too", () => {
    const { intake, meter } = makeBench();
    const length = 16 * 1024;
    const fitting = intakeLimits.bytesMax / length;
    for (let i = 0; i < fitting; i++) {
      assert.ok(intake.receive(message(STATE, 7, i, length), FROM) instanceof Promise);
    }
    assert.equal(intake.receive(message(STATE, 7, 0), FROM) instanceof Promise, false);
    assert.equal(meter.value("meshd_mesh_validation_dropped_total", { reason: "bytes" }), 1);
    intake.stop();
  });

  test("messages of one origin come to the machine in their order; another origin does not wait", async () => {
    const { intake, calls } = makeBench(async (jobs) => {
      await new Promise((resolve) => setImmediate(resolve));
      return allValid(jobs);
    });
    const judged: (Judgement | Promise<Judgement>)[] = [
      intake.receive(message(STATE, 1, 1), FROM),
      intake.receive(message(HEARTBEAT, 1, 2), FROM),
      intake.receive(message(HEARTBEAT, 2, 9), FROM),
      intake.receive(message(STATE, 1, 3), FROM),
      intake.receive(message(HEARTBEAT, 1, 4), FROM),
    ];
    await Promise.all(judged.map((judgement) => Promise.resolve(judgement)));
    const decided = calls.filter(
      ({ kind, signatures }) => signatures !== "defer" || kind === HEARTBEAT,
    );
    assert.deepEqual(
      decided.map(({ serial }) => serial),
      [9, 1, 2, 3, 4],
    );
  });

  test("after a stop nothing is decided, and nobody waits for ever", async () => {
    const { intake, calls } = makeBench();
    const waiting = intake.receive(message(STATE, 1, 1), FROM);
    intake.stop();
    assert.deepEqual(await waiting, { decision: "ignore", code: "mesh/not-running" });
    assert.equal(calls.length, 1);
  });
});
