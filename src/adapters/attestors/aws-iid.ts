// An EC2 instance proves itself by its identity document, which AWS signs for each region (PKCS#7, RSA-2048). The document can be read
// by every process of the instance and has no end: so it lets in one node an instance, the first, and only of accounts and regions that
// the operator named.

import { type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as z from "zod";
import { errorMessage, MeshError, refuse, ok, type Result } from "../../foundation/index.ts";
import {
  type Attested,
  type Evidence,
  evidenceLimits,
  type EvidenceRefusalCode,
  type IdentityErrorCode,
} from "../../identity/index.ts";
import { pemCertificates } from "../crypto/classical-chain.ts";
import { requestText } from "./http-text.ts";
import { openSignedData } from "./signed-data.ts";

/** How a name begins that follows from an instance. */
const NAME_PREFIX = "aws-";
const TOKEN_SECONDS = 60;
const TIMEOUT_MS = 5_000;
const CERTIFICATES_MAX = 64;

const place = z.string().regex(/^[a-z0-9-]{1,32}$/);
/** The members that are used; AWS adds others as it likes. */
const documentSchema = z.object({
  accountId: z.string().regex(/^\d{12}$/),
  region: place,
  availabilityZone: place,
  instanceId: z.string().regex(/^i-[0-9a-f]{8,32}$/),
  imageId: z.string().regex(/^ami-[0-9a-f]{8,32}$/),
});

type AwsEvidence = Extract<Evidence, { type: "aws_iid" }>;

export interface AwsIidOptions {
  /** PEM file of AWS's certificates for the regions; read again for every node. */
  readonly certificatesFile: string;
  readonly accounts: readonly string[];
  /** Empty: all that there are certificates for. */
  readonly regions: readonly string[];
}

export class AwsIidVerifier {
  readonly #options: AwsIidOptions;

  constructor(options: AwsIidOptions) {
    this.#options = options;
  }

  verify({ document }: AwsEvidence): Result<Attested, EvidenceRefusalCode> {
    const { certificatesFile, accounts, regions } = this.#options;
    const keys = keysOf(certificatesFile);
    if (keys.length === 0)
      return refuse("identity/attestor-unavailable", `no certificates in ${certificatesFile}`);
    const opened = openSignedData(document, keys);
    if (!opened.ok) return refuse("identity/evidence-refused", opened.code);
    const read = documentSchema.safeParse(jsonOf(opened.value));
    if (!read.success) return refuse("identity/evidence-refused", "no identity document");
    const { accountId, region, availabilityZone, instanceId, imageId } = read.data;
    if (!accounts.includes(accountId))
      return refuse("identity/evidence-not-allowed", `account ${accountId}`);
    if (regions.length > 0 && !regions.includes(region))
      return refuse("identity/evidence-not-allowed", `region ${region}`);
    return ok({
      name: `${NAME_PREFIX}${instanceId}`,
      selectors: [
        `aws_iid:account:${accountId}`,
        `aws_iid:region:${region}`,
        `aws_iid:az:${availabilityZone}`,
        `aws_iid:instance:id:${instanceId}`,
        `aws_iid:image:id:${imageId}`,
      ],
    });
  }
}

/**
 * Fetches the document of this instance by IMDSv2.
 * @throws MeshError `identity/evidence-missing`
 */
export async function proveInstance(metadataUrl: string): Promise<AwsEvidence> {
  try {
    const token = await metadata(`${metadataUrl}/latest/api/token`, "PUT", {
      "x-aws-ec2-metadata-token-ttl-seconds": String(TOKEN_SECONDS),
    });
    const path = "/latest/dynamic/instance-identity/rsa2048";
    const text = await metadata(metadataUrl + path, "GET", { "x-aws-ec2-metadata-token": token });
    const document = new Uint8Array(Buffer.from(text, "base64"));
    if (document.length === 0 || document.length > evidenceLimits.documentBytesMax)
      throw new Error("it has no document");
    return { type: "aws_iid", document };
  } catch (cause) {
    throw new MeshError<IdentityErrorCode>(
      "identity/evidence-missing",
      `Cannot get this instance's identity document: ${errorMessage(cause)}. Is this an EC2 instance with its metadata service on?`,
      {},
      { cause },
    );
  }
}

function metadata(
  url: string,
  method: "GET" | "PUT",
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const bytesMax = 2 * evidenceLimits.documentBytesMax;
  return requestText({ url, method, headers, bytesMax, timeoutMs: TIMEOUT_MS });
}

function keysOf(file: string): KeyObject[] {
  try {
    const certificates = pemCertificates(readFileSync(file, "utf8")).slice(0, CERTIFICATES_MAX);
    return certificates
      .map((der) => new X509Certificate(der).publicKey)
      .filter(({ asymmetricKeyType: type }) => type === "rsa");
  } catch {
    return []; // not there, or no certificates: the detail names the file
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined; // no text or no JSON; undefined matches no schema
  }
}
