// ML-DSA-65 against NIST ACVP, the PQC KAT, Wycheproof and CCTV, for every engine.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { fromHex, toHex } from "../../../src/foundation/index.ts";
import {
  engines,
  nobleEngine,
  readVectors,
  shakeStream,
  skipWithoutVectors,
  Tally,
} from "./support.ts";

const NO_RANDOMIZER = "the engine draws the randomizer itself";
const NO_PREHASH = "no engine offers the pre-hash interface";
const NO_INTERNAL = "no engine offers the internal interface or external mu";
const NO_EXPANDED_KEY = "no engine imports expanded signing keys";
const skip = skipWithoutVectors;
const none = new Uint8Array(0);

interface Tests<T> {
  tests: T[];
}

for (const engine of engines) {
  const { mlDsa65 } = engine;
  const takesRandomizer = engine.name !== "native";

  test(`${engine.name}: ACVP seeds give the published keys`, { skip }, (t) => {
    const tally = new Tally();
    type Case = { seed: string; pk: string };
    for (const { seed, pk } of (readVectors("mldsa65/acvp-keygen.json") as Tests<Case>).tests) {
      assert.equal(toHex(mlDsa65.signer(fromHex(seed)).publicKey), pk);
      tally.ran();
    }
    assert.equal(tally.runCount, 13);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: ACVP verification`, { skip }, (t) => {
    const tally = new Tally();
    type Case = { tcId: number; preHash?: string; testPassed: boolean } & Record<
      "interface" | "context" | "message" | "pk" | "signature",
      string
    >;
    for (const item of (readVectors("mldsa65/acvp-sigver.json") as Tests<Case>).tests) {
      if (item.interface !== "external") tally.skipped(NO_INTERNAL);
      else if (item.preHash !== "pure") tally.skipped(NO_PREHASH);
      else {
        const [pk, message, signature, context] = [
          fromHex(item.pk),
          fromHex(item.message),
          fromHex(item.signature),
          fromHex(item.context),
        ] as const;
        const valid = mlDsa65.verify(pk, message, signature, context);
        assert.equal(valid, item.testPassed, `case ${item.tcId}`);
        tally.ran();
      }
    }
    assert.equal(tally.runCount, 8);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: PQC KAT keys, signatures and verification`, { skip }, (t) => {
    const tally = new Tally();
    type Case = Record<
      "id" | "flavour" | "xi" | "rnd" | "message" | "context" | "pk" | "signature",
      string
    >;
    for (const item of (readVectors("mldsa65/kat-siggen.json") as Tests<Case>).tests) {
      const signer = mlDsa65.signer(fromHex(item.xi));
      assert.equal(toHex(signer.publicKey), item.pk, item.id);
      if (item.flavour !== "pure") {
        tally.skipped(`${item.flavour === "raw" ? NO_INTERNAL : NO_PREHASH} (the key was checked)`);
        continue;
      }
      const [message, context] = [fromHex(item.message), fromHex(item.context)] as const;
      const signature = fromHex(item.signature);
      assert.ok(mlDsa65.verify(signer.publicKey, message, signature, context), item.id);
      if (takesRandomizer) {
        assert.equal(
          toHex(signer.sign(message, context, fromHex(item.rnd))),
          item.signature,
          item.id,
        );
        tally.ran();
      } else tally.skipped(`${NO_RANDOMIZER} (key and verification were checked)`);
    }
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: Wycheproof signing from seeds`, { skip }, (t) => {
    const tally = new Tally();
    type Case = {
      tcId: number;
      msg?: string;
      ctx?: string;
      rnd?: string;
      sig: string;
      result: string;
    };
    type Group = { privateSeed: string; publicKey: string; tests: Case[] };
    const { testGroups } = readVectors("mldsa65/wycheproof-sign-seed.json") as {
      testGroups: Group[];
    };
    for (const { privateSeed, publicKey, tests } of testGroups) {
      for (const item of tests) {
        if (item.msg === undefined) {
          tally.skipped(NO_INTERNAL);
          continue;
        }
        const message = fromHex(item.msg);
        const context = fromHex(item.ctx ?? "");
        const sign = (randomizer?: Uint8Array): Uint8Array =>
          mlDsa65.signer(fromHex(privateSeed)).sign(message, context, randomizer);
        if (item.result === "invalid") {
          const code = context.length > 255 ? "crypto/bad-context" : "crypto/bad-length";
          assert.throws(() => sign(), { code }, `case ${item.tcId}`);
          tally.ran();
          continue;
        }
        const key = fromHex(publicKey);
        assert.equal(toHex(mlDsa65.signer(fromHex(privateSeed)).publicKey), publicKey);
        assert.ok(mlDsa65.verify(key, message, fromHex(item.sig), context), `case ${item.tcId}`);
        if (takesRandomizer) {
          const randomizer = fromHex(item.rnd ?? "00".repeat(32));
          assert.equal(toHex(sign(randomizer)), item.sig, `case ${item.tcId}`);
          tally.ran();
        } else tally.skipped(`${NO_RANDOMIZER} (key and verification were checked)`);
      }
    }
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: Wycheproof verification`, { skip }, (t) => {
    const tally = new Tally();
    type Case = { tcId: number; msg: string; ctx?: string; sig: string; result: string };
    type Group = { publicKey: string; tests: Case[] };
    const { testGroups } = readVectors("mldsa65/wycheproof-verify.json") as { testGroups: Group[] };
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, ctx, sig, result } of tests) {
        const [key, message, signature] = [fromHex(publicKey), fromHex(msg), fromHex(sig)] as const;
        const valid = mlDsa65.verify(key, message, signature, fromHex(ctx ?? ""));
        assert.equal(valid, result === "valid", `case ${tcId}`);
        tally.ran();
      }
    }
    assert.equal(tally.runCount, 109);
    t.diagnostic(tally.toString());
  });

  // Needs no file. Where the engine cannot sign deterministically, noble does; keys and verification are the engine's own.
  test(`${engine.name}: the accumulated test over 100 rounds gives CCTV's digest`, () => {
    const next = shakeStream(100 * 32);
    const output = createHash("shake128", { outputLength: 32 });
    for (let round = 0; round < 100; round++) {
      const seed = next(32);
      const { publicKey } = mlDsa65.signer(seed);
      const signer = (takesRandomizer ? engine : nobleEngine).mlDsa65.signer(seed);
      const signature = signer.sign(none, none, new Uint8Array(32));
      assert.ok(mlDsa65.verify(publicKey, none, signature, none));
      output.update(publicKey).update(signature);
    }
    const digest = "8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199";
    assert.equal(output.digest("hex"), digest);
  });
}

test(
  "ACVP internal signing",
  { skip: skip || `${NO_EXPANDED_KEY}; ${NO_INTERNAL}` },
  () => undefined,
);
test("Wycheproof signing from expanded keys", { skip: skip || NO_EXPANDED_KEY }, () => undefined);
