// The two kinds of certificates we make: ML-DSA-65 throughout, or ECDSA on P-256 throughout.

import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import type { MlDsaSigner } from "../../crypto/index.ts";
import { ML_DSA_65 } from "../../crypto/index.ts";
import { equalBytes, fromHex } from "../../foundation/index.ts";
import { type Es256Signer, isP256PublicKey, signatureFromDer, signatureToDer } from "../es256.ts";
import { OID_EC_PUBLIC_KEY, OID_ECDSA_SHA256, OID_ML_DSA_65 } from "./oids.ts";

/** Which signatures and keys a certificate has. */
export type CertificateAlgorithm = "ml-dsa-65" | "es256";

/** X.509 signatures have the empty ML-DSA context (RFC 9881 section 3). */
export const X509_SIGNATURE_CONTEXT: Uint8Array = new Uint8Array(0);

/** Parameters of an EC key: the OID of P-256, 1.2.840.10045.3.1.7, in DER. */
const P256_PARAMETERS = fromHex("06082a8648ce3d030107");

/** Who signs certificates. */
export interface CertificateSigner {
  readonly algorithm: CertificateAlgorithm;
  readonly publicKey: Uint8Array;
  /** The value of the certificate's signature. */
  sign(tbs: Uint8Array): Uint8Array;
}

export function mlDsaCertificates(signer: MlDsaSigner): CertificateSigner {
  return {
    algorithm: "ml-dsa-65",
    publicKey: signer.publicKey,
    sign: (tbs) => signer.sign(tbs, X509_SIGNATURE_CONTEXT),
  };
}

export function es256Certificates(signer: Es256Signer): CertificateSigner {
  return {
    algorithm: "es256",
    publicKey: signer.publicKey,
    sign: (tbs) => signatureToDer(signer.sign(tbs)),
  };
}

/** The identifier of a signature. */
export function signatureIdentifier(algorithm: CertificateAlgorithm): AlgorithmIdentifier {
  return new AlgorithmIdentifier({
    algorithm: algorithm === "es256" ? OID_ECDSA_SHA256 : OID_ML_DSA_65,
  });
}

/** The identifier of a key. */
export function keyIdentifier(algorithm: CertificateAlgorithm): AlgorithmIdentifier {
  if (algorithm === "ml-dsa-65") return signatureIdentifier(algorithm);
  return new AlgorithmIdentifier({
    algorithm: OID_EC_PUBLIC_KEY,
    parameters: Uint8Array.from(P256_PARAMETERS).buffer,
  });
}

/** Which kind of certificate these identifiers make; undefined for all others. */
export function algorithmOf(
  signature: AlgorithmIdentifier,
  key: AlgorithmIdentifier,
): CertificateAlgorithm | undefined {
  if (signature.parameters !== undefined) return undefined;
  if (signature.algorithm === OID_ML_DSA_65)
    return key.algorithm === OID_ML_DSA_65 && key.parameters === undefined
      ? "ml-dsa-65"
      : undefined;
  const isP256 =
    key.algorithm === OID_EC_PUBLIC_KEY &&
    key.parameters instanceof ArrayBuffer &&
    equalBytes(new Uint8Array(key.parameters), P256_PARAMETERS);
  return isP256 && signature.algorithm === OID_ECDSA_SHA256 ? "es256" : undefined;
}

/** Whether key and signature have the form that they must have. */
export function isWellFormed(
  algorithm: CertificateAlgorithm,
  publicKey: Uint8Array,
  signature: Uint8Array,
): boolean {
  return algorithm === "ml-dsa-65"
    ? publicKey.length === ML_DSA_65.publicKeyBytes && signature.length === ML_DSA_65.signatureBytes
    : isP256PublicKey(publicKey) && signatureFromDer(signature) !== undefined;
}
