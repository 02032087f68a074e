// Verifies a workload's X.509-SVID: one kind of signature from the leaf to a root of the bundle. X509-SVID.md section 5, RFC 5280
// section 6. Nodes are verified elsewhere (chain.ts), by ML-DSA-65 alone: nothing here makes a workload a member of the mesh.

import type { CryptoEngine } from "../../crypto/index.ts";
import { equalBytes, refuse, ok, type Result } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { CHAIN_CERTIFICATES_MAX, findPath, untimely } from "../chain.ts";
import type { ChainErrorCode } from "../errors.ts";
import { type Es256, signatureFromDer } from "../es256.ts";
import { checkAuthorityProfile, checkWorkloadProfile } from "../profile.ts";
import { parseAuthorities, parseWorkloadAuthorities, type TrustBundle } from "../trust-bundle.ts";
import { type CertificateAlgorithm, X509_SIGNATURE_CONTEXT } from "../x509/algorithm.ts";
import type { ParsedCertificate } from "../x509/certificate.ts";
import { parseCertificate } from "../x509/parse.ts";

/** A verified X.509-SVID of a workload. */
export interface WorkloadIdentity {
  readonly spiffeId: string;
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
}

/** Verifies a chain, leaf first, without its root, now. Codes: {@link ChainErrorCode}. */
export function verifyWorkloadSvid(input: {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly es256: Pick<Es256, "verify">;
  readonly algorithm: CertificateAlgorithm;
  readonly chain: readonly Uint8Array[];
  readonly bundle: TrustBundle;
  readonly nowMs: WallMs;
}): Result<WorkloadIdentity, ChainErrorCode> {
  const { algorithm, bundle, nowMs } = input;
  // 1. Bounds, then strict parsing.
  if (input.chain.length === 0 || input.chain.length > CHAIN_CERTIFICATES_MAX)
    return refuse("identity/chain-malformed", "length");
  const certificates: ParsedCertificate[] = [];
  for (const der of input.chain) {
    const parsed = parseCertificate(der, algorithm);
    if (!parsed.ok) return parsed;
    certificates.push(parsed.value);
  }
  const [leaf, ...intermediates] = certificates;
  if (leaf === undefined || certificates.some(isSelfIssued))
    return refuse("identity/chain-malformed", "self-signed certificate");

  // 2. The leaf is a workload's, no authority, and all are of the bundle's trust domain.
  const name = checkWorkloadProfile(leaf);
  if (!name.ok) return name;
  if (name.value.trustDomain !== bundle.trustDomain)
    return refuse("identity/trust-domain-mismatch");
  for (const authority of intermediates) {
    const code = checkAuthorityProfile(authority, bundle.trustDomain);
    if (code !== undefined) return refuse(code);
  }

  // 3. A path to a root, in time, with every signature good.
  const roots = algorithm === "es256" ? parseWorkloadAuthorities(bundle) : parseAuthorities(bundle);
  const path = findPath(certificates, { trustDomain: bundle.trustDomain, roots });
  if (!path.ok) return path;
  for (const certificate of path.value) {
    const code = untimely(certificate, nowMs, 0);
    if (code !== undefined) return refuse(code);
  }
  for (const [index, certificate] of path.value.slice(0, -1).entries()) {
    const issuer = path.value[index + 1];
    if (issuer === undefined || !isSignedBy(input, certificate, issuer))
      return refuse("identity/signature-invalid");
  }
  return ok({
    spiffeId: name.value.spiffeId,
    publicKey: Uint8Array.from(leaf.publicKey),
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: Math.min(...path.value.map(({ notAfterMs }) => notAfterMs)) as WallMs,
  });
}

function isSelfIssued({ issuer, subject }: ParsedCertificate): boolean {
  return equalBytes(issuer, subject);
}

function isSignedBy(
  {
    engine,
    es256,
    algorithm,
  }: Pick<Parameters<typeof verifyWorkloadSvid>[0], "engine" | "es256" | "algorithm">,
  { tbs, signature }: ParsedCertificate,
  { publicKey }: ParsedCertificate,
): boolean {
  if (algorithm === "ml-dsa-65")
    return engine.mlDsa65.verify(publicKey, tbs, signature, X509_SIGNATURE_CONTEXT);
  const raw = signatureFromDer(signature);
  return raw !== undefined && es256.verify(publicKey, tbs, raw);
}
