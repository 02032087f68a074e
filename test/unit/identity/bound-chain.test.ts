// Chains of P-256 with a binding: the node's keys are bound to the very leaf, the chain is verified like any other, and nothing of it is
// taken where nobody asked for it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nativeEs256 } from "../../../src/adapters/crypto/es256.ts";
import {
  bindChain,
  bundleOfRoots,
  certificatesOf,
  ChainVerifier,
  type Es256Signer,
  isBoundChain,
  nodeSpiffeId,
} from "../../../src/identity/index.ts";
import { es256Certificates } from "../../../src/identity/x509/algorithm.ts";
import { signCertificate } from "../../../src/identity/x509/encode.ts";
import { parseCertificate } from "../../../src/identity/x509/parse.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import {
  after,
  DAY_MS,
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
  seededRandom,
  seedOf,
  TRUST_DOMAIN,
} from "./support.ts";

const random = seededRandom("bound");
const HOUR_MS = 3_600_000;

function p256(name: string): Es256Signer {
  return nativeEs256.signer(seedOf(name)) ?? assert.fail("no scalar");
}

const authority = p256("authority");
const root = signCertificate(
  { engine, random, signer: es256Certificates(authority) },
  {
    role: { kind: "authority", commonName: "root", pathLength: 1 },
    spiffeId: `spiffe://${TRUST_DOMAIN}`,
    publicKey: authority.publicKey,
    notBeforeMs: NOW,
    notAfterMs: after(DAY_MS),
    issuer: undefined,
  },
);
const bundle = bundleOfRoots(TRUST_DOMAIN, [root], 1);
const alpha = nodeKeys("alpha");
const leafKey = p256("leaf");

function certificate(
  options: {
    readonly spiffeId?: string;
    readonly signer?: Es256Signer;
    readonly issuer?: Uint8Array;
    readonly key?: Uint8Array;
    readonly kind?: "workload" | "authority";
    readonly endMs?: number;
  } = {},
): Uint8Array {
  const { kind = "workload", signer = authority, endMs = HOUR_MS } = options;
  const above = parseCertificate(options.issuer ?? root, "es256");
  assert.ok(above.ok);
  return signCertificate(
    { engine, random, signer: es256Certificates(signer) },
    {
      role:
        kind === "workload"
          ? { kind, dnsNames: [] }
          : { kind, commonName: "between", pathLength: 0 },
      spiffeId: options.spiffeId ?? nodeSpiffeId(TRUST_DOMAIN, "alpha"),
      publicKey: options.key ?? leafKey.publicKey,
      notBeforeMs: NOW,
      notAfterMs: (NOW + endMs) as WallMs,
      issuer: above.value.subject,
    },
  );
}

const bind = (certificates: readonly Uint8Array[], signer = leafKey, keys = alpha): Uint8Array[] =>
  bindChain(
    engine,
    certificates,
    { nodeId: keys.nodeId, mldsa65: keys.mldsa65.publicKey },
    (message) => signer.sign(message),
  );

function verify(
  chain: readonly Uint8Array[],
  options: {
    readonly now?: WallMs;
    readonly keys?: typeof alpha;
    readonly isRevoked?: () => boolean;
  } = {},
): string {
  const { now = NOW, keys = alpha, isRevoked } = options;
  const verifier = new ChainVerifier(
    { engine, meter: memoryMeter(), es256: nativeEs256 },
    bundle,
    isRevoked ? { isRevoked } : {},
  );
  const claim = { chain, ed25519: keys.ed25519.publicKey, now };
  const first = verifier.verify(claim);
  const again = verifier.verify(claim);
  assert.equal(again.ok, first.ok, "the memory says the same");
  if (!first.ok) return first.code;
  assert.equal(first.value.isClassical, true);
  assert.deepEqual(first.value.mldsa65, alpha.mldsa65.publicKey);
  return `${first.value.spiffeId} ${first.value.nodeId}`;
}

const good = `${nodeSpiffeId(TRUST_DOMAIN, "alpha")} ${alpha.nodeId}`;

describe("a chain with a binding", () => {
  it("makes its holder the node of both its keys, also below another authority", () => {
    assert.equal(verify(bind([certificate()])), good);
    const between = p256("between");
    const middle = certificate({
      ...{ kind: "authority", spiffeId: `spiffe://${TRUST_DOMAIN}`, key: between.publicKey },
    });
    const leaf = certificate({ signer: between, issuer: middle });
    assert.equal(verify(bind([leaf, middle])), good);
    assert.equal(verify(bind([leaf])), "identity/untrusted");
    assert.deepEqual(certificatesOf(bind([leaf, middle])), [leaf, middle]);
  });

  it("is tied to these keys and this leaf", () => {
    const beta = nodeKeys("beta");
    const leaf = certificate();
    assert.equal(verify(bind([leaf]), { keys: beta }), "identity/node-id-mismatch");
    assert.equal(verify(bind([leaf], p256("other"))), "identity/node-id-mismatch");
    const renewed = certificate({ endMs: 2 * HOUR_MS });
    const binding = bind([leaf]).slice(-1);
    assert.equal(verify([renewed, ...binding]), "identity/node-id-mismatch", "of another leaf");
    const swapped = Uint8Array.from(binding[0] ?? []);
    swapped.set(beta.mldsa65.publicKey, 1);
    assert.equal(verify([leaf, swapped]), "identity/node-id-mismatch", "another ML-DSA key");
  });

  it("is verified as every chain is: names, authorities, time, revocation, signatures", () => {
    const workload = certificate({ spiffeId: `spiffe://${TRUST_DOMAIN}/web` });
    assert.equal(verify(bind([workload])), "identity/not-a-node-id");
    const foreign = certificate({ spiffeId: nodeSpiffeId("other.example", "alpha") });
    assert.equal(verify(bind([foreign])), "identity/trust-domain-mismatch");
    assert.equal(verify(bind([certificate({ signer: p256("other") })])), "identity/untrusted");
    const leaf = certificate();
    assert.equal(verify(bind([leaf]), { now: after(HOUR_MS) }), good);
    assert.equal(verify(bind([leaf]), { now: after(HOUR_MS + 1) }), "identity/expired");
    assert.equal(verify(bind([leaf]), { now: after(-1) }), "identity/not-yet-valid");
    assert.equal(verify(bind([leaf]), { isRevoked: () => true }), "identity/revoked");
    const authorityLeaf = certificate({ kind: "authority" });
    assert.equal(verify(bind([authorityLeaf])), "identity/ca-as-leaf");
    const changed = Uint8Array.from(leaf);
    changed[leaf.length - 1] = (changed[leaf.length - 1] ?? 0) ^ 1;
    assert.equal(verify(bind([changed])), "identity/signature-invalid");
  });

  it("is revoked on a hit of the memory, too", () => {
    let revoked = false;
    const deps = { engine, meter: memoryMeter(), es256: nativeEs256 };
    const verifier = new ChainVerifier(deps, bundle, { isRevoked: () => revoked });
    const claim = { chain: bind([certificate()]), ed25519: alpha.ed25519.publicKey, now: NOW };
    assert.ok(verifier.verify(claim).ok);
    revoked = true;
    const again = verifier.verify(claim);
    assert.equal(again.ok ? "ok" : again.code, "identity/revoked");
  });

  it("has one form: no other length, no other kind of certificate, four elements at most", () => {
    const leaf = certificate();
    const binding = bind([leaf]).slice(-1)[0] ?? assert.fail();
    assert.equal(verify([leaf, binding.subarray(0, -1)]), "identity/chain-malformed");
    assert.equal(verify([leaf, Uint8Array.of(...binding, 0)]), "identity/chain-malformed");
    assert.equal(verify([binding]), "identity/chain-malformed");
    assert.equal(verify([leaf, leaf, leaf, leaf, binding]), "identity/chain-malformed");
    const mlDsa = issue(makeDomain(), "alpha", alpha);
    assert.equal(verify([...mlDsa, binding]), "identity/algorithm-unsupported");
    assert.ok(!isBoundChain(mlDsa) && !isBoundChain([]));
  });

  it("is refused by who was given no P-256, and P-256 without a binding by everybody", () => {
    const verifier = new ChainVerifier({ engine, meter: memoryMeter() }, bundle);
    const claim = { chain: bind([certificate()]), ed25519: alpha.ed25519.publicKey, now: NOW };
    const refused = verifier.verify(claim);
    assert.equal(refused.ok ? "ok" : refused.code, "identity/algorithm-unsupported");
    assert.equal(verify([certificate()]), "identity/algorithm-unsupported");
  });

  it("does not lend a mesh's P-256 roots to its post-quantum chains", () => {
    const domain = makeDomain();
    const verifier = new ChainVerifier(
      { engine, meter: memoryMeter(), es256: nativeEs256 },
      bundle,
    );
    const claim = { chain: issue(domain, "alpha", alpha), ed25519: alpha.ed25519.publicKey };
    const refused = verifier.verify({ ...claim, now: after(DAY_MS / 2) });
    assert.equal(refused.ok ? "ok" : refused.code, "identity/bundle-empty");
  });
});
