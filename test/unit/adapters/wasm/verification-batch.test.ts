// Batched verification with few slots for prepared keys: batches are split where a key would evict another of the same call.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlDsaVerification } from "../../../../src/crypto/index.ts";
import { type OpenEngine, openEngine } from "./support.ts";

const message = new Uint8Array(40).fill(1);
const context = new Uint8Array(3);

const jobs = Array.from({ length: 5 }, (_, n): MlDsaVerification => {
  const signer = openEngine().engine.mlDsa65.signer(new Uint8Array(32).fill(n));
  return {
    publicKey: signer.publicKey,
    message,
    signature: signer.sign(message, context),
    context,
  };
});
const [a, b, c, d, e] = jobs as [
  MlDsaVerification,
  MlDsaVerification,
  MlDsaVerification,
  MlDsaVerification,
  MlDsaVerification,
];
const wrong = (job: MlDsaVerification): MlDsaVerification => ({ ...job, message: context });

/** The engine, and how many jobs each call into the kernels had. */
function watched(options: { verificationKeysMax: number }): OpenEngine & { calls: number[] } {
  const open = openEngine(options);
  const calls: number[] = [];
  const { exports } = open.kernels;
  const watching = {
    ...exports,
    mlDsaVerifyBatch(at: number, count: number) {
      calls.push(count);
      return exports.mlDsaVerifyBatch(at, count);
    },
  };
  Object.defineProperty(open.kernels, "exports", { value: watching });
  return { ...open, calls };
}

for (const verificationKeysMax of [1, 2, 4, 5, 6]) {
  test(`five keys in ${verificationKeysMax} slots verify in any order, again and again`, () => {
    const { engine } = openEngine({ verificationKeysMax });
    const order = [
      a,
      wrong(b),
      b,
      c,
      a,
      wrong(a),
      d,
      e,
      wrong(e),
      a,
      b,
      c,
      d,
      e,
      e,
      d,
      c,
      wrong(b),
    ];
    const expected = order.map((job) => job.message === message);
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(engine.mlDsa65.verifyBatch(order), expected);
    }
  });
}

test("a call has as many different keys as there are slots, and 16 jobs", () => {
  const { engine, calls } = watched({ verificationKeysMax: 2 });
  engine.mlDsa65.verifyBatch([a, b]);
  assert.deepEqual(calls.splice(0), [1, 1], "a second slot is made for the second key");
  engine.mlDsa65.verifyBatch([a, b, a, b]);
  assert.deepEqual(calls.splice(0), [4]);
  engine.mlDsa65.verifyBatch([a, b, c, a]);
  assert.deepEqual(calls.splice(0), [2, 2]);
  engine.mlDsa65.verifyBatch(Array.from({ length: 16 }, () => a));
  assert.deepEqual(calls.splice(0), [16]);
  engine.mlDsa65.verifyBatch(Array.from({ length: 17 }, () => a));
  assert.deepEqual(calls.splice(0), [16, 1]);
});

test("without memory for more slots a batch goes on with the slots there are", () => {
  const { engine, kernels } = openEngine();
  assert.deepEqual(engine.mlDsa65.verifyBatch([a, b]), [true, true]);
  kernels.reserve = () => {
    throw new RangeError("no memory");
  };
  const answers = engine.mlDsa65.verifyBatch([...jobs, wrong(a), ...jobs]);
  assert.equal(answers.map(Number).join(""), "11111011111");
});

test("a batch that failed on its way leaves nothing behind for the next", () => {
  const { engine, calls } = watched({ verificationKeysMax: 4 });
  const failing = {
    ...b,
    get publicKey(): Uint8Array {
      throw new Error("gone");
    },
  };
  assert.throws(() => engine.mlDsa65.verifyBatch([wrong(a), failing]), { message: "gone" });
  assert.deepEqual(engine.mlDsa65.verifyBatch([a]), [true]);
  assert.deepEqual(calls, [1]);
});
