// Verifies chains with a memory: a mesh sees the same few hundred chains again and again, and three ML-DSA
// signatures each are the dearest part of a handshake. The memory holds successes only, is bounded, and
// every hit is checked against the clock and the revocations again.

import { concatBytes, ok, refuse, type Result, toHex } from "../foundation/index.ts";
import type { Meter } from "../ports/index.ts";
import {
  CHAIN_CERTIFICATES_MAX,
  type ChainEngine,
  type ChainOptions,
  type TrustAnchors,
  trustAnchors,
  type VerifyChainInput,
  verifyToAnchors,
} from "./chain.ts";
import { certificatesOf, isBoundChain, verifyBoundChain } from "./bound-chain.ts";
import type { ChainErrorCode } from "./errors.ts";
import type { Es256 } from "./es256.ts";
import {
  AUTHORITY_EXPIRY,
  BUNDLE_SEQUENCE,
  CHAIN_CACHE_ENTRIES,
  CHAIN_VERIFICATIONS,
} from "./metrics.ts";
import type { PeerIdentity } from "./peer-identity.ts";
import { parseWorkloadAuthorities, type TrustBundle } from "./trust-bundle.ts";
import { CERTIFICATE_BYTES_MAX, type ParsedCertificate } from "./x509/certificate.ts";
import { parseCertificate } from "./x509/parse.ts";

/** Default number of chains remembered; about 20 KiB each. The oldest unused one goes first. */
export const CHAIN_CACHE_ENTRIES_MAX = 1024;

/** What is verified. */
export type ChainClaim = Pick<VerifyChainInput, "chain" | "ed25519" | "now">;

/** Verifies chains against the bundle of one trust domain. */
export class ChainVerifier {
  readonly #engine: ChainEngine;
  readonly #meter: Meter;
  readonly #es256: Pick<Es256, "verify"> | undefined;
  readonly #options: ChainOptions;
  readonly #entriesMax: number;
  /** Insertion order is age: a hit moves to the end. */
  readonly #verified = new Map<string, PeerIdentity>();
  #anchors: TrustAnchors;
  /** Of chains with a binding. */
  #boundAnchors: TrustAnchors;

  /** @throws MeshError `identity/bundle-malformed` */
  constructor(
    deps: {
      readonly engine: ChainEngine;
      readonly meter: Meter;
      /** For chains with a binding. @default they are refused */
      readonly es256?: Pick<Es256, "verify">;
    },
    bundle: TrustBundle,
    options: ChainOptions & { readonly entriesMax?: number } = {},
  ) {
    this.#engine = deps.engine;
    this.#meter = deps.meter;
    this.#es256 = deps.es256;
    this.#options = options;
    this.#entriesMax = options.entriesMax ?? CHAIN_CACHE_ENTRIES_MAX;
    this.#anchors = trustAnchors(bundle);
    this.#boundAnchors = boundAnchors(bundle);
    this.#publishBundle(bundle);
  }

  /**
   * Replaces the bundle and forgets every chain, since its root may be gone.
   * @throws MeshError `identity/bundle-malformed`; the old bundle stays
   */
  setBundle(bundle: TrustBundle): void {
    const [anchors, bound] = [trustAnchors(bundle), boundAnchors(bundle)];
    this.#anchors = anchors;
    this.#boundAnchors = bound;
    this.#verified.clear();
    this.#publishSize();
    this.#publishBundle(bundle);
  }

  /** As `verifyChain`, with the memory. */
  verify(claim: ChainClaim): Result<PeerIdentity, ChainErrorCode> {
    const key = this.#keyOf(claim);
    if (key === undefined) return this.#refused(refuse("identity/chain-malformed", "length"));
    const known = this.#verified.get(key);
    const result =
      known === undefined ? this.#verifyAnew(key, claim) : this.#recheck(key, known, claim);
    return result.ok ? result : this.#refused(result);
  }

  #verifyAnew(key: string, claim: ChainClaim): Result<PeerIdentity, ChainErrorCode> {
    const result = this.#judge({ engine: this.#engine, ...this.#options, ...claim });
    if (!result.ok) return result;
    this.#meter.count(CHAIN_VERIFICATIONS, { result: "verified" });
    this.#remember(key, result.value);
    return result;
  }

  #judge(input: Omit<VerifyChainInput, "bundle">): Result<PeerIdentity, ChainErrorCode> {
    if (!isBoundChain(input.chain)) return verifyToAnchors(input, this.#anchors);
    const es256 = this.#es256;
    return es256 === undefined
      ? refuse("identity/algorithm-unsupported", "a chain with a binding")
      : verifyBoundChain({ ...input, es256 }, this.#boundAnchors);
  }

  #recheck(
    key: string,
    known: PeerIdentity,
    { now }: ChainClaim,
  ): Result<PeerIdentity, ChainErrorCode> {
    const { clockSkewMs = 0, graceMs = 0, isRevoked } = this.#options;
    this.#verified.delete(key);
    if (now > known.notAfterMs + clockSkewMs + graceMs) return this.#forgotten("identity/expired");
    if (isRevoked !== undefined && parsedAll(known.chain).some(isRevoked))
      return this.#forgotten("identity/revoked");
    this.#remember(key, known);
    if (!(now >= known.notBeforeMs - clockSkewMs)) return refuse("identity/not-yet-valid");
    this.#meter.count(CHAIN_VERIFICATIONS, { result: "cached" });
    return ok(known);
  }

  #forgotten(code: ChainErrorCode): Result<PeerIdentity, ChainErrorCode> {
    this.#publishSize();
    return refuse(code);
  }

  #refused(result: Result<PeerIdentity, ChainErrorCode>): Result<PeerIdentity, ChainErrorCode> {
    this.#meter.count(CHAIN_VERIFICATIONS, { result: "refused" });
    return result;
  }

  #remember(key: string, identity: PeerIdentity): void {
    this.#verified.set(key, identity);
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size <= this.#entriesMax) break;
      this.#verified.delete(oldest);
    }
    this.#publishSize();
  }

  /** While one root is valid, chains to it verify: the last one counts. */
  #publishBundle({ sequence }: TrustBundle): void {
    this.#meter.set(BUNDLE_SEQUENCE, sequence);
    const { roots } = this.#anchors.roots.length > 0 ? this.#anchors : this.#boundAnchors;
    const lastMs = Math.max(0, ...roots.map(({ notAfterMs }) => notAfterMs));
    this.#meter.set(AUTHORITY_EXPIRY, Math.floor(lastMs / 1000), { authority: "root" });
  }

  #publishSize(): void {
    this.#meter.set(CHAIN_CACHE_ENTRIES, this.#verified.size);
  }

  /** Digest over the key and each certificate's digest: no two different chains share it. */
  #keyOf({ chain, ed25519 }: ChainClaim): string | undefined {
    if (
      chain.length > CHAIN_CERTIFICATES_MAX ||
      chain.some((der) => der.length > CERTIFICATE_BYTES_MAX)
    )
      return undefined;
    const digests = chain.map((der) => this.#engine.sha256(der));
    return toHex(this.#engine.sha256(concatBytes(...digests, ed25519)));
  }
}

function boundAnchors(bundle: TrustBundle): TrustAnchors {
  return { ...trustAnchors(bundle), roots: parseWorkloadAuthorities(bundle) };
}

function parsedAll(chain: readonly Uint8Array[]): ParsedCertificate[] {
  const algorithm = isBoundChain(chain) ? "es256" : "ml-dsa-65";
  return certificatesOf(chain).flatMap((der) => {
    const parsed = parseCertificate(der, algorithm);
    return parsed.ok ? [parsed.value] : [];
  });
}
