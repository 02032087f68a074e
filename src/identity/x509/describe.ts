// A certificate in words for an operator. Nothing here is a check.

import { AsnConvert } from "@peculiar/asn1-schema";
import { Name } from "@peculiar/asn1-x509";
import { MeshError } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import type { IdentityErrorCode } from "../errors.ts";
import type { CertificateAlgorithm } from "./algorithm.ts";
import { parseCertificate } from "./parse.ts";

/** Who, by whom, and how long. */
export interface CertificateDescription {
  /** The SPIFFE id; the distinguished name where there is none. */
  readonly subject: string;
  readonly issuer: string;
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
  /** Lower-case hex. */
  readonly serial: string;
}

/** Describes a DER certificate of ours. @throws MeshError `identity/certificate-malformed` */
export function describeCertificate(der: Uint8Array): CertificateDescription {
  const ours = parseCertificate(der);
  const parsed = ours.ok ? ours : parseCertificate(der, "es256");
  if (!parsed.ok) throw unreadable();
  const { uris, subject, issuer, notBeforeMs, notAfterMs, serialNumber } = parsed.value;
  return {
    subject: uris[0] ?? nameText(subject),
    issuer: nameText(issuer),
    notBeforeMs,
    notAfterMs,
    serial: serialNumber,
  };
}

/** Key identifier and end of an authority's certificate. @throws MeshError `identity/certificate-malformed` */
export function describeRoot(
  der: Uint8Array,
  algorithm: CertificateAlgorithm,
): { readonly keyId: string; readonly notAfterMs: WallMs } {
  const parsed = parseCertificate(der, algorithm);
  if (!parsed.ok || parsed.value.subjectKeyId === undefined) throw unreadable();
  return { keyId: parsed.value.subjectKeyId, notAfterMs: parsed.value.notAfterMs };
}

/** The values of a distinguished name, most significant last. */
function nameText(der: Uint8Array): string {
  return AsnConvert.parse(der, Name)
    .flatMap((relative) => relative.map(({ value }) => value.toString()))
    .join(", ");
}

function unreadable(): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/certificate-malformed",
    "Cannot read a certificate of this node. Restore a backup or join again.",
  );
}
