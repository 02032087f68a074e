import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  bundleDigest,
  bundleToJson,
  parseBundleJson,
  type TrustBundle,
} from "../../../src/identity/index.ts";
import { drop, putKeyUsage, putUris, resign } from "./forge.ts";
import { engine, issue, makeDomain, nodeKeys, TRUST_DOMAIN } from "./support.ts";
import { id_ce_keyUsage, KeyUsageFlags } from "@peculiar/asn1-x509";

const domain = makeDomain();
const second = makeDomain({ seed: "second root" });
const foreign = makeDomain({ seed: "foreign", trustDomain: "other.example" });

type Json = Record<string, unknown> & { keys: Record<string, unknown>[] };

function document(bundle: TrustBundle = domain.bundle): Json {
  return JSON.parse(bundleToJson(bundle)) as Json;
}

function parse(value: unknown, trustDomain = TRUST_DOMAIN): TrustBundle | string {
  const result = parseBundleJson(
    trustDomain,
    typeof value === "string" ? value : JSON.stringify(value),
  );
  return result.ok ? result.value : result.code;
}

function authoritiesOf(value: unknown): number | string {
  const bundle = parse(value);
  return typeof bundle === "string" ? bundle : bundle.authorities.length;
}

function withKey(change: Record<string, unknown>): Json {
  const json = document();
  return { ...json, keys: [{ ...json.keys[0], ...change }] };
}

const MALFORMED = "identity/bundle-malformed";

describe("the SPIFFE document of a bundle", () => {
  it("is read as it was written", () => {
    const bundle: TrustBundle = {
      trustDomain: TRUST_DOMAIN,
      sequence: 7,
      authorities: [domain.root, second.root],
      refreshHintS: 300,
    };
    assert.deepEqual(parse(bundleToJson(bundle)), bundle);
  });

  it("[X14] has use x509-svid, kty AKP, one base64 DER root and no kid", () => {
    const [key] = document().keys;
    assert.ok(key);
    assert.equal(key["use"], "x509-svid");
    assert.equal(key["kty"], "AKP");
    assert.equal(key["alg"], "ML-DSA-65");
    assert.ok(!("kid" in key) && !("priv" in key));
    assert.deepEqual(key["x5c"], [Buffer.from(domain.root).toString("base64")]);
    assert.equal(key["pub"], Buffer.from(domain.rootSigner.publicKey).toString("base64url"));
  });

  it("[X14] refuses an x509-svid key of ours whose certificate is no root of the trust domain", () => {
    const x5c = (der: Uint8Array) =>
      withKey({ x5c: [Buffer.from(der).toString("base64")], pub: undefined });
    const [leaf = domain.root, intermediate = domain.root] = issue(domain, "a", nodeKeys("a"));
    assert.equal(authoritiesOf(x5c(domain.root)), 1);
    assert.equal(authoritiesOf(x5c(leaf)), MALFORMED);
    assert.equal(authoritiesOf(x5c(intermediate)), MALFORMED, "not self-issued");
    assert.equal(authoritiesOf(x5c(foreign.root)), MALFORMED, "another trust domain");
    assert.equal(
      authoritiesOf(
        x5c(resign(domain.root, domain.rootSigner, (tbs) => drop(tbs, id_ce_keyUsage))),
      ),
      MALFORMED,
    );
    assert.equal(
      authoritiesOf(
        x5c(
          resign(domain.root, domain.rootSigner, (tbs) =>
            putUris(tbs, ["spiffe://mesh.example/x"], false),
          ),
        ),
      ),
      MALFORMED,
    );
    const { keyCertSign } = KeyUsageFlags;
    assert.equal(
      authoritiesOf(
        x5c(
          resign(domain.root, domain.rootSigner, (tbs) => putKeyUsage(tbs, [keyCertSign], false)),
        ),
      ),
      MALFORMED,
    );
    assert.equal(authoritiesOf(withKey({ x5c: ["!!!!"] })), MALFORMED);
    assert.equal(authoritiesOf(withKey({ x5c: [7] })), MALFORMED);
    assert.equal(
      authoritiesOf(
        withKey({ pub: Buffer.from(second.rootSigner.publicKey).toString("base64url") }),
      ),
      MALFORMED,
    );
  });

  it("[X15] lets elements without x5c be", () => {
    assert.equal(authoritiesOf(withKey({ x5c: undefined })), 0);
    assert.equal(authoritiesOf(withKey({ x5c: [] })), 0);
  });

  it("[X16] looks at the first x5c value only", () => {
    const first = Buffer.from(domain.root).toString("base64");
    assert.equal(authoritiesOf(withKey({ x5c: [first, "no certificate"] })), 1);
    assert.equal(authoritiesOf(withKey({ x5c: ["no certificate", first] })), MALFORMED);
  });

  it("[X17][B3] without usable keys is a bundle without authorities", () => {
    assert.equal(authoritiesOf({ keys: [] }), 0);
    assert.equal(authoritiesOf({ keys: [{ kty: "EC", use: "jwt-svid", kid: "1" }] }), 0);
  });

  it("[B1] must have keys", () => {
    for (const text of [
      "{}",
      '{"keys":null}',
      '{"keys":{}}',
      "[]",
      "null",
      "7",
      "",
      "{",
      '{"keys":[]} x',
    ]) {
      assert.equal(parse(text), MALFORMED, text);
    }
  });

  it("[B2] ignores elements with an unknown or missing kty or use", () => {
    for (const change of [
      { kty: "XYZ" },
      { kty: undefined },
      { use: "sig" },
      { use: undefined },
      { kty: 7 },
      { alg: "ML-DSA-87" },
    ]) {
      assert.equal(authoritiesOf(withKey(change)), 0, JSON.stringify(change));
    }
    assert.equal(authoritiesOf({ keys: [null, 7, "x", [], ...document().keys] }), 1);
  });

  it("[B4] has a sequence that is a count, and 0 when it is absent", () => {
    const json = document();
    const at = (sequence: unknown) => {
      const bundle = parse({ ...json, spiffe_sequence: sequence });
      return typeof bundle === "string" ? bundle : bundle.sequence;
    };
    assert.equal(at(undefined), 0);
    assert.equal(at(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
    for (const bad of [-1, 1.5, "1", Number.MAX_SAFE_INTEGER + 1, true])
      assert.equal(at(bad), MALFORMED);
  });

  it("[B5] has a refresh hint in whole seconds", () => {
    const json = document();
    const at = (hint: unknown) => parse({ ...json, spiffe_refresh_hint: hint });
    assert.equal((at(60) as TrustBundle).refreshHintS, 60);
    assert.ok(!("refreshHintS" in (at(undefined) as TrustBundle)));
    for (const bad of [-1, 0.5, "60", null]) assert.equal(at(bad), MALFORMED);
  });

  it("[B6] needs no parameter beyond use, kty and x5c, and minds no other", () => {
    assert.equal(authoritiesOf(withKey({ alg: undefined, pub: undefined })), 1);
    assert.equal(authoritiesOf({ ...withKey({ kid: "x", extra: 1 }), extra: {} }), 1);
  });

  it("is bounded: 4 authorities are read, 5 refused; 32 keys are read, 33 refused; repeated roots count once", () => {
    const roots = ["r1", "r2", "r3", "r4", "r5"].map((seed) => makeDomain({ seed }).root);
    const keysOf = (ders: readonly Uint8Array[]) => ({
      keys: ders.map((der) => ({
        kty: "AKP",
        use: "x509-svid",
        x5c: [Buffer.from(der).toString("base64")],
      })),
    });
    assert.equal(authoritiesOf(keysOf(roots.slice(0, 4))), 4);
    assert.equal(authoritiesOf(keysOf(roots)), MALFORMED);
    assert.equal(authoritiesOf(keysOf([domain.root, domain.root])), 1);
    assert.equal(authoritiesOf({ keys: Array.from({ length: 32 }, () => ({})) }), 0);
    assert.equal(authoritiesOf({ keys: Array.from({ length: 33 }, () => ({})) }), MALFORMED);
    assert.equal(authoritiesOf(`{"keys":[],"x":"${"y".repeat(96 * 1024)}"}`), MALFORMED);
  });

  it("cannot be written with an authority that is no root of the trust domain", () => {
    const thrown = (error: unknown) => isMeshError(error, MALFORMED);
    assert.throws(() => bundleToJson({ ...domain.bundle, authorities: [foreign.root] }), thrown);
    assert.throws(
      () => bundleToJson({ ...domain.bundle, authorities: [new Uint8Array(3)] }),
      thrown,
    );
  });

  it("is refused for a trust domain that is none", () => {
    assert.equal(parse(document(), "Mesh.Example"), MALFORMED);
  });
});

describe("the digest of a bundle", () => {
  it("is SHA-256 over label, trust domain, count and the sorted digests of the roots", () => {
    const sha256 = (...parts: (string | Uint8Array)[]) => {
      const hash = createHash("sha256");
      for (const part of parts) hash.update(part);
      return hash.digest();
    };
    const digests = [domain.root, second.root]
      .map((der) => sha256(der))
      .sort((a, b) => Buffer.compare(a, b));
    const expected = sha256(
      "x0tta6bl4 trust bundle v1",
      Uint8Array.of(0, TRUST_DOMAIN.length),
      TRUST_DOMAIN,
      Uint8Array.of(0, 2),
      ...digests,
    );
    const bundle = { ...domain.bundle, authorities: [domain.root, second.root] };
    assert.deepEqual(Buffer.from(bundleDigest(engine, bundle)), expected);
    const turned = { ...bundle, sequence: 99, authorities: [second.root, domain.root] };
    assert.deepEqual(Buffer.from(bundleDigest(engine, turned)), expected);
  });

  it("changes with a root and with the trust domain", () => {
    const digest = (change: Partial<TrustBundle>) =>
      Buffer.from(bundleDigest(engine, { ...domain.bundle, ...change })).toString("hex");
    const all = [
      digest({}),
      digest({ authorities: [second.root] }),
      digest({ authorities: [] }),
      digest({ trustDomain: "x" }),
    ];
    assert.equal(new Set(all).size, 4);
  });
});
