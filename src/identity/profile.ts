// The profiles a certificate must meet to be a leaf or an authority: X509-SVID.md sections 2 to 5, RFC 9881 section 5.

import { id_kp_clientAuth, id_kp_serverAuth } from "@peculiar/asn1-x509";
import { ok, refuse, type Result } from "../foundation/index.ts";
import type { ChainErrorCode } from "./errors.ts";
import { formatSpiffeId, nodeNameOf, parseSpiffeId } from "./spiffe-id.ts";
import type { ParsedCertificate } from "./x509/certificate.ts";

/** What the SPIFFE id of a leaf says. */
export interface LeafName {
  /** Canonical: scheme and trust domain in lower case. */
  readonly spiffeId: string;
  readonly trustDomain: string;
  readonly name: string;
}

/** Why a leaf is refused. */
export type LeafProfileCode = Extract<
  ChainErrorCode,
  | "identity/ca-as-leaf"
  | "identity/leaf-profile"
  | "identity/spiffe-id-invalid"
  | "identity/not-a-node-id"
>;

/**
 * Checks the profile of a node's leaf and reads its name.
 * Codes: `identity/ca-as-leaf`, `identity/leaf-profile`, `identity/spiffe-id-invalid`, `identity/not-a-node-id`.
 */
export function checkLeafProfile(leaf: ParsedCertificate): Result<LeafName, LeafProfileCode> {
  const uri = checkSvidProfile(leaf);
  return uri.ok ? readLeafName(uri.value) : uri;
}

/** As {@link checkLeafProfile}, of a P-256 leaf: its key may agree on keys, too, as SPIRE has it (X509-SVID.md section 4.3). */
export function checkBoundLeafProfile(leaf: ParsedCertificate): Result<LeafName, LeafProfileCode> {
  const keyUsage = leaf.keyUsage && { ...leaf.keyUsage, encrypts: false };
  return checkLeafProfile({ ...leaf, keyUsage });
}

/**
 * Checks the profile of a workload's leaf, which is no node, and reads its SPIFFE id.
 * Codes: `identity/ca-as-leaf`, `identity/leaf-profile`, `identity/spiffe-id-invalid`.
 */
export function checkWorkloadProfile(
  leaf: ParsedCertificate,
): Result<Omit<LeafName, "name">, LeafProfileCode> {
  const uri = checkSvidProfile(leaf);
  if (!uri.ok) return uri;
  const id = parseSpiffeId(uri.value);
  if (!id.ok) return id;
  if (id.value.segments.length === 0)
    return refuse("identity/leaf-profile", "the SPIFFE id has no path");
  return ok({ spiffeId: formatSpiffeId(id.value), trustDomain: id.value.trustDomain });
}

/** Checks what every X.509-SVID must be; its one URI. */
function checkSvidProfile(leaf: ParsedCertificate): Result<string, LeafProfileCode> {
  const { keyUsage, extendedKeyUsage } = leaf;
  if (leaf.isCa) return refuse("identity/ca-as-leaf");
  if (!keyUsage?.critical)
    return refuse("identity/leaf-profile", "key usage is absent or not critical");
  if (keyUsage.keyCertSign || keyUsage.cRLSign)
    return refuse("identity/ca-as-leaf", "key usage may sign certificates");
  if (!keyUsage.digitalSignature)
    return refuse("identity/leaf-profile", "key usage lacks digitalSignature");
  if (keyUsage.encrypts) return refuse("identity/leaf-profile", "key usage of an encryption key");
  if (
    extendedKeyUsage !== undefined &&
    !(extendedKeyUsage.includes(id_kp_serverAuth) && extendedKeyUsage.includes(id_kp_clientAuth))
  ) {
    return refuse("identity/leaf-profile", "extended key usage lacks serverAuth or clientAuth");
  }
  const [uri] = leaf.uris;
  if (uri === undefined || leaf.uris.length !== 1)
    return refuse("identity/leaf-profile", "not exactly one URI SAN");
  if (leaf.subjectEmpty && !leaf.subjectAltNameCritical) {
    return refuse("identity/leaf-profile", "empty subject with a SAN that is not critical");
  }
  return ok(uri);
}

function readLeafName(uri: string): Result<LeafName, LeafProfileCode> {
  const id = parseSpiffeId(uri);
  if (!id.ok) return id;
  const name = nodeNameOf(id.value);
  if (!name.ok) return name;
  return ok({
    spiffeId: formatSpiffeId(id.value),
    trustDomain: id.value.trustDomain,
    name: name.value,
  });
}

/**
 * Checks the profile of a signing certificate of `trustDomain`: cA, critical key usage with keyCertSign,
 * at most one URI SAN, which is the trust domain's own id without a path.
 * @returns undefined when it is in order
 */
export function checkAuthorityProfile(
  authority: ParsedCertificate,
  trustDomain: string,
): "identity/ca-profile" | "identity/trust-domain-mismatch" | undefined {
  const { keyUsage } = authority;
  if (!authority.isCa || !authority.basicConstraintsCritical) return "identity/ca-profile";
  if (!keyUsage?.critical || !keyUsage.keyCertSign || keyUsage.encrypts)
    return "identity/ca-profile";
  if (authority.subjectEmpty || authority.uris.length > 1) return "identity/ca-profile";
  const [uri] = authority.uris;
  if (uri === undefined) return undefined;
  const id = parseSpiffeId(uri);
  if (!id.ok || id.value.segments.length > 0) return "identity/ca-profile";
  return id.value.trustDomain === trustDomain ? undefined : "identity/trust-domain-mismatch";
}
