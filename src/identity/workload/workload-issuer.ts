// Signs workloads' SVIDs: ML-DSA-65 under the issuer's intermediate, P-256 under a root of its own, JWTs with a key of their own.
// Whether an entry gives a node the right to one is the desk's business.

import type { CryptoEngine } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { Random, WallMs } from "../../ports/index.ts";
import type { Es256Signer } from "../es256.ts";
import {
  authorityId,
  authorityName,
  type Issuer,
  NOT_BEFORE_BACKDATE_MS,
  ROOT_LIFETIME_MS,
} from "../issuer.ts";
import { type CertificateAlgorithm, es256Certificates } from "../x509/algorithm.ts";
import { keyIdOf, signCertificate } from "../x509/encode.ts";
import { parseCertificate } from "../x509/parse.ts";
import type { RegistrationEntry } from "./entry.ts";
import { signJwtSvid } from "./jwt-svid.ts";

/** Digits of a JWT key's `kid`: the key identifier of its public key. */
const KEY_ID_DIGITS = 16;

/** What signs for workloads beside the issuer's intermediate. */
export interface WorkloadAuthorities {
  /** P-256 root certificate, DER, and its key. */
  readonly root: { readonly certificate: Uint8Array; readonly signer: Es256Signer };
  readonly jwt: { readonly keyId: string; readonly signer: Es256Signer };
}

type Tools = {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly random: Pick<Random, "bytes">;
};

/** A P-256 root certificate of a trust domain, self-signed; DER. It signs leaves alone. */
export function createWorkloadRoot(
  { engine, random }: Tools,
  signer: Es256Signer,
  options: { readonly trustDomain: string; readonly nowMs: WallMs },
): Uint8Array {
  return signCertificate(
    { engine, random, signer: es256Certificates(signer) },
    {
      role: {
        kind: "authority",
        commonName: authorityName(engine, "workloads", signer.publicKey),
        pathLength: 0,
      },
      spiffeId: authorityId(options.trustDomain),
      publicKey: signer.publicKey,
      notBeforeMs: (options.nowMs - NOT_BEFORE_BACKDATE_MS) as WallMs,
      notAfterMs: (options.nowMs + ROOT_LIFETIME_MS) as WallMs,
      issuer: undefined,
    },
  );
}

/** The `kid` of a JWT key. */
export function jwtKeyIdOf(engine: Pick<CryptoEngine, "sha256">, publicKey: Uint8Array): string {
  return keyIdOf(engine, publicKey).slice(0, KEY_ID_DIGITS);
}

export class WorkloadIssuer {
  readonly #tools: Tools;
  readonly #issuer: () => Issuer;
  readonly #authorities: () => WorkloadAuthorities;

  /** Both are asked for each time: they change with the active authority. */
  constructor(
    deps: Tools & { readonly issuer: () => Issuer },
    authorities: () => WorkloadAuthorities,
  ) {
    this.#tools = deps;
    this.#issuer = deps.issuer;
    this.#authorities = authorities;
  }

  /** The chain, leaf first, without the root. @throws MeshError `identity/issuer-unusable` */
  x509(
    entry: Pick<RegistrationEntry, "spiffeId" | "dnsNames" | "x509TtlS">,
    algorithm: CertificateAlgorithm,
    publicKey: Uint8Array,
    nowMs: WallMs,
  ): Uint8Array[] {
    const { spiffeId, dnsNames } = entry;
    const content = { spiffeId, dnsNames, publicKey, nowMs, lifetimeMs: entry.x509TtlS * 1000 };
    return algorithm === "ml-dsa-65"
      ? this.#issuer().issueWorkloadSvid(content)
      : [this.#es256Leaf(content)];
  }

  jwt(entry: RegistrationEntry, audience: readonly string[], nowMs: WallMs): string {
    const lifetimeMs = entry.jwtTtlS * 1000;
    return signJwtSvid(this.#authorities().jwt, {
      spiffeId: entry.spiffeId,
      audience,
      nowMs,
      lifetimeMs,
    });
  }

  #es256Leaf(content: Parameters<Issuer["issueWorkloadSvid"]>[0]): Uint8Array {
    const { certificate, signer } = this.#authorities().root;
    const root = parseCertificate(certificate, "es256");
    const { nowMs } = content;
    if (!root.ok || nowMs >= root.value.notAfterMs) {
      throw new MeshError(
        "identity/issuer-unusable",
        "Cannot issue a P-256 SVID: the root for workloads is expired or unreadable. Check the issuer's clock.",
      );
    }
    const { notBeforeMs, notAfterMs, subject } = root.value;
    return signCertificate(
      { ...this.#tools, signer: es256Certificates(signer) },
      {
        role: { kind: "workload", dnsNames: content.dnsNames },
        spiffeId: content.spiffeId,
        publicKey: content.publicKey,
        notBeforeMs: Math.max(nowMs - NOT_BEFORE_BACKDATE_MS, notBeforeMs) as WallMs,
        notAfterMs: Math.min(nowMs + content.lifetimeMs, notAfterMs) as WallMs,
        issuer: subject,
      },
    );
  }
}
