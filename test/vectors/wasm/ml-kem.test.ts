// The wasm ML-KEM-768 over its raw exports: NIST ACVP, Wycheproof, CCTV, the accumulated tests, and two other implementations.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { fromHex, toHex } from "../../../src/foundation/index.ts";
import {
  nativeEngine,
  readGzipLines,
  readVectors,
  shakeStream,
  skipWithoutVectors,
} from "../crypto/support.ts";
import { accepted, loadParts, RawKem, reserveUnaligned, SIZES } from "./raw-kem.ts";

const kernels = await loadParts('export * from "./ml-kem";');
const kem = new RawKem(kernels);
const skip = skipWithoutVectors;

interface Tests<T> {
  tests: T[];
}
interface Groups<T> {
  testGroups: Tests<T>[];
}

function flat<T>(path: string): T[] {
  return (readVectors(path) as Groups<T>).testGroups.flatMap(({ tests }) => tests);
}

function checkKeygen(cases: readonly { seed: string; ek: string; dk: string }[]): void {
  for (const { seed, ek, dk } of cases) {
    const pair = accepted(kem.keygen(fromHex(seed)));
    assert.equal(toHex(pair.ek), ek);
    assert.equal(toHex(pair.dk), dk);
  }
}

test("ACVP seeds give the published keys", { skip }, () => {
  type Case = { d: string; z: string; ek: string; dk: string };
  const { tests } = readVectors("mlkem768/acvp-keygen.json") as Tests<Case>;
  assert.equal(tests.length, 13);
  checkKeygen(tests.map(({ d, z, ek, dk }) => ({ seed: d + z, ek, dk })));
});

test("Wycheproof seeds give the published keys", { skip }, () => {
  const cases = flat<{ seed: string; ek: string; dk: string }>("mlkem768/wycheproof-keygen.json");
  assert.equal(cases.length, 50);
  checkKeygen(cases);
});

test("ACVP encapsulation, decapsulation and key checks", { skip }, () => {
  type Case = {
    function: string;
    ek: string;
    dk: string;
    m: string;
    c: string;
    k: string;
    testPassed: boolean;
  };
  const { tests } = readVectors("mlkem768/acvp-encap-decap.json") as Tests<Case>;
  assert.equal(tests.length, 31);
  const m = new Uint8Array(32);
  for (const item of tests) {
    if (item.function === "encapsulation") {
      const made = accepted(kem.encapsulate(fromHex(item.ek), fromHex(item.m)));
      assert.equal(toHex(made.ct), item.c);
      assert.equal(toHex(made.secret), item.k);
    } else if (item.function === "decapsulation") {
      assert.equal(kem.prepare(fromHex(item.dk)), undefined);
      assert.equal(toHex(accepted(kem.decapsulate(fromHex(item.c)))), item.k);
    } else if (item.function === "encapsulationKeyCheck") {
      const answer = kem.encapsulate(fromHex(item.ek), m);
      assert.equal(typeof answer === "object", item.testPassed);
    } else {
      assert.equal(item.function, "decapsulationKeyCheck");
      assert.equal(kem.prepare(fromHex(item.dk)) === undefined, item.testPassed);
    }
  }
});

test("Wycheproof encapsulation; keys too long, too short or not reduced are refused", {
  skip,
}, () => {
  type Case = { tcId: number; ek: string; m: string; c: string; K: string; result: string };
  const cases = flat<Case>("mlkem768/wycheproof-encaps.json");
  assert.equal(cases.length, 134);
  for (const { tcId, ek, m, c, K, result } of cases) {
    const answer = kem.encapsulate(fromHex(ek), fromHex(m));
    if (result === "invalid") {
      assert.equal(answer, ek.length === 2 * SIZES.ek ? "modulus" : "length", `case ${tcId}`);
    } else {
      const made = accepted(answer);
      assert.deepEqual([toHex(made.ct), toHex(made.secret)], [c, K], `case ${tcId}`);
    }
  }
});

test("Wycheproof decapsulation from seeds, implicit rejection included; wrong lengths are refused", {
  skip,
}, () => {
  type Case = { tcId: number; seed: string; c: string; K: string; result: string };
  const cases = flat<Case>("mlkem768/wycheproof-decaps.json");
  assert.equal(cases.length, 98);
  for (const { tcId, seed, c, K, result } of cases) {
    const pair = kem.keygen(fromHex(seed));
    const answer = typeof pair === "string" ? pair : kem.decapsulate(fromHex(c));
    if (result === "valid") assert.equal(toHex(accepted(answer)), K, `case ${tcId}`);
    else assert.equal(answer, "length", `case ${tcId}`);
  }
});

test("Wycheproof expanded keys decapsulate; wrong lengths and a wrong hash are refused", {
  skip,
}, () => {
  type Case = { tcId: number; dk: string; c: string; K: string; result: string; flags: string[] };
  const cases = flat<Case>("mlkem768/wycheproof-semi-expanded-decaps.json");
  assert.equal(cases.length, 5);
  for (const { tcId, dk, c, K, result, flags } of cases) {
    const answer = kem.prepare(fromHex(dk)) ?? kem.decapsulate(fromHex(c));
    if (result === "valid") assert.equal(toHex(accepted(answer)), K, `case ${tcId}`);
    else {
      const reason = flags.includes("InvalidDecapsulationKey") ? "hash" : "length";
      assert.equal(answer, reason, `case ${tcId}`);
    }
  }
});

test("each CCTV key with one coefficient >= q is refused", { skip }, () => {
  const lines = readGzipLines("mlkem768/cctv-modulus-bad-ek.txt.gz");
  assert.equal(lines.length, 390);
  for (const line of lines) {
    assert.equal(kem.encapsulate(fromHex(line), new Uint8Array(32)), "modulus");
  }
});

test("a CCTV matrix that takes more XOF blocks than usual", { skip }, () => {
  type Case = { ek: string; dk: string; m: string; c: string; K: string };
  const [item] = (readVectors("mlkem768/cctv-unluckysample.json") as Tests<Case>).tests;
  assert.ok(item !== undefined);
  const made = accepted(kem.encapsulate(fromHex(item.ek), fromHex(item.m)));
  assert.deepEqual([toHex(made.ct), toHex(made.secret)], [item.c, item.K]);
  assert.equal(kem.prepare(fromHex(item.dk)), undefined);
  assert.equal(toHex(accepted(kem.decapsulate(made.ct))), item.K);
});

const ACCUMULATED = [
  {
    rounds: 100,
    p1: "8d65b902f28edc683cebee2872962fd165a4d197c9e24ec74caa4470270df0b7",
    p2: "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415",
  },
  {
    rounds: 10_000,
    p1: "f959d18d3d1180121433bf0e05f11e7908cf9d03edc150b2b07cb90bef5bc1c1",
    p2: "8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc",
  },
];
for (const { rounds, p1, p2 } of ACCUMULATED) {
  test(`the accumulated test over ${rounds} rounds gives both digests of final FIPS 203`, () => {
    const next = shakeStream(rounds * (32 + 32 + 32 + 1088));
    const output1 = createHash("shake128", { outputLength: 32 });
    const output2 = createHash("shake128", { outputLength: 32 });
    for (let round = 0; round < rounds; round++) {
      const { ek, dk } = accepted(kem.keygen(next(64)));
      const { ct, secret } = accepted(kem.encapsulate(ek, next(32)));
      assert.deepEqual(kem.decapsulate(ct), secret);
      const rejected = accepted(kem.decapsulate(next(1088)));
      output1.update(ek).update(dk).update(ct).update(secret).update(rejected);
      output2.update(ek).update(ct).update(secret).update(rejected);
    }
    assert.equal(output1.digest("hex"), p1);
    assert.equal(output2.digest("hex"), p2);
  });
}

test("random keys, ciphertexts and single-bit faults give what noble gives", () => {
  for (let round = 0; round < 60; round++) {
    const seed = new Uint8Array(randomBytes(64));
    const m = new Uint8Array(randomBytes(32));
    const context = `seed ${toHex(seed)} m ${toHex(m)}`;
    const theirs = ml_kem768.keygen(seed);
    const ours = accepted(kem.keygen(seed));
    assert.deepEqual([ours.ek, ours.dk], [theirs.publicKey, theirs.secretKey], context);
    const expected = ml_kem768.encapsulate(theirs.publicKey, m);
    const made = accepted(kem.encapsulate(ours.ek, m));
    assert.deepEqual([made.ct, made.secret], [expected.cipherText, expected.sharedSecret], context);
    // Every byte position over the rounds and both decapsulation paths: straight after keygen, and from the expanded key.
    const fault = made.ct.slice();
    const at = (round * 1087) % 1088;
    fault[at] = (fault[at] ?? 0) ^ (1 << (round % 8));
    const rejected = ml_kem768.decapsulate(fault, theirs.secretKey);
    assert.notDeepEqual(rejected, made.secret);
    for (const prepare of [() => undefined, () => kem.prepare(ours.dk)]) {
      assert.equal(prepare(), undefined);
      assert.deepEqual(kem.decapsulate(made.ct), made.secret, context);
      assert.deepEqual(kem.decapsulate(fault), rejected, `${context} fault at ${at}`);
    }
  }
});

test("a fault in any one bit of a ciphertext is rejected", () => {
  const pair = accepted(kem.keygen(new Uint8Array(64).fill(7)));
  const { ct, secret } = accepted(kem.encapsulate(pair.ek, new Uint8Array(32).fill(9)));
  for (let bit = 0; bit < 8 * ct.length; bit++) {
    const fault = ct.slice();
    fault[bit >> 3] = (fault[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notDeepEqual(kem.decapsulate(fault), secret, `bit ${bit}`);
  }
  assert.deepEqual(kem.decapsulate(ct), secret);
});

test("node:crypto and the raw exports agree in both directions", () => {
  for (let round = 0; round < 30; round++) {
    const seed = new Uint8Array(randomBytes(64));
    const ours = accepted(kem.keygen(seed));
    const theirs = nativeEngine.mlKem768.generate(seed);
    assert.deepEqual(ours.ek, theirs.encapsulationKey);
    const sent = nativeEngine.mlKem768.encapsulate(ours.ek);
    assert.deepEqual(kem.decapsulate(sent.ciphertext), sent.sharedSecret);
    const made = accepted(
      kem.encapsulate(theirs.encapsulationKey, new Uint8Array(randomBytes(32))),
    );
    assert.deepEqual(theirs.decapsulate(made.ct), made.secret);
  }
});

/** The module's own memory: everything below the callers' buffers. */
function ownMemory(): Buffer {
  return Buffer.from(kernels.read(0, kernels.call("heapBase")));
}

function randomSeed(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

// Decapsulation samples no matrix, and encapsulation to one key leaves the same matrix: whatever else they wrote must be gone.
test("decapsulation, and encapsulation of another message, leave the module's memory as it was", () => {
  const { ek, dk } = accepted(kem.keygen(randomSeed(64)));
  const { ct } = accepted(kem.encapsulate(ek, randomSeed(32)));
  const before = ownMemory();
  kem.encapsulate(ek, randomSeed(32));
  assert.ok(ownMemory().equals(before));
  kem.decapsulate(ct);
  kem.decapsulate(randomSeed(1088));
  assert.ok(ownMemory().equals(before));
  assert.equal(kem.prepare(dk), undefined);
  kem.decapsulate(ct);
  // Equality says something only if it can fail: another key's matrix does differ.
  kem.encapsulate(accepted(kem.keygen(randomSeed(64))).ek, randomSeed(32));
  assert.ok(!ownMemory().equals(before));
});

test("key generation and preparation leave nothing behind but the last block of the public matrix", () => {
  const other = new RawKem(kernels);
  other.keygen(randomSeed(64));
  const before = ownMemory();
  const { ek, dk } = accepted(other.keygen(randomSeed(64)));
  const after = ownMemory();
  let first = 0;
  while (first < after.length && after[first] === before[first]) first++;
  let end = after.length;
  while (end > first && after[end - 1] === before[end - 1]) end--;
  const span = after.subarray(first & ~15, end);
  assert.ok(span.length > 0 && span.length <= 168, `${span.length} bytes changed`);
  const entry = createHash("shake128", { outputLength: 168 * 8 })
    .update(ek.subarray(1152))
    .update(Uint8Array.of(2, 2))
    .digest();
  assert.equal(entry.indexOf(span) % 168, 0);
  assert.equal(other.prepare(dk), undefined);
  assert.ok(ownMemory().equals(after));
});

test("a key refused for its hash is wiped", () => {
  const pair = accepted(kem.keygen(randomSeed(64)));
  const prepared = reserveUnaligned(kernels, kernels.constant("ML_KEM_PREPARED_BYTES"));
  const dk = reserveUnaligned(kernels, 2400);
  const prepare = kernels.raw("mlKem768PrepareDecapsulationKey");
  kernels.write(dk, pair.dk);
  assert.equal(prepare(prepared, dk), 0);
  const wrong = pair.dk.slice();
  wrong[2336] = (wrong[2336] ?? 0) ^ 1;
  kernels.write(dk, wrong);
  assert.equal(prepare(prepared, dk), 2);
  const left = kernels.read(prepared, kernels.constant("ML_KEM_PREPARED_BYTES"));
  assert.ok(left.every((byte) => byte === 0));
});
