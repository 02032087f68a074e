// X.509-SVIDs of workloads, of both kinds: what an issuer makes is in order, and what is not is refused.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  Certificate,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  KeyUsageFlags,
  SubjectAlternativeName,
  type TBSCertificate,
} from "@peculiar/asn1-x509";
import { nativeEs256 } from "../../../../src/adapters/crypto/es256.ts";
import {
  type CertificateAlgorithm,
  type TrustBundle,
  verifyWorkloadSvid,
} from "../../../../src/identity/index.ts";
import {
  type CertificateSigner,
  es256Certificates,
  mlDsaCertificates,
} from "../../../../src/identity/x509/algorithm.ts";
import { parseCertificate } from "../../../../src/identity/x509/parse.ts";
import type { WallMs } from "../../../../src/ports/index.ts";
import {
  add,
  drop,
  put,
  putBasicConstraints,
  putExtendedKeyUsage,
  putKeyUsage,
  putUris,
} from "../forge.ts";
import { engine, NOW, seedOf } from "../support.ts";
import { ask, draft, makeWorkloadDomain, p256, x509Request } from "./support.ts";

const domain = makeWorkloadDomain();
const { bundle, book, desk } = domain;
const entry = book.create({ ...draft, dnsNames: ["web.example.org", "web"], x509TtlS: 3_600 }, NOW);

async function issued(algorithm: CertificateAlgorithm): Promise<Uint8Array[]> {
  const answer = await ask(desk, x509Request(entry, algorithm));
  return answer.result === "x509" ? answer.chain : assert.fail(answer.result);
}

for (const algorithm of ["es256", "ml-dsa-65"] as const) {
  const chain = await issued(algorithm);
  const [leaf = new Uint8Array(0), ...above] = chain;
  const intermediate = domain.domain.issuer.intermediate;
  const signer: CertificateSigner =
    algorithm === "es256"
      ? es256Certificates(domain.root)
      : mlDsaCertificates(
          engine.mlDsa65.signer(intermediate?.seed ?? assert.fail("no intermediate")),
        );
  const parsed = (der: Uint8Array) => {
    const result = parseCertificate(der, algorithm);
    return result.ok ? result.value : assert.fail(result.code);
  };
  const codeOf = (
    candidate: readonly Uint8Array[],
    options: { ms?: number; against?: TrustBundle; as?: CertificateAlgorithm } = {},
  ): string => {
    const result = verifyWorkloadSvid({
      ...{ engine, es256: nativeEs256, algorithm: options.as ?? algorithm, chain: candidate },
      bundle: options.against ?? bundle,
      nowMs: (NOW + (options.ms ?? 0)) as WallMs,
    });
    return result.ok ? result.value.spiffeId : result.code;
  };
  /** The leaf changed and signed again by its issuer. */
  const forged = (change: (tbs: TBSCertificate) => void): Uint8Array[] => {
    const certificate = AsnConvert.parse(leaf, Certificate);
    change(certificate.tbsCertificate);
    const tbs = new Uint8Array(AsnConvert.serialize(certificate.tbsCertificate));
    certificate.tbsCertificate = AsnConvert.parse(
      tbs,
      certificate.tbsCertificate.constructor as never,
    );
    certificate.signatureValue = Uint8Array.from(signer.sign(tbs)).buffer;
    return [new Uint8Array(AsnConvert.serialize(certificate)), ...above];
  };
  const refused = (change: (tbs: TBSCertificate) => void): string => codeOf(forged(change));

  describe(`an X.509-SVID of a workload, ${algorithm}`, () => {
    it("verifies as it was issued, and when it is only signed again", () => {
      assert.equal(codeOf(chain), entry.spiffeId);
      assert.equal(
        refused(() => undefined),
        entry.spiffeId,
      );
    });

    it("[X1][X2] has exactly one URI, beside DNS names", () => {
      const { uris, dnsNames } = parsed(leaf);
      assert.deepEqual([uris, dnsNames], [[entry.spiffeId], entry.dnsNames]);
      assert.equal(
        refused((tbs) => putUris(tbs, [entry.spiffeId, entry.spiffeId])),
        "identity/leaf-profile",
      );
      assert.equal(
        refused((tbs) =>
          put(
            tbs,
            id_ce_subjectAltName,
            true,
            new SubjectAlternativeName([new GeneralName({ dNSName: "web" })]),
          ),
        ),
        "identity/leaf-profile",
      );
    });

    it("[X3][X13] has an id with a path, of scheme spiffe, in the bundle's trust domain", () => {
      assert.equal(
        refused((tbs) => putUris(tbs, ["spiffe://mesh.example"])),
        "identity/leaf-profile",
      );
      assert.equal(
        refused((tbs) => putUris(tbs, ["https://mesh.example/web"])),
        "identity/spiffe-id-invalid",
      );
      assert.equal(
        refused((tbs) => putUris(tbs, ["spiffe://other.example/web"])),
        "identity/trust-domain-mismatch",
      );
    });

    it("[X4] has a critical URI SAN, since its subject is empty", () => {
      const { subjectEmpty, subjectAltNameCritical } = parsed(leaf);
      assert.ok(subjectEmpty && subjectAltNameCritical);
      assert.equal(
        refused((tbs) => putUris(tbs, [entry.spiffeId], false)),
        "identity/leaf-profile",
      );
    });

    it("[X6][X7] is no authority, and authorities are refused in its place", () => {
      assert.equal(parsed(leaf).isCa, false);
      assert.equal(
        refused((tbs) => putBasicConstraints(tbs, true)),
        "identity/ca-as-leaf",
      );
      const roots = algorithm === "es256" ? bundle.workloadAuthorities : bundle.authorities;
      assert.equal(codeOf(roots ?? []), "identity/chain-malformed");
      if (intermediate !== undefined && algorithm === "ml-dsa-65")
        assert.equal(codeOf([intermediate.certificate]), "identity/ca-as-leaf");
    });

    it("[X8][X10] has critical key usage with digitalSignature, and signs no certificates", () => {
      const { keyUsage } = parsed(leaf);
      assert.ok(
        keyUsage?.critical &&
          keyUsage.digitalSignature &&
          !keyUsage.keyCertSign &&
          !keyUsage.cRLSign,
      );
      const { digitalSignature, keyCertSign, cRLSign, keyEncipherment } = KeyUsageFlags;
      assert.equal(
        refused((tbs) => drop(tbs, id_ce_keyUsage)),
        "identity/leaf-profile",
      );
      assert.equal(
        refused((tbs) => putKeyUsage(tbs, [digitalSignature], false)),
        "identity/leaf-profile",
      );
      assert.equal(
        refused((tbs) => putKeyUsage(tbs, [digitalSignature, keyCertSign])),
        "identity/ca-as-leaf",
      );
      assert.equal(
        refused((tbs) => putKeyUsage(tbs, [digitalSignature, cRLSign])),
        "identity/ca-as-leaf",
      );
      assert.equal(
        refused((tbs) => putKeyUsage(tbs, [keyEncipherment])),
        "identity/leaf-profile",
      );
    });

    it("[X5][X9] is under authorities whose id has no path, and which may sign certificates", () => {
      const root = algorithm === "es256" ? bundle.workloadAuthorities?.[0] : bundle.authorities[0];
      const { uris, isCa, keyUsage } = parsed(root ?? leaf);
      assert.deepEqual(
        [uris, isCa, keyUsage?.keyCertSign],
        [["spiffe://mesh.example"], true, true],
      );
      const against = { ...bundle, authorities: [leaf], workloadAuthorities: [leaf] };
      assert.throws(() => codeOf(chain, { against }), /no root of the trust domain/);
    });

    it("[X11] has serverAuth and clientAuth when it has an extended key usage", () => {
      assert.equal(parsed(leaf).extendedKeyUsage?.length, 2);
      assert.equal(
        refused((tbs) => putExtendedKeyUsage(tbs, ["1.3.6.1.5.5.7.3.1"])),
        "identity/leaf-profile",
      );
      assert.equal(
        refused((tbs) => drop(tbs, id_ce_extKeyUsage)),
        entry.spiffeId,
      );
    });

    it("[X12] ends in time, at a root that is there, with every signature good", () => {
      assert.equal(codeOf(chain, { ms: 3_600_000 }), entry.spiffeId);
      assert.equal(codeOf(chain, { ms: 3_600_001 }), "identity/expired");
      assert.equal(codeOf(chain, { ms: -300_001 }), "identity/not-yet-valid");
      const other = makeWorkloadDomain("other root").bundle;
      assert.equal(codeOf(chain, { against: other }), "identity/untrusted");
      const { workloadAuthorities: _, ...without } = { ...bundle, authorities: [] };
      assert.equal(codeOf(chain, { against: without }), "identity/bundle-empty");
      const stranger =
        algorithm === "es256"
          ? es256Certificates(p256("x"))
          : mlDsaCertificates(engine.mlDsa65.signer(seedOf("x")));
      const certificate = AsnConvert.parse(leaf, Certificate);
      certificate.signatureValue = Uint8Array.from(stranger.sign(parsed(leaf).tbs)).buffer;
      assert.equal(
        codeOf([new Uint8Array(AsnConvert.serialize(certificate)), ...above]),
        "identity/signature-invalid",
      );
    });

    it("[X13] is refused with an unknown critical extension, twice the same, or as the other kind", () => {
      assert.equal(
        refused((tbs) => add(tbs, id_ce_basicConstraints, true, new GeneralName({ dNSName: "x" }))),
        "identity/certificate-malformed",
      );
      assert.equal(
        refused((tbs) => put(tbs, "1.2.3.4", true, new GeneralName({ dNSName: "x" }))),
        "identity/certificate-malformed",
      );
      const as = algorithm === "es256" ? "ml-dsa-65" : "es256";
      assert.equal(codeOf(chain, { as }), "identity/algorithm-unsupported");
    });

    it("is verified by OpenSSL, too", () => {
      const certificates = chain.map((der) => new X509Certificate(der));
      const roots = [...(bundle.workloadAuthorities ?? []), ...bundle.authorities].map(
        (der) => new X509Certificate(der),
      );
      for (const [index, one] of certificates.entries()) {
        const issuer = certificates[index + 1] ?? roots.find((root) => root.subject === one.issuer);
        assert.ok(issuer !== undefined && one.checkIssued(issuer) && one.verify(issuer.publicKey));
      }
      assert.deepEqual(certificates[0]?.checkHost("web.example.org"), "web.example.org");
    });
  });
}
