// The composite signature against the vectors of the LAMPS draft, for every engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compositeSign, compositeVerify } from "../../../src/crypto/index.ts";
import { equalBytes } from "../../../src/foundation/index.ts";
import { engines, readVectors, skipWithoutVectors } from "./support.ts";

type Case = Record<"tcId" | "pk" | "sk" | "s" | "sWithContext", string>;
type File = { m: string; ctx: string; tests: Case[] };

const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
const none = new Uint8Array(0);

for (const engine of engines) {
  test(`${engine.name}: the LAMPS composite signatures verify, and only as published`, {
    skip: skipWithoutVectors,
  }, () => {
    const file = readVectors("composite/lamps-mldsa65-ed25519.json") as File;
    const item = file.tests.find(({ tcId }) => tcId === "id-MLDSA65-Ed25519-SHA512");
    assert.ok(item !== undefined);
    const [message, context, pk] = [base64(file.m), base64(file.ctx), base64(item.pk)] as const;
    const keys = { mldsa65: pk.subarray(0, 1952), ed25519: pk.subarray(1952) };
    const [plain, withContext] = [base64(item.s), base64(item.sWithContext)] as const;
    assert.ok(compositeVerify(engine, keys, message, none, plain));
    assert.ok(compositeVerify(engine, keys, message, context, withContext));
    assert.ok(!compositeVerify(engine, keys, message, context, plain));
    assert.ok(!compositeVerify(engine, keys, message, none, withContext));
  });

  test(`${engine.name}: the Ed25519 half of a LAMPS composite signature is remade byte for byte`, {
    skip: skipWithoutVectors,
  }, () => {
    const file = readVectors("composite/lamps-mldsa65-ed25519.json") as File;
    const item = file.tests.find(({ tcId }) => tcId === "id-MLDSA65-Ed25519-SHA512");
    assert.ok(item !== undefined);
    const sk = base64(item.sk);
    const signer = {
      mldsa65: engine.mlDsa65.signer(sk.subarray(0, 32)),
      ed25519: engine.ed25519.signer(sk.subarray(32)),
    };
    const made = compositeSign(signer, engine, base64(file.m), base64(file.ctx));
    const published = base64(item.sWithContext);
    assert.equal(made.length, published.length);
    assert.ok(equalBytes(made.subarray(-64), published.subarray(-64)));
  });

  test(`${engine.name}: the plain ML-DSA-65 signatures of the LAMPS file verify`, {
    skip: skipWithoutVectors,
  }, () => {
    const file = readVectors("composite/lamps-mldsa65-ed25519.json") as File;
    const item = file.tests.find(({ tcId }) => tcId === "id-ML-DSA-65");
    assert.ok(item !== undefined);
    const [message, context, pk] = [base64(file.m), base64(file.ctx), base64(item.pk)] as const;
    assert.ok(equalBytes(engine.mlDsa65.signer(base64(item.sk)).publicKey, pk));
    assert.ok(engine.mlDsa65.verify(pk, message, base64(item.s), none));
    assert.ok(engine.mlDsa65.verify(pk, message, base64(item.sWithContext), context));
    assert.ok(!engine.mlDsa65.verify(pk, message, base64(item.sWithContext), none));
  });
}
