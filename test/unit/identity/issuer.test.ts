// What an issuer makes, read by an independent reader: the X.509 implementation of the runtime.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  Certificate,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
} from "@peculiar/asn1-x509";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  Issuer,
  nodeIdOf,
  NOT_BEFORE_BACKDATE_MS,
  verifyChain,
} from "../../../src/identity/index.ts";
import { OID_NODE_ID, OID_NODE_ID_AS_READ } from "../../../src/identity/x509/oids.ts";
import {
  after,
  DAY_MS,
  engine,
  issue,
  makeDomain,
  nodeKeys,
  NOW,
  seededRandom,
  seedOf,
  TRUST_DOMAIN,
} from "./support.ts";

const domain = makeDomain();
const keys = nodeKeys("alpha");
const chain = issue(domain, "alpha", keys);
const [leafDer, intermediateDer] = chain as [Uint8Array, Uint8Array];
const leaf = new X509Certificate(leafDer);
const intermediate = new X509Certificate(intermediateDer);
const root = new X509Certificate(domain.root);

function asn(der: Uint8Array): Map<string, { critical: boolean; value: string }> {
  const { extensions } = AsnConvert.parse(der, Certificate).tbsCertificate;
  assert.ok(extensions);
  return new Map(
    extensions.map(({ extnID, critical, extnValue }) => [
      extnID,
      { critical, value: Buffer.from(extnValue.buffer).toString("hex") },
    ]),
  );
}

function unusable(error: unknown): boolean {
  return isMeshError(error, "identity/issuer-unusable");
}

describe("an issued chain", () => {
  it("is verified by the runtime's own X.509 implementation, link by link", () => {
    assert.ok(leaf.verify(intermediate.publicKey));
    assert.ok(leaf.checkIssued(intermediate));
    assert.ok(intermediate.verify(root.publicKey));
    assert.ok(intermediate.checkIssued(root));
    assert.ok(root.verify(root.publicKey));
    assert.ok(!leaf.verify(root.publicKey));
    assert.equal(leaf.publicKey.asymmetricKeyType, "ml-dsa-65");
  });

  it("[X1][X3][I14][X5] names the node in one URI SAN, and the authorities by the trust domain without path", () => {
    assert.equal(leaf.subjectAltName, "URI:spiffe://mesh.example/node/alpha");
    assert.equal(intermediate.subjectAltName, "URI:spiffe://mesh.example");
    assert.equal(root.subjectAltName, "URI:spiffe://mesh.example");
  });

  it("[X4] has an empty subject in the leaf and therefore a critical SAN", () => {
    assert.equal(leaf.subject, undefined);
    assert.equal(asn(leafDer).get(id_ce_subjectAltName)?.critical, true);
  });

  it("[X7] is cA in the authorities, with path length 1 above 0, and not in the leaf", () => {
    assert.equal(leaf.ca, false);
    assert.deepEqual(asn(leafDer).get(id_ce_basicConstraints), { critical: true, value: "3000" });
    assert.deepEqual(asn(intermediateDer).get(id_ce_basicConstraints), {
      critical: true,
      value: "30060101ff020100",
    });
    assert.deepEqual(asn(domain.root).get(id_ce_basicConstraints), {
      critical: true,
      value: "30060101ff020101",
    });
  });

  it("[X8][X9][X10] has a critical key usage: signing certificates above, signatures below", () => {
    assert.deepEqual(asn(leafDer).get(id_ce_keyUsage), { critical: true, value: "03020780" });
    assert.deepEqual(asn(intermediateDer).get(id_ce_keyUsage), {
      critical: true,
      value: "03020106",
    });
    assert.deepEqual(asn(domain.root).get(id_ce_keyUsage), { critical: true, value: "03020106" });
  });

  it("[X11] has serverAuth and clientAuth in the leaf, and no extended key usage above", () => {
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.ok(!asn(intermediateDer).has(id_ce_extKeyUsage));
  });

  it("carries the NodeId of both keys in a non-critical extension under the documented OID", () => {
    const nodeId = nodeIdOf(engine, keys.ed25519.publicKey, keys.mldsa65.publicKey);
    assert.deepEqual(asn(leafDer).get(OID_NODE_ID_AS_READ), {
      critical: false,
      value: `0420${nodeId}`,
    });
    const uuid = BigInt(OID_NODE_ID.slice("2.25.".length)).toString(16);
    assert.equal(uuid, "b0b6e286fe694588a1488260de715da0");
    // The arc in base 128, as X.690 section 8.19 wants it, occurs in the certificate.
    assert.ok(
      Buffer.from(leafDer).toString("hex").includes("6982e1b6f1a1dfe6ca9691a1a4a0cc8df3c5bb20"),
    );
  });

  it("[3.4] has ML-DSA-65 with absent parameters in all three places", () => {
    for (const der of [leafDer, intermediateDer, domain.root]) {
      const hex = Buffer.from(der).toString("hex");
      assert.equal(hex.split("300b0609608648016503040312").length - 1, 3);
    }
  });

  it("has serial numbers of 16 bytes that differ", () => {
    const serials = [leaf, intermediate, root].map(({ serialNumber }) => serialNumber);
    assert.equal(new Set(serials).size, 3);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
  });

  it("is backdated by five minutes, and never before its issuer", () => {
    assert.equal(leaf.validFromDate.getTime(), NOW - NOT_BEFORE_BACKDATE_MS);
    assert.equal(leaf.validToDate.getTime(), NOW + DAY_MS);
    assert.equal(intermediate.validToDate.getTime(), NOW + 30 * DAY_MS);
    assert.ok(root.validToDate.getTime() > NOW + 3652 * DAY_MS);
  });

  it("may run beyond 2049, where the time takes another form", () => {
    const late = makeDomain({ rootLifetimeMs: 40 * 365.25 * DAY_MS });
    assert.equal(new X509Certificate(late.root).validToDate.getUTCFullYear(), 2066);
    assert.ok(late.issuer.ensureIntermediate(NOW));
  });
});

describe("an issuer", () => {
  it("keeps its intermediate until half of its life and replaces it then", () => {
    const { issuer } = makeDomain();
    assert.equal(issuer.ensureIntermediate(NOW), true);
    const first = issuer.intermediate;
    const halfMs = (30 * DAY_MS - NOT_BEFORE_BACKDATE_MS) / 2;
    assert.equal(issuer.ensureIntermediate(after(halfMs - 1)), false);
    assert.deepEqual(issuer.intermediate, first);
    assert.equal(issuer.ensureIntermediate(after(halfMs)), true);
    assert.notDeepEqual(issuer.intermediate, first);
  });

  it("replaces an intermediate of the future when its clock was put back, once, and never one as old as its root", () => {
    const { issuer } = makeDomain();
    const HOUR_MS = 3_600_000;
    assert.equal(issuer.ensureIntermediate(after(5 * HOUR_MS)), true);
    const beginMs = 5 * HOUR_MS - NOT_BEFORE_BACKDATE_MS;
    assert.equal(issuer.ensureIntermediate(after(beginMs)), false);
    assert.equal(issuer.ensureIntermediate(after(beginMs - 1)), true);
    assert.equal(issuer.ensureIntermediate(after(beginMs - 1)), false);
    // The root itself was made before the clock was put back: nothing that is made now begins earlier.
    assert.equal(issuer.ensureIntermediate(after(-HOUR_MS)), true);
    assert.equal(issuer.ensureIntermediate(after(-HOUR_MS)), false);
  });

  it("issues under the new intermediate while chains of the old one stay valid", () => {
    const own = makeDomain();
    const early = own.issuer.issueNodeSvid({
      name: "a",
      ed25519: keys.ed25519.publicKey,
      mldsa65: keys.mldsa65.publicKey,
      nowMs: NOW,
    });
    own.issuer.ensureIntermediate(after(16 * DAY_MS));
    const common = { engine, ed25519: keys.ed25519.publicKey, bundle: own.bundle };
    assert.ok(verifyChain({ ...common, chain: early, now: after(DAY_MS) }).ok);
  });

  it("goes on with the intermediate of an earlier run, also without the root key, until it cannot cover an SVID", () => {
    const first = makeDomain();
    first.issuer.ensureIntermediate(NOW);
    const intermediate = first.issuer.intermediate;
    assert.ok(intermediate);
    const random = seededRandom("second run");
    const second = new Issuer(
      { engine, random },
      { trustDomain: TRUST_DOMAIN, root: first.root, intermediate },
    );
    const request = { name: "a", ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey };
    const last = after(29 * DAY_MS);
    const issued = second.issueNodeSvid({ ...request, nowMs: last });
    assert.ok(
      verifyChain({
        engine,
        chain: issued,
        ed25519: request.ed25519,
        bundle: first.bundle,
        now: last,
      }).ok,
    );
    assert.throws(
      () => second.issueNodeSvid({ ...request, nowMs: after(29 * DAY_MS + 1) }),
      unusable,
    );
  });

  it("refuses to issue when its root has expired", () => {
    const own = makeDomain({ rootLifetimeMs: 10 * DAY_MS });
    const request = { name: "a", ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey };
    assert.doesNotThrow(() => own.issuer.issueNodeSvid({ ...request, nowMs: after(9 * DAY_MS) }));
    assert.throws(
      () => own.issuer.issueNodeSvid({ ...request, nowMs: after(9 * DAY_MS + 1001) }),
      unusable,
    );
  });

  it("refuses contradictory options and foreign parts", () => {
    const { root: der } = domain;
    const random = seededRandom("options");
    const make = (options: object, rootSigner = domain.rootSigner) =>
      new Issuer(
        { engine, random, rootSigner },
        { trustDomain: TRUST_DOMAIN, root: der, ...options },
      );
    assert.doesNotThrow(() => make({ svidLifetimeMs: DAY_MS, intermediateLifetimeMs: 2 * DAY_MS }));
    assert.throws(
      () => make({ svidLifetimeMs: DAY_MS + 1, intermediateLifetimeMs: 2 * DAY_MS }),
      unusable,
    );
    assert.doesNotThrow(() => make({ svidLifetimeMs: 60_000 }));
    assert.throws(() => make({ svidLifetimeMs: 59_999 }), unusable);
    assert.throws(() => make({ trustDomain: "other.example" }), unusable);
    assert.throws(() => make({ root: leafDer }), unusable);
    assert.throws(() => make({ root: der.slice(1) }), unusable);
    assert.throws(() => make({}, engine.mlDsa65.signer(seedOf("another root"))), unusable);
    const foreign = makeDomain({ seed: "foreign" });
    foreign.issuer.ensureIntermediate(NOW);
    assert.throws(() => make({ intermediate: foreign.issuer.intermediate }), unusable);
    domain.issuer.ensureIntermediate(NOW);
    assert.throws(
      () => make({ intermediate: { ...domain.issuer.intermediate, seed: seedOf("x") } }),
      unusable,
    );
  });

  it("refuses bad names, keys and lives", () => {
    const request = {
      name: "a",
      ed25519: keys.ed25519.publicKey,
      mldsa65: keys.mldsa65.publicKey,
      nowMs: NOW,
    };
    const refused = (change: object, code: string) =>
      assert.throws(
        () => domain.issuer.issueNodeSvid({ ...request, ...change }),
        (error) => isMeshError(error, code),
      );
    refused({ name: "a/b" }, "identity/not-a-node-id");
    refused({ ed25519: new Uint8Array(31) }, "identity/key-invalid");
    refused({ mldsa65: new Uint8Array(1951) }, "identity/key-invalid");
    refused({ lifetimeMs: DAY_MS + 1 }, "identity/issuer-unusable");
    refused({ lifetimeMs: 59_999 }, "identity/issuer-unusable");
    refused({ lifetimeMs: Number.NaN }, "identity/issuer-unusable");
  });
});
