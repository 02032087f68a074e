// The example certificates and keys of RFC 9881: what others made is read, and checks; what the RFC forbids is refused.

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { newWorkloadKey } from "../../../src/adapters/crypto/workload-key.ts";
import { createNobleEngine } from "../../../src/crypto/index.ts";
import { describeCertificate, verifyChain } from "../../../src/identity/index.ts";
import { parseCertificate } from "../../../src/identity/x509/parse.ts";
import { engine, makeDomain, NOW, seededRandom } from "../../unit/identity/support.ts";

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index);
const CONTEXT = new Uint8Array(0);

function example(name: string): { readonly der: Uint8Array; readonly openssl: X509Certificate } {
  const file = new URL(`../../fixtures/rfc9881/${name}.crt`, import.meta.url);
  const openssl = new X509Certificate(readFileSync(file));
  return { der: new Uint8Array(openssl.raw), openssl };
}

const { der, openssl } = example("ML-DSA-65");

/** Replaces the one place where `from` stands; lengths around it stay true when it is as long. */
function replaced(from: string, to: string, times: number): Uint8Array {
  const hex = Buffer.from(der).toString("hex");
  assert.equal(hex.split(from).length - 1, times, from);
  return new Uint8Array(Buffer.from(hex.replaceAll(from, to), "hex"));
}

const codeOf = (bytes: Uint8Array): string => {
  const parsed = parseCertificate(bytes);
  return parsed.ok ? "read" : parsed.code;
};

test("the ML-DSA-65 example is read as it is meant", () => {
  const parsed = parseCertificate(der);
  assert.ok(parsed.ok);
  const { isCa, keyUsage, basicConstraintsCritical, publicKey } = parsed.value;
  assert.deepEqual([isCa, basicConstraintsCritical], [true, true]);
  assert.deepEqual(keyUsage, {
    ...{ critical: true, digitalSignature: true, nonRepudiation: false },
    ...{ keyCertSign: true, cRLSign: true, encrypts: false },
  });
  assert.deepEqual(publicKey, engine.mlDsa65.signer(SEED).publicKey);
  assert.equal(describeCertificate(der).serial, openssl.serialNumber.toLowerCase());
});

test("its signature verifies over the bytes as received: here, in pure JavaScript, and in OpenSSL", () => {
  const parsed = parseCertificate(der);
  assert.ok(parsed.ok);
  const { publicKey, tbs, signature } = parsed.value;
  for (const { mlDsa65 } of [engine, createNobleEngine(seededRandom("rfc9881"))]) {
    assert.ok(mlDsa65.verify(publicKey, tbs, signature, CONTEXT));
    assert.ok(!mlDsa65.verify(publicKey, tbs, signature, Uint8Array.of(1)), "another context");
    const changed = tbs.slice();
    changed[20] = (changed[20] ?? 0) ^ 1;
    assert.ok(!mlDsa65.verify(publicKey, changed, signature, CONTEXT));
  }
  assert.ok(openssl.verify(openssl.publicKey));
});

test("it vouches for nobody here: it is an authority, and none of ours", () => {
  const { bundle } = makeDomain();
  const input = { engine, chain: [der], ed25519: new Uint8Array(32), bundle, now: NOW };
  const verified = verifyChain(input);
  // A chain is never made of self-signed certificates; the leaf would be refused as an authority all the same.
  assert.equal(verified.ok ? "verified" : verified.code, "identity/ca-as-leaf");
});

test("what the RFC forbids is refused: other parameter sets, HashML-DSA, algorithms with parameters", () => {
  for (const other of ["ML-DSA-44", "ML-DSA-87"])
    assert.equal(codeOf(example(other).der), "identity/algorithm-unsupported");
  const oid = "0609608648016503040312"; // id-ml-dsa-65
  for (const other of [
    "0609608648016503040311",
    "0609608648016503040313",
    "0609608648016503040321",
  ])
    assert.equal(codeOf(replaced(oid, other, 3)), "identity/algorithm-unsupported", other);
  // NULL parameters, in place of the last arc: 2.16.840.1.101.3.4.3.18 with parameters would be longer.
  const parsed = codeOf(replaced(`300b${oid}`, `300b0607608648016503040500`, 3));
  assert.notEqual(parsed, "read");
});

test("no byte of it can be changed, taken away or added unnoticed", () => {
  for (let at = 0; at < der.length; at += 97) {
    const changed = der.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x20;
    const parsed = parseCertificate(changed);
    if (!parsed.ok) continue;
    const { publicKey, tbs, signature } = parsed.value;
    assert.ok(!engine.mlDsa65.verify(publicKey, tbs, signature, CONTEXT), `byte ${at}`);
  }
  assert.notEqual(codeOf(der.subarray(0, -1)), "read");
  assert.notEqual(codeOf(Uint8Array.of(...der, 0)), "read");
});

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/rfc9881/${name}`, import.meta.url));

test("its key is ours from the same seed; OpenSSL takes all three forms of it, and the one that we write is the example's", () => {
  const spki = { type: "spki", format: "der" } as const;
  const published = createPublicKey(fixture("ML-DSA-65.pub")).export(spki);
  assert.deepEqual(published.subarray(-1952), Buffer.from(engine.mlDsa65.signer(SEED).publicKey));
  for (const form of ["seed", "expanded", "both"]) {
    const key = createPrivateKey(fixture(`ML-DSA-65-${form}.priv`));
    assert.deepEqual(createPublicKey(key).export(spki), published, form);
  }
  const written = newWorkloadKey({ engine, random: { bytes: () => SEED } }, "ml-dsa-65").pkcs8;
  const pem = fixture("ML-DSA-65-seed.priv")
    .toString()
    .replace(/-----[A-Z ]+-----/g, "");
  assert.deepEqual(Buffer.from(written), Buffer.from(pem, "base64"));
});

test("keys that contradict themselves are refused by OpenSSL, which reads them where workloads do", () => {
  for (const number of [1, 2, 3])
    assert.throws(() => createPrivateKey(fixture(`bad-ML-DSA-44-${number}.priv`)), {
      code: "ERR_OSSL_INVALID_KEY",
    });
});
