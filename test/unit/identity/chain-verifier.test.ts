import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  ChainVerifier,
  type ChainOptions,
  describeCertificate,
} from "../../../src/identity/index.ts";
import { after, DAY_MS, engine, issue, makeDomain, memoryMeter, nodeKeys, NOW } from "./support.ts";

const domain = makeDomain();
const nodes = ["alpha", "beta", "gamma"].map((name) => {
  const keys = nodeKeys(name);
  return { ed25519: keys.ed25519.publicKey, chain: issue(domain, name, keys) };
});
const [alpha, beta, gamma] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];

/** A verifier that counts the signatures it verified. */
function setUp(options: ChainOptions & { entriesMax?: number } = {}) {
  const meter = memoryMeter();
  let signatures = 0;
  const counting = {
    sha256: (data: Uint8Array) => engine.sha256(data),
    mlDsa65: {
      signer: (seed: Uint8Array) => engine.mlDsa65.signer(seed),
      verify: (...args: Parameters<typeof engine.mlDsa65.verify>) => {
        signatures += 1;
        return engine.mlDsa65.verify(...args);
      },
      verifyBatch: () => assert.fail("signatures are verified one at a time"),
    },
  };
  const verifier = new ChainVerifier({ engine: counting, meter }, domain.bundle, options);
  const code = (node: typeof alpha, now = NOW) => {
    const result = verifier.verify({ ...node, now });
    return result.ok ? "ok" : result.code;
  };
  return { verifier, meter, code, signatures: () => signatures };
}

describe("the chain verifier", () => {
  it("verifies the signatures of a chain once", () => {
    const { code, signatures, meter } = setUp();
    assert.equal(code(alpha), "ok");
    assert.equal(signatures(), 2);
    assert.equal(code(alpha), "ok");
    assert.equal(signatures(), 2);
    assert.equal(meter.counts.get("meshd_identity_chain_verifications_total verified"), 1);
    assert.equal(meter.counts.get("meshd_identity_chain_verifications_total cached"), 1);
    assert.equal(meter.gauges.get("meshd_identity_chain_cache_entries"), 1);
    assert.equal(
      meter.gauges.get("meshd_identity_authority_expiry_timestamp_seconds root"),
      describeCertificate(domain.root).notAfterMs / 1000,
    );
  });

  it("looks at the clock again on every hit", () => {
    const { code, meter } = setUp({ clockSkewMs: 1000 });
    assert.equal(code(alpha), "ok");
    assert.equal(code(alpha, after(-DAY_MS)), "identity/not-yet-valid");
    assert.equal(code(alpha, after(DAY_MS + 1000)), "ok");
    assert.equal(code(alpha, after(DAY_MS + 1001)), "identity/expired");
    assert.equal(meter.gauges.get("meshd_identity_chain_cache_entries"), 0);
    assert.equal(meter.counts.get("meshd_identity_chain_verifications_total refused"), 2);
  });

  it("counts the grace on every hit, as the first time", () => {
    const { code, meter } = setUp({ clockSkewMs: 1000, graceMs: 5000 });
    assert.equal(code(alpha, after(DAY_MS + 6000)), "ok");
    assert.equal(code(alpha, after(DAY_MS + 6000)), "ok");
    assert.equal(meter.counts.get("meshd_identity_chain_verifications_total cached"), 1);
    assert.equal(code(alpha, after(DAY_MS + 6001)), "identity/expired");
  });

  it("asks for revocations again on every hit", () => {
    let revoked = false;
    const { code } = setUp({ isRevoked: () => revoked });
    assert.equal(code(alpha), "ok");
    revoked = true;
    assert.equal(code(alpha), "identity/revoked");
    revoked = false;
    assert.equal(code(alpha), "ok");
  });

  it("does not take a remembered chain for another Ed25519 key or a changed chain", () => {
    const { code } = setUp();
    assert.equal(code(alpha), "ok");
    assert.equal(code({ ...alpha, ed25519: beta.ed25519 }), "identity/node-id-mismatch");
    assert.notEqual(code({ ...alpha, chain: alpha.chain.slice(0, 1) }), "ok");
    assert.notEqual(code({ ...alpha, chain: alpha.chain.toReversed() }), "ok");
  });

  it("remembers no refusal", () => {
    const { code, signatures } = setUp();
    const tampered = Uint8Array.from(alpha.chain[0]!);
    tampered[tampered.length - 100]! ^= 1;
    const bad = { ...alpha, chain: [tampered, alpha.chain[1]!] };
    assert.equal(code(bad), "identity/signature-invalid");
    assert.equal(code(bad), "identity/signature-invalid");
    assert.equal(signatures(), 2);
  });

  it("forgets the chain that was longest unused when it is full", () => {
    const { code, signatures } = setUp({ entriesMax: 2 });
    for (const node of [alpha, beta, alpha, gamma]) assert.equal(code(node), "ok");
    assert.equal(signatures(), 6);
    code(alpha);
    assert.equal(signatures(), 6, "alpha was used after beta");
    code(beta);
    assert.equal(signatures(), 8, "beta was forgotten");
  });

  it("forgets everything with a new bundle and keeps the old one when the new one is broken", () => {
    const { verifier, code } = setUp();
    assert.equal(code(alpha), "ok");
    const broken = { ...domain.bundle, authorities: [new Uint8Array(5)] };
    assert.throws(
      () => verifier.setBundle(broken),
      (error) => isMeshError(error, "identity/bundle-malformed"),
    );
    assert.equal(code(alpha), "ok");
    verifier.setBundle(makeDomain({ seed: "other" }).bundle);
    assert.equal(code(alpha), "identity/untrusted");
  });

  it("refuses what is too long before it hashes it", () => {
    const { code } = setUp();
    assert.equal(code({ ...alpha, chain: [new Uint8Array(8193)] }), "identity/chain-malformed");
    assert.equal(
      code({ ...alpha, chain: new Array<Uint8Array>(5).fill(new Uint8Array(1)) }),
      "identity/chain-malformed",
    );
  });
});
