// Certificates that an honest issuer would not make: one is taken apart, changed and signed again by its issuer's key.

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  Extension,
  ExtendedKeyUsage,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  KeyUsage,
  type KeyUsageFlags,
  SubjectAlternativeName,
  type TBSCertificate,
} from "@peculiar/asn1-x509";
import type { MlDsaSigner } from "../../../src/crypto/index.ts";

const EMPTY = new Uint8Array(0);

/** Applies `change` to the signed part of `der` and signs it with `signer`. */
export function resign(
  der: Uint8Array,
  signer: MlDsaSigner,
  change: (tbs: TBSCertificate) => void,
): Uint8Array {
  const { tbsCertificate: tbs } = AsnConvert.parse(der, Certificate);
  // The library's spelling of a long OID arc cannot be written back: keep our extension's raw bytes.
  const nodeId = tbs.extensions?.find(({ extnID }) => extnID.includes("{"));
  if (nodeId !== undefined) nodeId.extnID = NODE_ID_OID;
  change(tbs);
  return assemble(new Uint8Array(AsnConvert.serialize(tbs)), signer);
}

/** Signs any bytes as if they were the signed part of a certificate. */
export function assemble(tbs: Uint8Array, signer: MlDsaSigner): Uint8Array {
  const signature = Uint8Array.of(0, ...signer.sign(tbs, EMPTY));
  const algorithm = Buffer.from("300b0609608648016503040312", "hex");
  return element(0x30, [...tbs, ...algorithm, ...element(0x03, signature)]);
}

/** The signed part of a certificate, as it stands. */
export function tbsOf(der: Uint8Array): Uint8Array {
  const { tbsCertificateRaw } = AsnConvert.parse(der, Certificate);
  if (tbsCertificateRaw === undefined) throw new Error("no signed part");
  return new Uint8Array(tbsCertificateRaw);
}

/** A DER element of 256 to 65535 bytes. */
function element(tag: number, content: ArrayLike<number>): Uint8Array {
  const { length } = content;
  return Uint8Array.from([tag, 0x82, length >> 8, length & 0xff, ...Array.from(content)]);
}

/** The NodeId extension, as the room documents it. */
export const NODE_ID_OID = "2.25.234893719806279192517747020295385996704";

/** Removes an extension. */
export function drop(tbs: TBSCertificate, extnID: string): void {
  const { extensions } = tbs;
  const index = extensions?.findIndex((extension) => extension.extnID === extnID) ?? -1;
  if (index < 0) throw new Error(`extension ${extnID} is absent`);
  extensions?.splice(index, 1);
}

/** Replaces or adds an extension. */
export function put(tbs: TBSCertificate, extnID: string, critical: boolean, value: unknown): void {
  const index = tbs.extensions?.findIndex((extension) => extension.extnID === extnID) ?? -1;
  if (index >= 0) tbs.extensions?.splice(index, 1);
  add(tbs, extnID, critical, value);
}

/** Adds an extension, even a second of its kind. */
export function add(tbs: TBSCertificate, extnID: string, critical: boolean, value: unknown): void {
  tbs.extensions?.push(
    new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) }),
  );
}

export function putUris(tbs: TBSCertificate, uris: readonly string[], critical = true): void {
  const names = uris.map((uri) => new GeneralName({ uniformResourceIdentifier: uri }));
  put(tbs, id_ce_subjectAltName, critical, new SubjectAlternativeName(names));
}

/** `bits` as FIPS-style flags of the library; every byte's trailing zero bits are declared unused. */
export function putKeyUsage(
  tbs: TBSCertificate,
  flags: readonly KeyUsageFlags[],
  critical = true,
): void {
  let byte = 0;
  for (const flag of flags) byte |= 0x80 >> Math.log2(flag);
  let unused = 0;
  while (unused < 7 && (byte & (1 << unused)) === 0) unused += 1;
  put(tbs, id_ce_keyUsage, critical, new KeyUsage(Uint8Array.of(byte), unused));
}

export function putBasicConstraints(tbs: TBSCertificate, cA: boolean, pathLength?: number): void {
  const constraints = new BasicConstraints(
    pathLength === undefined ? { cA } : { cA, pathLenConstraint: pathLength },
  );
  put(tbs, id_ce_basicConstraints, true, constraints);
}

export function putExtendedKeyUsage(tbs: TBSCertificate, usages: readonly string[]): void {
  put(tbs, id_ce_extKeyUsage, false, new ExtendedKeyUsage([...usages]));
}
