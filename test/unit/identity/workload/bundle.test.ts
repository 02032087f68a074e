import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  acceptSignedBundle,
  bundleDigest,
  bundleToJson,
  encodeSignedBundle,
  jwtBundleToJson,
  type NodeId,
  parseBundleJson,
  publicBundle,
  rootIdsOf,
  type TrustBundle,
} from "../../../../src/identity/index.ts";
import { engine, makeDomain, TRUST_DOMAIN } from "../support.ts";
import { makeWorkloadDomain } from "./support.ts";

const { bundle, domain, root, jwt, jwtKeyId } = makeWorkloadDomain();
const foreign = makeDomain({ seed: "foreign", trustDomain: "other.example" });

type Jwk = Record<string, unknown>;
const document = (): { keys: Jwk[]; spiffe_sequence: number } =>
  JSON.parse(bundleToJson(bundle)) as { keys: Jwk[]; spiffe_sequence: number };
const keyOf = (use: string, kty: string): Jwk =>
  document().keys.find((key) => key["use"] === use && key["kty"] === kty) ??
  assert.fail(`no ${use} ${kty}`);

function parse(keys: readonly unknown[]): TrustBundle | string {
  const parsed = parseBundleJson(TRUST_DOMAIN, JSON.stringify({ keys, spiffe_sequence: 2 }));
  return parsed.ok ? parsed.value : parsed.code;
}

const MALFORMED = "identity/bundle-malformed";

describe("keys for workloads in a bundle", () => {
  it("are read as they were written, beside the roots of nodes", () => {
    assert.deepEqual(parse(document().keys), bundle);
  });

  it("[X14] a P-256 root has use x509-svid, no kid, one DER and the key of its certificate", () => {
    const key = keyOf("x509-svid", "EC");
    assert.ok(!("kid" in key) && !("d" in key));
    assert.equal((key["x5c"] as string[]).length, 1);
    const { x } = key as { x: string };
    assert.deepEqual(new Uint8Array(Buffer.from(x, "base64url")), root.publicKey.slice(1, 33));
    const [der] = bundle.workloadAuthorities ?? [];
    assert.equal(
      parse([{ ...key, x5c: [Buffer.from(foreign.root).toString("base64")] }]),
      MALFORMED,
    );
    assert.equal(parse([{ ...key, kty: "EC", crv: "P-256", x5c: ["AAAA"] }]), MALFORMED);
    assert.equal(
      (
        parse([
          {
            use: "x509-svid",
            kty: "EC",
            crv: "P-256",
            x5c: [Buffer.from(der!).toString("base64")],
          },
        ]) as TrustBundle
      ).workloadAuthorities?.length,
      1,
      "[B6] coordinates are not required",
    );
  });

  it("[J8] a JWT key has use jwt-svid and a kid; without one it is left aside", () => {
    const key = keyOf("jwt-svid", "EC");
    assert.equal(key["kid"], jwtKeyId);
    assert.ok(!("d" in key));
    const without = parse([{ ...key, kid: undefined }]);
    assert.ok(typeof without === "object" && without.jwtAuthorities === undefined);
    assert.equal(parse([key, { ...key, x: key["y"] }]), MALFORMED, "one kid, two keys");
    assert.equal(parse([{ ...key, x: "AAAA" }]), MALFORMED, "a coordinate of three bytes");
  });

  it("[B2] of other types, curves and uses are left aside, each by itself", () => {
    const [node] = document().keys;
    const others = [
      { kty: "RSA", use: "x509-svid", n: "AQAB", e: "AQAB" },
      { kty: "EC", crv: "P-521", use: "jwt-svid", kid: "1" },
      { kty: "EC", crv: "P-256" },
      { use: "jwt-svid", kid: "2" },
      7,
    ];
    assert.deepEqual(parse([...others, node]), {
      trustDomain: TRUST_DOMAIN,
      sequence: 2,
      authorities: [domain.root],
    });
  });

  it("[W11] the document for workloads holds the JWT keys alone", () => {
    const { keys } = JSON.parse(jwtBundleToJson(bundle)) as { keys: Jwk[] };
    assert.deepEqual(
      keys.map(({ use, kid }) => [use, kid]),
      [["jwt-svid", jwtKeyId]],
    );
    assert.deepEqual(JSON.parse(jwtBundleToJson(domain.bundle)), { keys: [] });
  });

  it("are bounded: twelve of each kind, and one more refuses the document", () => {
    const keys = Array.from({ length: 13 }, (_, index) => ({
      ...keyOf("jwt-svid", "EC"),
      kid: `k${index}`,
    }));
    assert.equal((parse(keys.slice(1)) as TrustBundle).jwtAuthorities?.length, 12);
    assert.equal(parse(keys), MALFORMED);
  });

  it("leave the digest as it is: the roots of nodes vouch for them", () => {
    assert.deepEqual(bundleDigest(engine, bundle), bundleDigest(engine, domain.bundle));
  });
});

describe("a signed bundle", () => {
  const held = domain.bundle;
  const signed = encodeSignedBundle(bundle, domain.rootSigner);
  const codeOf = (bytes: Uint8Array, known = held): string => {
    const result = acceptSignedBundle(engine, known, bytes);
    return result.ok ? "accepted" : result.code;
  };

  it("of a trusted root and a higher sequence is taken", () => {
    const taken = acceptSignedBundle(engine, held, signed);
    assert.deepEqual(taken.ok && taken.value, bundle);
    assert.deepEqual(bundle.jwtAuthorities?.[0]?.publicKey, jwt.publicKey);
  });

  it("[B4] of the held sequence or a lower one is refused: an old bundle does not come back", () => {
    assert.equal(codeOf(signed, bundle), "identity/bundle-stale");
    assert.equal(codeOf(signed, { ...held, sequence: 3 }), "identity/bundle-stale");
    assert.equal(codeOf(signed, { ...held, sequence: 1 }), "accepted");
  });

  it("by another key, for another trust domain, or changed by a bit is refused", () => {
    const other = engine.mlDsa65.signer(new Uint8Array(32));
    assert.equal(codeOf(encodeSignedBundle(bundle, other)), "identity/bundle-unsigned");
    assert.equal(codeOf(signed, foreign.bundle), "identity/bundle-unsigned");
    for (const index of [4, 200, signed.length - 1]) {
      const changed = signed.slice();
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.equal(codeOf(changed), "identity/bundle-unsigned");
    }
    for (const bytes of [new Uint8Array(0), signed.subarray(1), signed.subarray(0, -1)])
      assert.match(codeOf(bytes), /malformed/);
  });

  it("may bring other roots, which then vouch for the next one", () => {
    const second = makeDomain({ seed: "second root" });
    const more = { ...bundle, authorities: [...bundle.authorities, second.root] };
    assert.equal(codeOf(encodeSignedBundle(more, domain.rootSigner)), "accepted");
    assert.equal(codeOf(encodeSignedBundle(more, second.rootSigner)), "identity/bundle-unsigned");
    const next = encodeSignedBundle({ ...more, sequence: 3 }, second.rootSigner);
    assert.equal(codeOf(next, more), "accepted");
  });

  it("of a tainted root is refused: whoever stole it cannot take the taint away", () => {
    const [id = ""] = rootIdsOf(held);
    const tainted = { ...held, notes: { tainted: [id], revoked: [], issuers: [] } };
    assert.equal(codeOf(signed, tainted), "identity/bundle-unsigned");
    const other = { ...held, notes: { tainted: ["00"], revoked: [], issuers: [] } };
    assert.equal(codeOf(signed, other), "accepted");
  });

  it("carries notes for the trust domain's own nodes, bounded, and others do not get them", () => {
    const revoked = Array.from({ length: 129 }, (_, i) => `${i}`.padStart(64, "0") as NodeId);
    const noted = (count: number): TrustBundle => ({
      ...bundle,
      notes: { tainted: ["aa"], revoked: revoked.slice(0, count), issuers: [] },
    });
    const parsed = parseBundleJson(TRUST_DOMAIN, bundleToJson(noted(128)));
    assert.deepEqual(parsed.ok && parsed.value, noted(128));
    assert.equal(parseBundleJson(TRUST_DOMAIN, bundleToJson(noted(129))).ok, false);
    assert.ok(!bundleToJson(publicBundle(noted(1))).includes("notes"));
  });
});
