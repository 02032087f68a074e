// Proof of possession of a certificate that hosts have anyway (a TPM's, a provisioning system's): its key signs the issuer's
// challenge, its chain leads to an authority that the operator named. RSA by PSS, ECDSA, both with SHA-256.

import { constants, createPrivateKey, type KeyObject, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorMessage, MeshError, refuse, ok, type Result } from "../../foundation/index.ts";
import type {
  Attested,
  Evidence,
  EvidenceRefusalCode,
  IdentityErrorCode,
} from "../../identity/index.ts";
import {
  type ClassicalCertificate,
  pemCertificates,
  readAnchors,
  readClassical,
  verifyClassicalChain,
} from "../crypto/classical-chain.ts";

/** How a name begins that follows from a certificate. */
const NAME_PREFIX = "x509-";
const HASH = "sha256";

type PopEvidence = Extract<Evidence, { type: "x509pop" }>;

/** Judges by the authorities of a PEM file, which is read again for every node. */
export class X509PopVerifier {
  readonly #caFile: string;
  readonly #wallMs: () => number;

  constructor(options: { readonly caFile: string; readonly wallMs: () => number }) {
    this.#caFile = options.caFile;
    this.#wallMs = options.wallMs;
  }

  verify(
    { chain, signature }: PopEvidence,
    challenge: Uint8Array,
  ): Result<Attested, EvidenceRefusalCode> {
    const anchors = readFile(this.#caFile);
    if (anchors === undefined)
      return refuse("identity/attestor-unavailable", `no certificates in ${this.#caFile}`);
    const verified = verifyClassicalChain(chain, anchors, this.#wallMs());
    if (!verified.ok) return refuse("identity/evidence-refused", verified.code);
    const { leaf, anchor } = verified.value;
    if (!isSigned(leaf.x509.publicKey, challenge, signature))
      return refuse("identity/evidence-refused", "the challenge is not signed by the certificate");
    const commonName = commonNameOf(leaf);
    if (commonName === undefined)
      return refuse("identity/evidence-refused", "the certificate has not exactly one common name");
    return ok({
      name: `${NAME_PREFIX}${commonName}`,
      selectors: [
        `x509pop:subject:cn:${commonName}`,
        `x509pop:ca:fingerprint:${fingerprint(anchor)}`,
      ],
    });
  }
}

/**
 * Makes the evidence of this host.
 * @throws MeshError `identity/evidence-missing`
 */
export function provePossession(
  files: { readonly certificateFile: string; readonly keyFile: string },
  challenge: Uint8Array,
): PopEvidence {
  try {
    const chain = pemCertificates(readFileSync(files.certificateFile, "utf8"));
    const key = createPrivateKey(readFileSync(files.keyFile));
    if (readClassical(chain[0] ?? new Uint8Array())?.x509.checkPrivateKey(key) !== true)
      throw new Error("certificate and key do not belong together, or are too weak");
    const signature = new Uint8Array(sign(HASH, challenge, { key, ...padding(key) }));
    return { type: "x509pop", chain, signature };
  } catch (cause) {
    throw new MeshError<IdentityErrorCode>(
      "identity/evidence-missing",
      `Cannot show the certificate '${files.certificateFile}': ${errorMessage(cause)}. Name PEM files that belong together in join.certificate and join.key.`,
      { file: files.certificateFile },
      { cause },
    );
  }
}

function readFile(file: string): readonly ClassicalCertificate[] | undefined {
  try {
    return readAnchors(readFileSync(file, "utf8"));
  } catch {
    return undefined; // not there, or not to be read: the detail names it
  }
}

function isSigned(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(HASH, message, { key, ...padding(key) }, signature);
  } catch {
    return false; // a signature of another form
  }
}

function padding({ asymmetricKeyType }: KeyObject): object {
  return asymmetricKeyType === "rsa"
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
}

function commonNameOf({ x509 }: ClassicalCertificate): string | undefined {
  const names = x509.subject.split("\n").filter((line) => line.startsWith("CN="));
  const name = names[0]?.slice("CN=".length);
  return names.length === 1 && name !== undefined && /^[A-Za-z0-9._-]{1,58}$/.test(name)
    ? name
    : undefined;
}

function fingerprint({ x509 }: ClassicalCertificate): string {
  return x509.fingerprint256.replaceAll(":", "").toLowerCase();
}
