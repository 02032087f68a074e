// Batches answer what single operations answer, for every engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../../src/adapters/random.ts";
import {
  type ChainClaim,
  HashChain,
  type MlDsaVerification,
  verifyLink,
  verifyLinks,
} from "../../../src/crypto/index.ts";
import { concatBytes, toHex } from "../../../src/foundation/index.ts";
import { engines, flipBit, none } from "./support.ts";

const maker = engines[0] ?? assert.fail("there is an engine");

/** A valid job for each of `keys` keys; messages and contexts differ in length. */
function validJobs(keys: number): MlDsaVerification[] {
  return Array.from({ length: keys }, (_, n) => {
    const signer = maker.mlDsa65.signer(new Uint8Array(32).fill(n + 1));
    const message = systemRandom.bytes(n * 31);
    const context = systemRandom.bytes(n % 4);
    const signature = signer.sign(message, context);
    return { publicKey: signer.publicKey, message, signature, context };
  });
}

/** Each job as it is and with every part changed or of a wrong length; some valid ones twice. */
function mixedJobs(): MlDsaVerification[] {
  const context = new Uint8Array(256);
  return validJobs(4).flatMap((job) => [
    job,
    { ...job, signature: flipBit(job.signature, 60) },
    { ...job, message: concatBytes(job.message, Uint8Array.of(0)) },
    job,
    { ...job, publicKey: flipBit(job.publicKey, 700) },
    { ...job, context },
    { ...job, signature: job.signature.subarray(1) },
    { ...job, signature: concatBytes(job.signature, Uint8Array.of(0)) },
    { ...job, publicKey: job.publicKey.subarray(1) },
    { ...job, publicKey: none, signature: none },
  ]);
}

for (const engine of engines) {
  const { name, mlDsa65 } = engine;

  test(`${name}: a batch of verifications answers as each by itself`, () => {
    const jobs = mixedJobs();
    const single = jobs.map(({ publicKey, message, signature, context }) =>
      mlDsa65.verify(publicKey, message, signature, context),
    );
    const valid = (_: MlDsaVerification, place: number): boolean => [0, 3].includes(place % 10);
    assert.deepEqual(single, jobs.map(valid));
    assert.deepEqual(mlDsa65.verifyBatch(jobs), single);
    assert.deepEqual(mlDsa65.verifyBatch(jobs.toReversed()), single.toReversed());
    assert.deepEqual(mlDsa65.verifyBatch([]), []);
  });

  test(`${name}: digests of a batch are those of its messages`, () => {
    for (const bytes of [0, 1, 55, 56, 64, 100, 119, 120, 200]) {
      for (const count of [0, 1, 3, 4, 5, 63, 64, 65, 130]) {
        const messages = systemRandom.bytes(bytes * count);
        const expected = Array.from({ length: count }, (_, i) =>
          maker.sha256(messages.subarray(i * bytes, (i + 1) * bytes)),
        );
        const made = engine.sha256Batch(messages, count);
        assert.equal(toHex(made), toHex(concatBytes(...expected)), `${count} of ${bytes} bytes`);
      }
    }
  });

  test(`${name}: messages that do not divide into as many are refused`, () => {
    const bad = { code: "crypto/bad-length" };
    for (const count of [0, -1, 3, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => engine.sha256Batch(new Uint8Array(64), count), bad, String(count));
    }
  });

  test(`${name}: a batch of links answers as each by itself`, () => {
    const claims = [0, 15, 40, 60, 255].flatMap((contextBytes) => {
      const context = systemRandom.bytes(contextBytes);
      const seed = systemRandom.bytes(32);
      const chain = new HashChain(maker, { seed, length: 64, context });
      return [...claimsOf(chain, context)];
    });
    const single = claims.map((claim) => verifyLink({ ...claim, engine }));
    const codes = new Set(single.map((result) => (result.ok ? result.value : result.code)));
    assert.deepEqual([...codes].map(String).sort(), [
      "1",
      "2",
      "crypto/chain-broken",
      "crypto/chain-gap",
      "crypto/chain-malformed",
      "crypto/chain-stale",
    ]);
    assert.deepEqual(verifyLinks(engine, claims), single);
    assert.deepEqual(verifyLinks(engine, claims.toReversed()), single.toReversed());
    assert.deepEqual(verifyLinks(engine, []), []);
  });
}

/** Claims of one and two steps, and each way of being wrong. */
function* claimsOf(chain: HashChain, context: Uint8Array): Generator<ChainClaim> {
  const [lastLink, link] = [chain.link(4), chain.link(5)];
  const claim = { context, lastLink, lastIndex: 4, link, index: 5, stepsMax: 2 };
  yield* [claim, claim, { ...claim, link: chain.link(6), index: 6 }];
  for (const at of [0, 31]) {
    yield { ...claim, link: flipBit(link, at) };
    yield { ...claim, lastLink: flipBit(lastLink, at) };
  }
  yield { ...claim, link: chain.link(6) };
  yield { ...claim, lastIndex: 3, index: 4 };
  yield { ...claim, context: context.length > 0 ? flipBit(context) : Uint8Array.of(0) };
  yield { ...claim, lastIndex: 5 };
  yield { ...claim, link: chain.link(7), index: 7 };
  yield { ...claim, link: link.subarray(1) };
}

test("one wrong digest of a batch breaks its own claim and no other", () => {
  const chain = new HashChain(maker, { seed: new Uint8Array(32), length: 64, context: none });
  const [right] = claimsOf(chain, none);
  const sha256Batch = (messages: Uint8Array, count: number): Uint8Array =>
    flipBit(maker.sha256Batch(messages, count));
  assert.ok(right !== undefined);
  assert.deepEqual(verifyLinks({ ...maker, sha256Batch }, [right, right]), [
    { ok: false, code: "crypto/chain-broken" },
    { ok: true, value: 1 },
  ]);
});
