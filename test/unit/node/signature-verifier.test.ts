// Where signatures are verified: small batches on the main thread, large ones in threads, and none is lost when a thread is.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CryptoEngine, MlDsaVerification } from "../../../src/crypto/index.ts";
import { POOLED_JOBS_MIN, SignatureVerifier } from "../../../src/node/signature-verifier.ts";
import { engine, MemoryMeter } from "../mesh/fixture.ts";

const quiet = {
  ...{ debug: () => undefined, info: () => undefined },
  ...{ warn: () => undefined, error: () => undefined },
};
const job: MlDsaVerification = {
  ...{ publicKey: new Uint8Array(1), message: new Uint8Array(1) },
  ...{ signature: new Uint8Array(1), context: new Uint8Array(0) },
};
const jobs = (count: number): MlDsaVerification[] => new Array<MlDsaVerification>(count).fill(job);

function makeBench({ failing = false } = {}) {
  const main: number[] = [];
  const pooled: number[] = [];
  let stopped = 0;
  const counting: CryptoEngine = {
    ...engine,
    mlDsa65: {
      ...engine.mlDsa65,
      verifyBatch: (batch) => {
        main.push(batch.length);
        return batch.map(() => true);
      },
    },
  };
  const verifier = new SignatureVerifier({
    engine: counting,
    logger: quiet,
    meter: new MemoryMeter(),
    makePool: () => ({
      verify: (batch) => {
        pooled.push(batch.length);
        return failing
          ? Promise.reject(new Error("the thread ended"))
          : Promise.resolve(batch.map(() => true));
      },
      stop: () => {
        stopped++;
        return Promise.resolve();
      },
    }),
  });
  return { verifier, main, pooled, stops: () => stopped };
}

test("a large batch goes to the threads, and one signature less does not", async () => {
  const { verifier, main, pooled, stops } = makeBench();
  await verifier.verify(jobs(POOLED_JOBS_MIN));
  await verifier.verify(jobs(POOLED_JOBS_MIN - 1));
  assert.deepEqual([main, pooled], [[POOLED_JOBS_MIN - 1], [POOLED_JOBS_MIN]]);
  await verifier.stop();
  await verifier.stop();
  assert.equal(stops(), 1);
  await verifier.verify(jobs(POOLED_JOBS_MIN));
  assert.equal(pooled.length, 1, "no thread is started after the stop");
});

test("what a thread could not answer, the main thread does", async () => {
  const { verifier, main } = makeBench({ failing: true });
  const answers = await verifier.verify(jobs(POOLED_JOBS_MIN));
  assert.equal(answers.length, POOLED_JOBS_MIN);
  assert.deepEqual(main, [POOLED_JOBS_MIN]);
  await verifier.stop();
});
