// ML-KEM-768 against NIST ACVP, Wycheproof and CCTV, for every engine.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { equalBytes, fromHex, isMeshError, toHex } from "../../../src/foundation/index.ts";
import {
  engines,
  nobleEngine,
  readGzipLines,
  readVectors,
  shakeStream,
  skipWithoutVectors,
  Tally,
} from "./support.ts";

const NO_CHOSEN_M = "the engine draws m itself";
const NO_EXPANDED_KEY = "no engine imports expanded decapsulation keys";
const skip = skipWithoutVectors;

interface Tests<T> {
  tests: T[];
}
interface Groups<T> {
  testGroups: Tests<T>[];
}

for (const engine of engines) {
  const { mlKem768 } = engine;
  const takesM = engine.name !== "native";

  test(`${engine.name}: ACVP seeds give the published encapsulation keys`, { skip }, (t) => {
    const tally = new Tally();
    type Case = { d: string; z: string; ek: string };
    for (const { d, z, ek } of (readVectors("mlkem768/acvp-keygen.json") as Tests<Case>).tests) {
      assert.equal(toHex(mlKem768.generate(fromHex(d + z)).encapsulationKey), ek);
      tally.ran();
    }
    assert.equal(tally.runCount, 13);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: ACVP encapsulation and key checks`, { skip }, (t) => {
    const tally = new Tally();
    type Case = {
      function: string;
      ek: string;
      m: string;
      c: string;
      k: string;
      testPassed: boolean;
    };
    for (const item of (readVectors("mlkem768/acvp-encap-decap.json") as Tests<Case>).tests) {
      if (item.function === "encapsulation" && takesM) {
        const made = mlKem768.encapsulate(fromHex(item.ek), fromHex(item.m));
        assert.equal(toHex(made.ciphertext), item.c);
        assert.equal(toHex(made.sharedSecret), item.k);
        tally.ran();
      } else if (item.function === "encapsulation") {
        mlKem768.encapsulate(fromHex(item.ek));
        tally.skipped(`${NO_CHOSEN_M} (encapsulation itself succeeded)`);
      } else if (item.function === "encapsulationKeyCheck") {
        const encapsulate = (): unknown => mlKem768.encapsulate(fromHex(item.ek));
        if (item.testPassed) assert.doesNotThrow(encapsulate);
        else assert.throws(encapsulate, { code: "crypto/bad-length" });
        tally.ran();
      } else tally.skipped(NO_EXPANDED_KEY);
    }
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: Wycheproof seeds give the published encapsulation keys`, { skip }, (t) => {
    const tally = new Tally();
    type Case = { seed: string; ek: string };
    const { testGroups } = readVectors("mlkem768/wycheproof-keygen.json") as Groups<Case>;
    for (const { seed, ek } of testGroups.flatMap(({ tests }) => tests)) {
      assert.equal(toHex(mlKem768.generate(fromHex(seed)).encapsulationKey), ek);
      tally.ran();
    }
    assert.equal(tally.runCount, 50);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: Wycheproof encapsulation; keys too long, too short or not reduced are refused`, {
    skip,
  }, (t) => {
    const tally = new Tally();
    type Case = { tcId: number; ek: string; m: string; c: string; K: string; result: string };
    const { testGroups } = readVectors("mlkem768/wycheproof-encaps.json") as Groups<Case>;
    for (const item of testGroups.flatMap(({ tests }) => tests)) {
      const ek = fromHex(item.ek);
      if (item.result === "invalid") {
        const code = ek.length === 1184 ? "crypto/bad-key" : "crypto/bad-length";
        assert.throws(() => mlKem768.encapsulate(ek), { code }, `case ${item.tcId}`);
        tally.ran();
      } else if (takesM) {
        const made = mlKem768.encapsulate(ek, fromHex(item.m));
        assert.equal(toHex(made.ciphertext), item.c, `case ${item.tcId}`);
        assert.equal(toHex(made.sharedSecret), item.K, `case ${item.tcId}`);
        tally.ran();
      } else {
        mlKem768.encapsulate(ek);
        tally.skipped(`${NO_CHOSEN_M} (encapsulation itself succeeded)`);
      }
    }
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: Wycheproof decapsulation, implicit rejection included; wrong lengths are refused`, {
    skip,
  }, (t) => {
    const tally = new Tally();
    type Case = { tcId: number; seed: string; c: string; K: string; result: string };
    const { testGroups } = readVectors("mlkem768/wycheproof-decaps.json") as Groups<Case>;
    for (const { tcId, seed, c, K, result } of testGroups.flatMap(({ tests }) => tests)) {
      const decapsulate = (): Uint8Array =>
        mlKem768.generate(fromHex(seed)).decapsulate(fromHex(c));
      if (result === "valid") assert.equal(toHex(decapsulate()), K, `case ${tcId}`);
      else assert.throws(decapsulate, { code: "crypto/bad-length" }, `case ${tcId}`);
      tally.ran();
    }
    assert.equal(tally.runCount, 98);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: each CCTV key with one coefficient >= q is refused`, { skip }, (t) => {
    const tally = new Tally();
    for (const line of readGzipLines("mlkem768/cctv-modulus-bad-ek.txt.gz")) {
      assert.throws(
        () => mlKem768.encapsulate(fromHex(line)),
        (error) => isMeshError(error, "crypto/bad-key"),
      );
      tally.ran();
    }
    assert.equal(tally.runCount, 390);
    t.diagnostic(tally.toString());
  });

  test(`${engine.name}: a CCTV matrix that takes many XOF bytes to sample`, { skip }, (t) => {
    type Case = { ek: string; m: string; c: string; K: string };
    const [item] = (readVectors("mlkem768/cctv-unluckysample.json") as Tests<Case>).tests;
    assert.ok(item !== undefined);
    if (takesM) {
      const made = mlKem768.encapsulate(fromHex(item.ek), fromHex(item.m));
      assert.equal(toHex(made.ciphertext), item.c);
      assert.equal(toHex(made.sharedSecret), item.K);
    } else {
      mlKem768.encapsulate(fromHex(item.ek));
      t.diagnostic(`1 skipped: ${NO_CHOSEN_M} (encapsulation itself succeeded)`);
    }
  });

  // Needs no file. Where the engine cannot take a chosen m, noble encapsulates; keys and decapsulation are the engine's own.
  test(`${engine.name}: the accumulated test over 100 rounds gives the digest of final FIPS 203`, () => {
    const next = shakeStream(100 * (32 + 32 + 32 + 1088));
    const output = createHash("shake128", { outputLength: 32 });
    for (let round = 0; round < 100; round++) {
      const pair = mlKem768.generate(next(64));
      const ek = pair.encapsulationKey;
      const { ciphertext, sharedSecret } = (takesM ? engine : nobleEngine).mlKem768.encapsulate(
        ek,
        next(32),
      );
      assert.ok(equalBytes(pair.decapsulate(ciphertext), sharedSecret));
      output
        .update(ek)
        .update(ciphertext)
        .update(sharedSecret)
        .update(pair.decapsulate(next(1088)));
    }
    const p2 = "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415";
    assert.equal(output.digest("hex"), p2);
  });
}

test("semi-expanded decapsulation keys", { skip: skip || NO_EXPANDED_KEY }, () => undefined);
