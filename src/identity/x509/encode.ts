// Writes certificates: ML-DSA-65 (RFC 9881) or P-256 keys and signatures, profiles of X509-SVID.md sections 2 to 4.
// The leaf has an empty subject, so that nobody reads an identity out of anything but the SPIFFE id; RFC 5280
// then wants the subject alternative name critical.

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Time,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import type { CryptoEngine } from "../../crypto/index.ts";
import { fromHex, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { Random, WallMs } from "../../ports/index.ts";
import { selectorLines } from "../node-selectors.ts";
import { type CertificateSigner, keyIdentifier, signatureIdentifier } from "./algorithm.ts";
import { OID_COMMON_NAME, OID_NODE_ID, OID_NODE_SELECTORS } from "./oids.ts";

/** Bytes of a serial number. */
const SERIAL_BYTES = 16;
/** Bytes of a key identifier: RFC 7093 method 1, the leftmost 160 bits of SHA-256 of the key. */
const KEY_ID_BYTES = 20;
/** Key usage bits in DER's order: bit 0 is the highest; the second argument of KeyUsage counts the unused bits. */
const DIGITAL_SIGNATURE = Uint8Array.of(0b1000_0000);
const KEY_CERT_SIGN_AND_CRL_SIGN = Uint8Array.of(0b0000_0110);

/** What makes a certificate a leaf or an authority. */
type CertificateRole =
  | {
      readonly kind: "node" /** 32 bytes. */;
      readonly nodeId: Uint8Array;
      readonly selectors: readonly string[];
    }
  | { readonly kind: "workload"; readonly dnsNames: readonly string[] }
  | { readonly kind: "authority"; readonly commonName: string; readonly pathLength: number };

/** The content of a certificate to sign. */
export interface CertificateContent {
  readonly role: CertificateRole;
  readonly spiffeId: string;
  /** The subject's key, of the signer's kind: 1952 bytes of ML-DSA-65, or an uncompressed point of P-256. */
  readonly publicKey: Uint8Array;

  /** Rounded down to whole seconds. */
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
  /** DER of the issuer's name; undefined makes the certificate self-issued. */
  readonly issuer: Uint8Array | undefined;
}

/** Who signs, and with what help. */
export interface SigningTools {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly random: Pick<Random, "bytes">;
  /** The issuer's key. */
  readonly signer: CertificateSigner;
}

/** Signs a certificate; its DER. */
export function signCertificate(tools: SigningTools, content: CertificateContent): Uint8Array {
  const algorithm = signatureIdentifier(tools.signer.algorithm);
  const subject =
    content.role.kind === "authority" ? commonName(content.role.commonName) : new Name();
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: arrayBuffer(newSerial(tools.random)),
    signature: algorithm,
    issuer: content.issuer === undefined ? subject : AsnConvert.parse(content.issuer, Name),
    validity: validity(content),
    subject,
    subjectPublicKeyInfo: new SubjectPublicKeyInfo({
      algorithm: keyIdentifier(tools.signer.algorithm),
      subjectPublicKey: arrayBuffer(content.publicKey),
    }),
    extensions: new Extensions(extensionsOf(tools, content)),
  });
  const tbs = new Uint8Array(AsnConvert.serialize(tbsCertificate));
  const signature = tools.signer.sign(tbs);
  return new Uint8Array(
    AsnConvert.serialize(
      new Certificate({
        tbsCertificate,
        signatureAlgorithm: algorithm,
        signatureValue: arrayBuffer(signature),
      }),
    ),
  );
}

/** The key identifier of a public key, lower-case hex. */
export function keyIdOf(engine: Pick<CryptoEngine, "sha256">, publicKey: Uint8Array): string {
  return toHex(engine.sha256(publicKey).subarray(0, KEY_ID_BYTES));
}

function extensionsOf({ engine, signer }: SigningTools, content: CertificateContent): Extension[] {
  const subjectKeyId = fromHex(keyIdOf(engine, content.publicKey));
  const authorityKeyId = fromHex(keyIdOf(engine, signer.publicKey));
  const dnsNames = content.role.kind === "workload" ? content.role.dnsNames : [];
  const names = new SubjectAlternativeName([
    new GeneralName({ uniformResourceIdentifier: content.spiffeId }),
    ...dnsNames.map((dNSName) => new GeneralName({ dNSName })),
  ]);
  return [
    ...roleExtensions(content.role),
    extension(id_ce_subjectAltName, content.role.kind !== "authority", names),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(subjectKeyId)),
    extension(
      id_ce_authorityKeyIdentifier,
      false,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(authorityKeyId) }),
    ),
  ];
}

function roleExtensions(role: CertificateRole): Extension[] {
  if (role.kind === "authority") {
    return [
      extension(
        id_ce_basicConstraints,
        true,
        new BasicConstraints({ cA: true, pathLenConstraint: role.pathLength }),
      ),
      extension(id_ce_keyUsage, true, new KeyUsage(KEY_CERT_SIGN_AND_CRL_SIGN, 1)),
    ];
  }
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(DIGITAL_SIGNATURE, 7)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth])),
    ...(role.kind === "node" ? nodeExtensions(role) : []),
  ];
}

function nodeExtensions({
  nodeId,
  selectors,
}: Extract<CertificateRole, { kind: "node" }>): Extension[] {
  const lines = new OctetString(utf8Bytes(selectorLines(selectors)));
  return [
    extension(OID_NODE_ID, false, new OctetString(nodeId)),
    ...(selectors.length === 0 ? [] : [extension(OID_NODE_SELECTORS, false, lines)]),
  ];
}

function extension(extnID: string, critical: boolean, value: unknown): Extension {
  return new Extension({
    extnID,
    critical,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });
}

function commonName(text: string): Name {
  const attribute = new AttributeTypeAndValue({
    type: OID_COMMON_NAME,
    value: new AttributeValue({ utf8String: text }),
  });
  return new Name([new RelativeDistinguishedName([attribute])]);
}

/** A positive integer of full length: the first byte keeps its sign bit clear and is never zero. */
function newSerial(random: Pick<Random, "bytes">): Uint8Array {
  const serial = Uint8Array.from(random.bytes(SERIAL_BYTES));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

function validity({ notBeforeMs, notAfterMs }: CertificateContent): Validity {
  const window = new Validity();
  window.notBefore = new Time(notBeforeMs);
  window.notAfter = new Time(notAfterMs);
  return window;
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
