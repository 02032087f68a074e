// Chains that must be refused, each for its own reason. All but the tampered ones are properly signed, so a check
// that is skipped shows as an acceptance.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OctetString } from "@peculiar/asn1-schema";
import {
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsageFlags,
  Name,
  type TBSCertificate,
} from "@peculiar/asn1-x509";
import { fromHex } from "../../../src/foundation/index.ts";
import { parseLeafKey, verifyChain, type VerifyChainInput } from "../../../src/identity/index.ts";
import { mlDsaCertificates } from "../../../src/identity/x509/algorithm.ts";
import { signCertificate } from "../../../src/identity/x509/encode.ts";
import { parseCertificate } from "../../../src/identity/x509/parse.ts";
import {
  add,
  assemble,
  drop,
  NODE_ID_OID,
  put,
  putBasicConstraints,
  putExtendedKeyUsage,
  putKeyUsage,
  putUris,
  resign,
  tbsOf,
} from "./forge.ts";
import {
  after,
  DAY_MS,
  engine,
  issue,
  makeDomain,
  nodeKeys,
  NOW,
  seededRandom,
} from "./support.ts";

const domain = makeDomain();
const keys = nodeKeys("alpha");
const ed25519 = keys.ed25519.publicKey;
const chain = issue(domain, "alpha", keys);
const [leaf, intermediate] = chain as [Uint8Array, Uint8Array];
const authority = domain.issuer.intermediate;
assert.ok(authority);
const issuerSigner = engine.mlDsa65.signer(authority.seed);

function codeOf(change: Partial<VerifyChainInput>): string {
  const result = verifyChain({
    engine,
    chain,
    ed25519,
    bundle: domain.bundle,
    now: NOW,
    ...change,
  });
  return result.ok ? "ok" : result.code;
}

/** The code for a leaf that was changed and signed again by the true issuer. */
function codeOfLeaf(change: (tbs: TBSCertificate) => void): string {
  return codeOf({ chain: [resign(leaf, issuerSigner, change), intermediate] });
}

/** The code for an intermediate that was changed and signed again by the true root. */
function codeOfAuthority(change: (tbs: TBSCertificate) => void): string {
  return codeOf({ chain: [leaf, resign(intermediate, domain.rootSigner, change)] });
}

describe("verifyChain", () => {
  it("accepts an honest chain and reads the identity from it", () => {
    const result = verifyChain({ engine, chain, ed25519, bundle: domain.bundle, now: NOW });
    assert.ok(result.ok);
    assert.equal(result.value.nodeId, keys.nodeId);
    assert.equal(result.value.spiffeId, "spiffe://mesh.example/node/alpha");
    assert.equal(result.value.name, "alpha");
    assert.deepEqual(result.value.mldsa65, keys.mldsa65.publicKey);
    assert.deepEqual(result.value.chain, chain);
    assert.match(result.value.serialNumber, /^[0-9a-f]{32}$/);
  });

  it("accepts what was signed again without a change: the forge itself makes valid certificates", () => {
    assert.equal(
      codeOfLeaf(() => undefined),
      "ok",
    );
    assert.equal(
      codeOfAuthority(() => undefined),
      "ok",
    );
  });

  it("copies what it returns, so that a frame buffer may be used again", () => {
    const copy = chain.map((der) => Uint8Array.from(der));
    const result = verifyChain({ engine, chain: copy, ed25519, bundle: domain.bundle, now: NOW });
    for (const der of copy) der.fill(0);
    assert.ok(result.ok);
    assert.deepEqual(result.value.chain, chain);
    assert.deepEqual(result.value.mldsa65, keys.mldsa65.publicKey);
  });

  it("refuses lengths out of bounds before it parses", () => {
    assert.equal(codeOf({ chain: [] }), "identity/chain-malformed");
    assert.equal(
      codeOf({ chain: [leaf, intermediate, intermediate, intermediate, intermediate] }),
      "identity/chain-malformed",
    );
    assert.equal(codeOf({ chain: [new Uint8Array(8193)] }), "identity/chain-malformed");
    assert.equal(codeOf({ chain: [new Uint8Array(8192)] }), "identity/certificate-malformed");
  });

  it("refuses a chain that holds its own root", () => {
    assert.equal(codeOf({ chain: [...chain, domain.root] }), "identity/chain-malformed");
  });

  it("[X1][X2] refuses two URI SANs, and none", () => {
    const id = "spiffe://mesh.example/node/alpha";
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, [id, "spiffe://mesh.example/node/beta"])),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, [id, "https://mesh.example/"])),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => drop(tbs, id_ce_subjectAltName)),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, [id])),
      "ok",
    );
  });

  it("[X3] refuses a leaf whose id has no path, [I1] another scheme, and an id that is no node's", () => {
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, ["spiffe://mesh.example"])),
      "identity/not-a-node-id",
    );
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, ["spiffe://mesh.example/"])),
      "identity/spiffe-id-invalid",
    );
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, ["https://mesh.example/node/alpha"])),
      "identity/spiffe-id-invalid",
    );
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, ["spiffe://mesh.example/workload/x"])),
      "identity/not-a-node-id",
    );
  });

  it("[X4] refuses a SAN that is not critical beside an empty subject, and accepts it beside a subject", () => {
    const id = "spiffe://mesh.example/node/alpha";
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, [id], false)),
      "identity/leaf-profile",
    );
    const withSubject = (tbs: TBSCertificate) => {
      putUris(tbs, [id], false);
      tbs.subject = new Name([...tbs.issuer]);
      tbs.subject.splice(1);
    };
    // The issuer's own name as subject makes the leaf look self-issued, yet only the extension's form is at stake here.
    assert.equal(codeOfLeaf(withSubject), "ok");
  });

  it("[X5] refuses an authority with a path in its id, and one of another trust domain", () => {
    assert.equal(
      codeOfAuthority((tbs) => putUris(tbs, ["spiffe://mesh.example/issuer"], false)),
      "identity/ca-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => putUris(tbs, ["spiffe://other.example"], false)),
      "identity/trust-domain-mismatch",
    );
    assert.equal(
      codeOfAuthority((tbs) =>
        putUris(tbs, ["spiffe://mesh.example", "spiffe://mesh.example"], false),
      ),
      "identity/ca-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => drop(tbs, id_ce_subjectAltName)),
      "ok",
    );
  });

  it("[X6][X13] never accepts an authority as leaf", () => {
    assert.equal(codeOf({ chain: [intermediate] }), "identity/ca-as-leaf");
    assert.equal(codeOf({ chain: [domain.root] }), "identity/ca-as-leaf");
    assert.equal(
      codeOfLeaf((tbs) => putBasicConstraints(tbs, true)),
      "identity/ca-as-leaf",
    );
  });

  it("[X7] refuses a leaf in the place of an authority", () => {
    assert.equal(
      codeOfAuthority((tbs) => putBasicConstraints(tbs, false)),
      "identity/ca-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => drop(tbs, id_ce_basicConstraints)),
      "identity/ca-profile",
    );
    const beta = nodeKeys("beta");
    const [betaLeaf = leaf] = issue(domain, "beta", beta);
    assert.equal(codeOf({ chain: [leaf, betaLeaf, intermediate] }), "identity/ca-profile");
  });

  it("[X8] refuses a key usage that is absent or not critical, in leaf and authority", () => {
    const { digitalSignature, keyCertSign, cRLSign } = KeyUsageFlags;
    assert.equal(
      codeOfLeaf((tbs) => drop(tbs, id_ce_keyUsage)),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putKeyUsage(tbs, [digitalSignature], false)),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => drop(tbs, id_ce_keyUsage)),
      "identity/ca-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => putKeyUsage(tbs, [keyCertSign, cRLSign], false)),
      "identity/ca-profile",
    );
  });

  it("[X9] refuses an authority without keyCertSign", () => {
    assert.equal(
      codeOfAuthority((tbs) => putKeyUsage(tbs, [KeyUsageFlags.cRLSign])),
      "identity/ca-profile",
    );
    assert.equal(
      codeOfAuthority((tbs) => putKeyUsage(tbs, [KeyUsageFlags.keyCertSign])),
      "ok",
    );
  });

  it("[X10][X13] refuses a leaf that may not sign, and one that may sign certificates or CRLs", () => {
    const { digitalSignature, nonRepudiation, keyCertSign, cRLSign } = KeyUsageFlags;
    assert.equal(
      codeOfLeaf((tbs) => putKeyUsage(tbs, [nonRepudiation])),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putKeyUsage(tbs, [digitalSignature, keyCertSign])),
      "identity/ca-as-leaf",
    );
    assert.equal(
      codeOfLeaf((tbs) => putKeyUsage(tbs, [digitalSignature, cRLSign])),
      "identity/ca-as-leaf",
    );
    assert.equal(
      codeOfLeaf((tbs) => putKeyUsage(tbs, [digitalSignature, nonRepudiation])),
      "ok",
    );
  });

  it("[3.4] refuses encryption usages, which an ML-DSA key cannot have", () => {
    const { digitalSignature, keyEncipherment, keyAgreement, dataEncipherment } = KeyUsageFlags;
    for (const usage of [keyEncipherment, keyAgreement, dataEncipherment]) {
      assert.equal(
        codeOfLeaf((tbs) => putKeyUsage(tbs, [digitalSignature, usage])),
        "identity/leaf-profile",
      );
    }
  });

  it("[X11] refuses an extended key usage without both serverAuth and clientAuth, and accepts none at all", () => {
    assert.equal(
      codeOfLeaf((tbs) => putExtendedKeyUsage(tbs, [id_kp_serverAuth])),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putExtendedKeyUsage(tbs, [id_kp_clientAuth])),
      "identity/leaf-profile",
    );
    assert.equal(
      codeOfLeaf((tbs) => putExtendedKeyUsage(tbs, [id_kp_clientAuth, id_kp_serverAuth])),
      "ok",
    );
    assert.equal(
      codeOfLeaf((tbs) => drop(tbs, "2.5.29.37")),
      "ok",
    );
  });

  it("[X12] refuses critical extensions that nobody knows and accepts others", () => {
    const value = new OctetString(Uint8Array.of(1));
    assert.equal(
      codeOfLeaf((tbs) => add(tbs, "1.2.3.4", true, value)),
      "identity/certificate-malformed",
    );
    assert.equal(
      codeOfLeaf((tbs) => add(tbs, "1.2.3.4", false, value)),
      "ok",
    );
  });

  it("[X12] refuses an extension that occurs twice", () => {
    const nodeId = new OctetString(engine.sha256(new Uint8Array(1)));
    assert.equal(
      codeOfLeaf((tbs) => add(tbs, NODE_ID_OID, false, nodeId)),
      "identity/certificate-malformed",
    );
  });

  it("[I15] refuses one changed byte anywhere in the signed part and in the signature", () => {
    for (const position of [8, 200, 2500, 4000, leaf.length - 1]) {
      const tampered = Uint8Array.from(leaf);
      tampered[position] = (tampered[position] ?? 0) ^ 1;
      assert.notEqual(codeOf({ chain: [tampered, intermediate] }), "ok", `byte ${position}`);
    }
    const signature = Uint8Array.from(leaf);
    signature[leaf.length - 100] = (signature[leaf.length - 100] ?? 0) ^ 1;
    assert.equal(codeOf({ chain: [signature, intermediate] }), "identity/signature-invalid");
  });

  it("refuses what an issuer signed in another encoding than DER", () => {
    const tbs = tbsOf(leaf);
    const critical = Buffer.from(tbs).indexOf(Buffer.from("0101ff", "hex"));
    assert.ok(critical > 0);
    assert.equal(codeOf({ chain: [assemble(tbs, issuerSigner), intermediate] }), "ok");
    const inExtension = codeOfAuthority((own) => {
      const constraints = own.extensions?.find(({ extnID }) => extnID === id_ce_basicConstraints);
      assert.ok(constraints);
      // cA as 01 instead of ff: true in BER, no DER.
      constraints.extnValue = new OctetString(Buffer.from("3006010101020100", "hex"));
    });
    assert.equal(inExtension, "identity/certificate-malformed");
    const sloppy = tbs.with(critical + 2, 0x01);
    assert.equal(
      codeOf({ chain: [assemble(sloppy, issuerSigner), intermediate] }),
      "identity/certificate-malformed",
    );
  });

  it("refuses a chain of another root with the same names", () => {
    const foreign = makeDomain({ seed: "foreign" });
    assert.equal(codeOf({ bundle: foreign.bundle }), "identity/untrusted");
    const impostor = resign(intermediate, foreign.rootSigner, () => undefined);
    assert.equal(codeOf({ chain: [leaf, impostor] }), "identity/signature-invalid");
  });

  it("refuses a leaf signed by the node's own key in the intermediate's name", () => {
    assert.equal(
      codeOf({ chain: [resign(leaf, keys.mldsa65, () => undefined), intermediate] }),
      "identity/signature-invalid",
    );
  });

  it("refuses neighbours that do not belong together, and a missing link", () => {
    const other = makeDomain();
    other.issuer.ensureIntermediate(NOW);
    const stranger = other.issuer.intermediate?.certificate ?? leaf;
    const third = engine.mlDsa65.signer(engine.sha256(stranger));
    const random = seededRandom("third");
    const parsedRoot = parseCertificate(domain.root);
    assert.ok(parsedRoot.ok);
    const sibling = signCertificate(
      { engine, random, signer: mlDsaCertificates(domain.rootSigner) },
      {
        role: { kind: "authority", commonName: "sibling", pathLength: 0 },
        spiffeId: "spiffe://mesh.example",
        publicKey: third.publicKey,
        notBeforeMs: NOW,
        notAfterMs: after(DAY_MS),
        issuer: parsedRoot.value.subject,
      },
    );
    assert.equal(codeOf({ chain: [leaf, sibling] }), "identity/untrusted");
    assert.equal(codeOf({ chain: [leaf] }), "identity/untrusted");
  });

  it("[X12] refuses a path longer than an authority permits", () => {
    const below = engine.mlDsa65.signer(engine.sha256(Uint8Array.of(7)));
    const parsed = parseCertificate(intermediate);
    assert.ok(parsed.ok);
    const random = seededRandom("below");
    const common = {
      spiffeId: "spiffe://mesh.example",
      notBeforeMs: NOW,
      notAfterMs: after(DAY_MS),
    };
    const second = signCertificate(
      { engine, random, signer: mlDsaCertificates(issuerSigner) },
      {
        ...common,
        role: { kind: "authority", commonName: "below", pathLength: 0 },
        publicKey: below.publicKey,
        issuer: parsed.value.subject,
      },
    );
    const parsedSecond = parseCertificate(second);
    assert.ok(parsedSecond.ok);
    const nodeId = fromHex(keys.nodeId);
    const deepLeaf = signCertificate(
      { engine, random, signer: mlDsaCertificates(below) },
      {
        ...common,
        spiffeId: "spiffe://mesh.example/node/alpha",
        role: { kind: "node", nodeId, selectors: [] },
        publicKey: keys.mldsa65.publicKey,
        issuer: parsedSecond.value.subject,
      },
    );
    assert.equal(codeOf({ chain: [deepLeaf, second, intermediate] }), "identity/path-too-long");
    const roomy = resign(intermediate, domain.rootSigner, (tbs) =>
      putBasicConstraints(tbs, true, 1),
    );
    assert.equal(
      codeOf({ chain: [deepLeaf, second, roomy] }),
      "identity/path-too-long",
      "the root permits one",
    );
    const roomyRoot = resign(domain.root, domain.rootSigner, (tbs) =>
      putBasicConstraints(tbs, true, 2),
    );
    const bundle = { ...domain.bundle, authorities: [roomyRoot] };
    assert.equal(codeOf({ chain: [deepLeaf, second, roomy], bundle }), "ok");
  });

  it("accepts both ends of the validity and refuses one millisecond beyond, widened by the clock skew", () => {
    const result = verifyChain({ engine, chain, ed25519, bundle: domain.bundle, now: NOW });
    assert.ok(result.ok);
    const { notBeforeMs, notAfterMs } = result.value;
    const at = (ms: number, clockSkewMs = 0) => codeOf({ now: after(ms - NOW), clockSkewMs });
    assert.equal(at(notBeforeMs), "ok");
    assert.equal(at(notBeforeMs - 1), "identity/not-yet-valid");
    assert.equal(at(notAfterMs), "ok");
    assert.equal(at(notAfterMs + 1), "identity/expired");
    assert.equal(at(notBeforeMs - 1000, 1000), "ok");
    assert.equal(at(notBeforeMs - 1001, 1000), "identity/not-yet-valid");
    assert.equal(at(notAfterMs + 1000, 1000), "ok");
    assert.equal(at(notAfterMs + 1001, 1000), "identity/expired");
  });

  it("counts for the grace past its end, and not before its beginning", () => {
    const result = verifyChain({ engine, chain, ed25519, bundle: domain.bundle, now: NOW });
    assert.ok(result.ok);
    const { notBeforeMs, notAfterMs } = result.value;
    const grace = { clockSkewMs: 10, graceMs: 1000 };
    const at = (ms: number) => codeOf({ now: after(ms - NOW), ...grace });
    assert.equal(at(notAfterMs + 1010), "ok");
    assert.equal(at(notAfterMs + 1011), "identity/expired");
    assert.equal(at(notBeforeMs - 11), "identity/not-yet-valid");
  });

  it("refuses when an authority or the root has expired although the leaf has not", () => {
    const longLeaf = resign(leaf, issuerSigner, (tbs) => {
      tbs.validity.notAfter.utcTime = new Date(NOW + 8000 * DAY_MS);
    });
    assert.equal(
      codeOf({ chain: [longLeaf, intermediate], now: after(31 * DAY_MS) }),
      "identity/expired",
    );
    const longAuthority = resign(intermediate, domain.rootSigner, (tbs) => {
      tbs.validity.notAfter.utcTime = new Date(NOW + 7000 * DAY_MS);
    });
    assert.equal(codeOf({ chain: [longLeaf, longAuthority], now: after(31 * DAY_MS) }), "ok");
    assert.equal(
      codeOf({ chain: [longLeaf, longAuthority], now: after(3700 * DAY_MS) }),
      "identity/expired",
    );
  });

  it("has as validity what all certificates share", () => {
    const longLeaf = resign(leaf, issuerSigner, (tbs) => {
      tbs.validity.notAfter.utcTime = new Date(NOW + 900 * DAY_MS);
    });
    const result = verifyChain({
      engine,
      chain: [longLeaf, intermediate],
      ed25519,
      bundle: domain.bundle,
      now: NOW,
    });
    assert.ok(result.ok);
    assert.equal(result.value.notAfterMs, NOW + 30 * DAY_MS);
  });

  it("refuses a NodeId that is absent, wrong, or of another Ed25519 key", () => {
    assert.equal(
      codeOfLeaf((tbs) => drop(tbs, NODE_ID_OID)),
      "identity/node-id-mismatch",
    );
    const wrong = new OctetString(engine.sha256(new Uint8Array(3)));
    assert.equal(
      codeOfLeaf((tbs) => put(tbs, NODE_ID_OID, false, wrong)),
      "identity/node-id-mismatch",
    );
    assert.equal(
      codeOf({ ed25519: nodeKeys("beta").ed25519.publicKey }),
      "identity/node-id-mismatch",
    );
    assert.equal(codeOf({ ed25519: ed25519.subarray(1) }), "identity/node-id-mismatch");
    const short = new OctetString(new Uint8Array(31));
    assert.equal(
      codeOfLeaf((tbs) => put(tbs, NODE_ID_OID, false, short)),
      "identity/certificate-malformed",
    );
  });

  it("refuses another trust domain, although the root in the bundle is the same", () => {
    const renamed = { ...domain.bundle, trustDomain: "other.example" };
    assert.throws(() => codeOf({ bundle: renamed }), /identity|trust bundle/);
    assert.equal(
      codeOfLeaf((tbs) => putUris(tbs, ["spiffe://other.example/node/alpha"])),
      "identity/trust-domain-mismatch",
    );
  });

  it("[B3] refuses everything against a bundle without authorities", () => {
    assert.equal(
      codeOf({ bundle: { ...domain.bundle, authorities: [] } }),
      "identity/bundle-empty",
    );
  });

  it("finds the right one of several roots", () => {
    const foreign = makeDomain({ seed: "foreign" });
    assert.equal(
      codeOf({ bundle: { ...domain.bundle, authorities: [foreign.root, domain.root] } }),
      "ok",
    );
  });

  it("refuses what was revoked, leaf or authority", () => {
    const parsed = parseCertificate(intermediate);
    const result = verifyChain({ engine, chain, ed25519, bundle: domain.bundle, now: NOW });
    assert.ok(parsed.ok && result.ok);
    for (const revoked of [parsed.value.serialNumber, result.value.serialNumber]) {
      assert.equal(
        codeOf({ isRevoked: ({ serialNumber }) => serialNumber === revoked }),
        "identity/revoked",
      );
    }
    assert.equal(codeOf({ isRevoked: () => false }), "ok");
  });

  it("refuses a node that the bundle shuts out, and no other", () => {
    const notes = { tainted: [], revoked: [keys.nodeId], issuers: [] };
    assert.equal(codeOf({ bundle: { ...domain.bundle, notes } }), "identity/revoked");
    const other = { ...notes, revoked: ["0".repeat(64) as typeof keys.nodeId] };
    assert.equal(codeOf({ bundle: { ...domain.bundle, notes: other } }), "ok");
  });
});

describe("parseLeafKey", () => {
  it("reads key and NodeId without trust", () => {
    const claimed = parseLeafKey({ engine, chain, ed25519 });
    assert.ok(claimed.ok);
    assert.equal(claimed.value.nodeId, keys.nodeId);
    assert.deepEqual(claimed.value.mldsa65, keys.mldsa65.publicKey);
    assert.equal(claimed.value.trustDomain, "mesh.example");
  });

  it("refuses a leaf whose NodeId does not commit to the peer's Ed25519 key", () => {
    const other = parseLeafKey({ engine, chain, ed25519: nodeKeys("beta").ed25519.publicKey });
    assert.equal(other.ok ? "ok" : other.code, "identity/node-id-mismatch");
  });
});
