// The raw ML-DSA-65 kernels against NIST ACVP, the PQC KAT, Wycheproof, CCTV and noble.
// Lengths are the host's to check: cases that differ from a valid one by a length alone are counted as skipped here.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { fromHex, toHex } from "../../../src/foundation/index.ts";
import { readVectors, shakeStream, skipWithoutVectors as skip, Tally } from "../crypto/support.ts";
import { Kernels, MlDsaKernels, sha256Hex } from "./kernels.ts";

const NO_PREHASH = "pre-hash modes are not offered";
const LENGTH = "a length that the host refuses";

const mlDsa = new MlDsaKernels(await Kernels.load());
const hex = (text: string | undefined): Uint8Array<ArrayBuffer> =>
  new Uint8Array(fromHex(text ?? ""));

interface Tests<T> {
  readonly tests: readonly T[];
}
interface Groups<G, T> {
  readonly testGroups: readonly (G & Tests<T>)[];
}

test("ACVP seeds give the published keys in both encodings", { skip }, () => {
  type Case = { seed: string; pk: string; sk: string };
  const { tests } = readVectors("mldsa65/acvp-keygen.json") as Tests<Case>;
  for (const { seed, pk, sk } of tests) {
    const made = mlDsa.fromSeed(hex(seed));
    assert.equal(toHex(made.publicKey), pk);
    assert.equal(toHex(made.expandedKey), sk);
  }
  assert.equal(tests.length, 13);
});

test("ACVP internal signing with expanded keys", { skip }, () => {
  type Case = Record<"sk" | "message" | "rnd" | "signature", string> & { deterministic: boolean };
  const { tests } = readVectors("mldsa65/acvp-siggen-internal.json") as Tests<Case>;
  for (const item of tests) {
    assert.ok(mlDsa.fromExpanded(hex(item.sk)));
    const random = item.deterministic ? new Uint8Array(32) : hex(item.rnd);
    assert.equal(toHex(mlDsa.sign(hex(item.message), "internal", random)), item.signature);
  }
  assert.equal(tests.length, 10);
});

test("ACVP verification: pure, internal and external mu", { skip }, (t) => {
  type Case = {
    tcId: number;
    testPassed: boolean;
    interface: string;
    preHash?: string;
    externalMu?: boolean;
    pk: string;
    signature: string;
  } & Partial<Record<"context" | "message" | "mu", string>>;
  const tally = new Tally();
  for (const item of (readVectors("mldsa65/acvp-sigver.json") as Tests<Case>).tests) {
    if (item.preHash === "preHash") {
      tally.skipped(NO_PREHASH);
      continue;
    }
    mlDsa.fromPublicKey(hex(item.pk));
    const signature = hex(item.signature);
    const context = item.interface === "internal" ? "internal" : hex(item.context);
    const valid =
      item.externalMu === true
        ? mlDsa.verifyMu(hex(item.mu), signature)
        : mlDsa.verify(hex(item.message), signature, context);
    assert.equal(valid, item.testPassed, `case ${item.tcId}`);
    tally.ran();
  }
  assert.ok(tally.runCount >= 16);
  t.diagnostic(tally.toString());
});

test("PQC KAT keys and signatures, deterministic and hedged", { skip }, (t) => {
  type Case = Record<
    "id" | "flavour" | "xi" | "rnd" | "message" | "pk" | "sk_sha256" | "signature",
    string
  > & { context?: string };
  const tally = new Tally();
  for (const item of (readVectors("mldsa65/kat-siggen.json") as Tests<Case>).tests) {
    const made = mlDsa.fromSeed(hex(item.xi));
    assert.equal(toHex(made.publicKey), item.pk, item.id);
    assert.equal(sha256Hex(made.expandedKey), item.sk_sha256, item.id);
    if (item.flavour === "hashed") {
      tally.skipped(`${NO_PREHASH} (the key was checked)`);
      continue;
    }
    const context = item.flavour === "raw" ? "internal" : hex(item.context);
    const [message, signature] = [hex(item.message), hex(item.signature)];
    assert.equal(toHex(mlDsa.sign(message, context, hex(item.rnd))), item.signature, item.id);
    mlDsa.fromPublicKey(made.publicKey);
    assert.ok(mlDsa.verify(message, signature, context), item.id);
    tally.ran();
  }
  assert.equal(tally.runCount, 40);
  t.diagnostic(tally.toString());
});

type SignCase = { tcId: number; sig: string; result: string; flags: string[] } & Partial<
  Record<"msg" | "ctx" | "mu" | "rnd", string>
>;

/** Signs one Wycheproof case; the prepared key is in place. */
function checkSigning(item: SignCase, tally: Tally): void {
  if (hex(item.ctx).length > 255) return tally.skipped(LENGTH);
  const random = item.rnd === undefined ? new Uint8Array(32) : hex(item.rnd);
  assert.equal(item.result, "valid", `case ${item.tcId}`);
  if (item.msg !== undefined) {
    const made = mlDsa.sign(hex(item.msg), hex(item.ctx), random);
    assert.equal(toHex(made), item.sig, `case ${item.tcId}`);
  }
  if (item.mu !== undefined) {
    assert.equal(toHex(mlDsa.signMu(hex(item.mu), random)), item.sig, `case ${item.tcId}, mu`);
  }
  tally.ran();
}

test("Wycheproof signing from seeds, by message and by mu", { skip }, (t) => {
  type Group = { privateSeed: string; publicKey: string };
  const tally = new Tally();
  const file = readVectors("mldsa65/wycheproof-sign-seed.json") as Groups<Group, SignCase>;
  for (const group of file.testGroups) {
    const seed = hex(group.privateSeed);
    for (const item of group.tests) {
      if (seed.length !== 32) tally.skipped(LENGTH);
      else {
        assert.equal(toHex(mlDsa.fromSeed(seed).publicKey), group.publicKey);
        checkSigning(item, tally);
      }
    }
  }
  assert.ok(tally.runCount >= 50);
  t.diagnostic(tally.toString());
});

test("Wycheproof signing from expanded keys; coefficients out of range are refused and wiped", {
  skip,
}, (t) => {
  type Group = { privateKey: string };
  const tally = new Tally();
  let refused = 0;
  const file = readVectors("mldsa65/wycheproof-sign-noseed.json") as Groups<Group, SignCase>;
  for (const group of file.testGroups) {
    const key = hex(group.privateKey);
    for (const item of group.tests) {
      if (key.length !== 4032) tally.skipped(LENGTH);
      else if (item.flags.includes("InvalidPrivateKey")) {
        assert.equal(mlDsa.fromExpanded(key), false, `case ${item.tcId}`);
        const slot = mlDsa.kernels.read(
          mlDsa.signingKey,
          mlDsa.kernels.constant("ML_DSA_SIGNING_KEY_BYTES"),
        );
        assert.ok(slot.every((byte) => byte === 0));
        refused++;
        tally.ran();
      } else {
        assert.ok(mlDsa.fromExpanded(key), `case ${item.tcId}`);
        checkSigning(item, tally);
      }
    }
  }
  assert.ok(refused >= 1);
  t.diagnostic(tally.toString());
});

test("Wycheproof verification", { skip }, (t) => {
  type Case = { tcId: number; msg: string; ctx?: string; sig: string; result: string };
  const tally = new Tally();
  const file = readVectors("mldsa65/wycheproof-verify.json") as Groups<{ publicKey: string }, Case>;
  for (const group of file.testGroups) {
    const publicKey = hex(group.publicKey);
    for (const item of group.tests) {
      const [context, signature] = [hex(item.ctx), hex(item.sig)];
      if (publicKey.length !== 1952 || signature.length !== 3309 || context.length > 255) {
        assert.equal(item.result, "invalid");
        tally.skipped(LENGTH);
        continue;
      }
      mlDsa.fromPublicKey(publicKey);
      const valid = mlDsa.verify(hex(item.msg), signature, context);
      assert.equal(valid, item.result === "valid", `case ${item.tcId}`);
      tally.ran();
    }
  }
  assert.ok(tally.runCount >= 80);
  t.diagnostic(tally.toString());
});

for (const [rounds, digest] of [
  [100, "8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199"],
  [10_000, "5ff5e196f0b830c3b10a9eb5358e7c98a3a20136cb677f3ae3b90175c3ace329"],
] as const) {
  test(`${rounds} accumulated keys and signatures give CCTV's digest, and each verifies`, () => {
    const stream = shakeStream(32 * rounds);
    const output = createHash("shake128", { outputLength: 32 });
    const none = new Uint8Array(0);
    for (let round = 0; round < rounds; round++) {
      const { publicKey } = mlDsa.fromSeed(stream(32));
      const signature = mlDsa.sign(none);
      mlDsa.fromPublicKey(publicKey);
      assert.ok(mlDsa.verify(none, signature));
      output.update(publicKey).update(signature);
    }
    assert.equal(output.digest("hex"), digest);
  });
}

test("random keys, messages, contexts and hedges: noble signs the same and accepts ours", () => {
  for (let i = 0; i < 24; i++) {
    const seed = new Uint8Array(randomBytes(32));
    const random = new Uint8Array(randomBytes(32));
    const message = new Uint8Array(randomBytes((i * 37) % 700));
    const context = new Uint8Array(randomBytes((i * 53) % 256));
    const label = `seed ${toHex(seed)} random ${toHex(random)} lengths ${message.length}, ${context.length}`;
    const theirs = ml_dsa65.keygen(seed);
    const ours = mlDsa.fromSeed(seed);
    assert.deepEqual(ours.publicKey, new Uint8Array(theirs.publicKey), label);
    assert.deepEqual(ours.expandedKey, new Uint8Array(theirs.secretKey), label);
    const signature = mlDsa.sign(message, context, random);
    const expected = ml_dsa65.sign(message, theirs.secretKey, { context, extraEntropy: random });
    assert.deepEqual(signature, new Uint8Array(expected), label);
    assert.ok(ml_dsa65.verify(signature, message, theirs.publicKey, { context }), label);
    mlDsa.fromPublicKey(ours.publicKey);
    assert.ok(mlDsa.verify(message, signature, context), label);
    const place = randomBytes(2).readUInt16LE() % signature.length;
    signature[place] = (signature[place] ?? 0) ^ (1 << (i % 8));
    assert.equal(mlDsa.verify(message, signature, context), false, `${label}, byte ${place}`);
  }
});
