// The issuer of a trust domain: a root made once, a short-lived intermediate authority under it, and the nodes'
// SVIDs under that. Sans-I/O: keys come in as signers or seeds, time as argument, certificates go out as bytes.

import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import { equalBytes, fromHex, MeshError } from "../foundation/index.ts";
import type { Random, WallMs } from "../ports/index.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { nodeIdOf } from "./node-keys.ts";
import { checkAuthorityProfile } from "./profile.ts";
import { formatSpiffeId, isTrustDomain, nodeSpiffeId } from "./spiffe-id.ts";
import { mlDsaCertificates } from "./x509/algorithm.ts";
import type { ParsedCertificate } from "./x509/certificate.ts";
import { type CertificateContent, keyIdOf, signCertificate } from "./x509/encode.ts";
import { parseCertificate } from "./x509/parse.ts";

const DAY_MS = 86_400_000;

/** How far a certificate's validity begins before its issue, so that a peer whose clock is slow accepts it at once. */
export const NOT_BEFORE_BACKDATE_MS = 300_000;
/** Life of a root: longer than the hosts, short enough that its algorithm will be looked at again. */
export const ROOT_LIFETIME_MS = 3653 * DAY_MS;
/** Life of an intermediate authority: what a stolen issuer host can do ends with it. */
export const INTERMEDIATE_LIFETIME_MS = 30 * DAY_MS;
/** Life of a node's SVID; renewed at half of it, so an issuer may be away for the other half. */
export const SVID_LIFETIME_MS = DAY_MS;
/** Shortest life of an SVID that can be issued. */
export const SVID_LIFETIME_MS_MIN = 60_000;

/** Bytes of the seed of an authority's ML-DSA-65 key. */
const AUTHORITY_SEED_BYTES = 32;
/** Path length of a root: one intermediate below it. */
const ROOT_PATH_LENGTH = 1;
/** Digits of the key identifier that tell authorities of one trust domain apart by name. */
const NAME_KEY_DIGITS = 16;

/** What issuing uses. */
export interface IssuerDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  /** Cryptographically secure: it makes the intermediate's keys. */
  readonly random: Pick<Random, "bytes">;
  /** The root's key; without it an issuer lives as long as the intermediate it was given. */
  readonly rootSigner?: MlDsaSigner;
}

/** An intermediate authority, as an issuer keeps it over a restart. The seed is a secret. */
export interface IntermediateAuthority {
  readonly seed: Uint8Array;
  readonly certificate: Uint8Array;
}

/** How an issuer issues. */
export interface IssuerOptions {
  readonly trustDomain: string;
  /** DER of the root. */
  readonly root: Uint8Array;
  /** The intermediate of an earlier run. */
  readonly intermediate?: IntermediateAuthority;
  /** Raising it: fewer changes of authority. Lowering it: a stolen issuer harms for less time. @default 30 days */
  readonly intermediateLifetimeMs?: number;
  /** At most half of the intermediate's. Raising it: longer absence of issuers is survived. @default 24 hours */
  readonly svidLifetimeMs?: number;
}

/** For whom an SVID is issued. The issuer has seen proof that the node holds both keys. */
export interface NodeSvidRequest {
  readonly name: string;
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
  readonly nowMs: WallMs;
  /** Default: the issuer's option; 1 minute up to the issuer's option. */
  readonly lifetimeMs?: number;
  /** What an attestor found out about it. @default none */
  readonly selectors?: readonly string[];
}

/** For whom a workload's SVID is issued. */
export interface WorkloadSvidRequest {
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
  readonly publicKey: Uint8Array;
  readonly nowMs: WallMs;
  readonly lifetimeMs: number;
}

/**
 * A new root certificate of a trust domain, self-signed, valid for ten years; DER.
 * @throws MeshError `identity/spiffe-id-invalid` for a bad trust domain
 */
export function createRoot(
  deps: {
    readonly engine: Pick<CryptoEngine, "sha256">;
    readonly random: Pick<Random, "bytes">;
    readonly rootSigner: MlDsaSigner;
  },
  options: { readonly trustDomain: string; readonly nowMs: WallMs; readonly lifetimeMs?: number },
): Uint8Array {
  const { engine, random, rootSigner: signer } = deps;
  return signCertificate(
    { engine, random, signer: mlDsaCertificates(signer) },
    {
      role: {
        kind: "authority",
        commonName: authorityName(engine, "root", signer.publicKey),
        pathLength: ROOT_PATH_LENGTH,
      },
      spiffeId: authorityId(options.trustDomain),
      publicKey: signer.publicKey,
      notBeforeMs: (options.nowMs - NOT_BEFORE_BACKDATE_MS) as WallMs,
      notAfterMs: (options.nowMs + (options.lifetimeMs ?? ROOT_LIFETIME_MS)) as WallMs,
      issuer: undefined,
    },
  );
}

interface ActiveIntermediate extends IntermediateAuthority {
  readonly parsed: ParsedCertificate;
  readonly signer: MlDsaSigner;
}

/** Issues nodes' SVIDs. After an error it is unchanged and may be used again. */
export class Issuer {
  readonly trustDomain: string;
  readonly #deps: IssuerDeps;
  readonly #root: ParsedCertificate;
  readonly #intermediateLifetimeMs: number;
  readonly #svidLifetimeMs: number;
  #intermediate: ActiveIntermediate | undefined;

  /**
   * @throws MeshError `identity/issuer-unusable` when the root is not one of the trust domain, does not belong to
   * the root key, did not issue the intermediate, or the lifetimes contradict each other
   */
  constructor(deps: IssuerDeps, options: IssuerOptions) {
    this.trustDomain = options.trustDomain;
    this.#deps = deps;
    this.#intermediateLifetimeMs = options.intermediateLifetimeMs ?? INTERMEDIATE_LIFETIME_MS;
    this.#svidLifetimeMs = options.svidLifetimeMs ?? SVID_LIFETIME_MS;
    if (
      this.#svidLifetimeMs < SVID_LIFETIME_MS_MIN ||
      this.#svidLifetimeMs > this.#intermediateLifetimeMs / 2
    ) {
      throw unusable(
        `an SVID's life must be between ${SVID_LIFETIME_MS_MIN} ms and half of the intermediate's`,
      );
    }
    this.#root = readAuthority(options.root, options.trustDomain, "the root certificate");
    if (
      deps.rootSigner !== undefined &&
      !equalBytes(deps.rootSigner.publicKey, this.#root.publicKey)
    ) {
      throw unusable("the root key is not the one in the root certificate");
    }
    this.#intermediate = options.intermediate && this.#adopt(options.intermediate);
  }

  /** The intermediate in use, for the node to keep; undefined before the first. Its seed is a secret. */
  get intermediate(): IntermediateAuthority | undefined {
    if (this.#intermediate === undefined) return undefined;
    const { seed, certificate } = this.#intermediate;
    return { seed, certificate };
  }

  /**
   * Makes a new intermediate when there is none, half of its life is over, or the clock was put back to before it begins.
   * @returns whether it made one: the node then stores {@link Issuer.intermediate}
   * @throws MeshError `identity/issuer-unusable` when one is needed and the root key is absent or the root expires too soon
   */
  ensureIntermediate(nowMs: WallMs): boolean {
    const current = this.#intermediate?.parsed;
    const covers = current !== undefined && nowMs + this.#svidLifetimeMs <= current.notAfterMs;
    if (covers && isYoung(current, nowMs) && !this.#isOfTheFuture(current, nowMs)) return false;
    const signer = this.#deps.rootSigner;
    if (signer === undefined) {
      if (covers) return false;
      throw unusable("the intermediate authority expires and the root key is not here");
    }
    const notAfterMs = Math.min(
      nowMs + this.#intermediateLifetimeMs,
      this.#root.notAfterMs,
    ) as WallMs;
    if (nowMs + this.#svidLifetimeMs > notAfterMs)
      throw unusable("the root certificate is expired or expires before the next SVID");
    const replaced = this.#intermediate;
    this.#intermediate = this.#makeIntermediate(signer, nowMs, notAfterMs);
    replaced?.signer.destroy();
    return true;
  }

  /** It begins after now, and one that is made now begins earlier: the clock was put back. */
  #isOfTheFuture({ notBeforeMs }: ParsedCertificate, nowMs: WallMs): boolean {
    return nowMs < notBeforeMs && notBeforeMs > this.#root.notBeforeMs;
  }

  /**
   * Issues a node's SVID; the chain, leaf first, without the root.
   * @throws MeshError `identity/not-a-node-id`, `identity/key-invalid`, `identity/issuer-unusable`
   */
  issueNodeSvid(request: NodeSvidRequest): Uint8Array[] {
    const { nowMs, lifetimeMs = this.#svidLifetimeMs } = request;
    if (!(lifetimeMs >= SVID_LIFETIME_MS_MIN && lifetimeMs <= this.#svidLifetimeMs)) {
      throw unusable(`it may not issue an SVID for ${lifetimeMs} ms`);
    }
    const spiffeId = nodeSpiffeId(this.trustDomain, request.name);
    const nodeId = fromHex(nodeIdOf(this.#deps.engine, request.ed25519, request.mldsa65));
    return this.#issueLeaf({
      role: { kind: "node", nodeId, selectors: request.selectors ?? [] },
      spiffeId,
      publicKey: request.mldsa65,
      nowMs,
      lifetimeMs,
    });
  }

  /**
   * Issues a workload's SVID with an ML-DSA-65 key; the chain, leaf first, without the root. It ends with the intermediate at
   * the latest. That the workload may have the id, the caller has seen to.
   * @throws MeshError `identity/issuer-unusable`
   */
  issueWorkloadSvid(request: WorkloadSvidRequest): Uint8Array[] {
    const { dnsNames, ...rest } = request;
    return this.#issueLeaf({ role: { kind: "workload", dnsNames }, ...rest });
  }

  #issueLeaf(
    request: Pick<CertificateContent, "role" | "spiffeId" | "publicKey"> & {
      readonly nowMs: WallMs;
      readonly lifetimeMs: number;
    },
  ): Uint8Array[] {
    const { nowMs, lifetimeMs, ...content } = request;
    const { engine, random } = this.#deps;
    this.ensureIntermediate(nowMs);
    const authority = this.#intermediate;
    if (authority === undefined) throw unusable("there is no intermediate authority");
    const { notBeforeMs, notAfterMs, subject } = authority.parsed;
    const leaf = signCertificate(
      { engine, random, signer: mlDsaCertificates(authority.signer) },
      {
        ...content,
        notBeforeMs: Math.max(nowMs - NOT_BEFORE_BACKDATE_MS, notBeforeMs) as WallMs,
        notAfterMs: Math.min(nowMs + lifetimeMs, notAfterMs) as WallMs,
        issuer: subject,
      },
    );
    return [leaf, authority.certificate];
  }

  #makeIntermediate(signer: MlDsaSigner, nowMs: WallMs, notAfterMs: WallMs): ActiveIntermediate {
    const { engine, random } = this.#deps;
    const seed = random.bytes(AUTHORITY_SEED_BYTES);
    const { publicKey } = engine.mlDsa65.signer(seed);
    const certificate = this.#signIntermediate(signer, { publicKey, nowMs, notAfterMs });
    return this.#adopt({ seed, certificate });
  }

  /**
   * Signs the intermediate of another issuer, which has proven that it holds the key; DER.
   * @throws MeshError `identity/issuer-unusable` without the root's key, or when the root ends before
   */
  certify(publicKey: Uint8Array, nowMs: WallMs, lifetimeMs: number): Uint8Array {
    const signer = this.#deps.rootSigner;
    const notAfterMs = (nowMs + lifetimeMs) as WallMs;
    if (signer === undefined || notAfterMs > this.#root.notAfterMs)
      throw unusable("the root key is not here, or the root certificate ends too soon");
    return this.#signIntermediate(signer, { publicKey, nowMs, notAfterMs });
  }

  #signIntermediate(
    signer: MlDsaSigner,
    validity: {
      readonly publicKey: Uint8Array;
      readonly nowMs: WallMs;
      readonly notAfterMs: WallMs;
    },
  ): Uint8Array {
    const { engine, random } = this.#deps;
    const { publicKey, nowMs, notAfterMs } = validity;
    return signCertificate(
      { engine, random, signer: mlDsaCertificates(signer) },
      {
        role: {
          kind: "authority",
          commonName: authorityName(engine, "issuer", publicKey),
          pathLength: 0,
        },
        spiffeId: authorityId(this.trustDomain),
        publicKey,
        notBeforeMs: Math.max(nowMs - NOT_BEFORE_BACKDATE_MS, this.#root.notBeforeMs) as WallMs,
        notAfterMs,
        issuer: this.#root.subject,
      },
    );
  }

  #adopt(intermediate: IntermediateAuthority): ActiveIntermediate {
    const parsed = readAuthority(
      intermediate.certificate,
      this.trustDomain,
      "the intermediate certificate",
    );
    const signer = this.#deps.engine.mlDsa65.signer(intermediate.seed);
    if (!equalBytes(signer.publicKey, parsed.publicKey)) {
      throw unusable("the intermediate key is not the one in its certificate");
    }
    if (
      !equalBytes(parsed.issuer, this.#root.subject) ||
      parsed.authorityKeyId !== this.#root.subjectKeyId
    ) {
      throw unusable("the root did not issue the intermediate certificate");
    }
    return { ...intermediate, parsed, signer };
  }
}

function isYoung({ notBeforeMs, notAfterMs }: ParsedCertificate, nowMs: WallMs): boolean {
  return nowMs < notBeforeMs + (notAfterMs - notBeforeMs) / 2;
}

function readAuthority(der: Uint8Array, trustDomain: string, what: string): ParsedCertificate {
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw unusable(`${what} does not parse (${parsed.code})`);
  const code = checkAuthorityProfile(parsed.value, trustDomain);
  if (code !== undefined) throw unusable(`${what} is no authority of '${trustDomain}' (${code})`);
  return parsed.value;
}

/** The trust domain's own SPIFFE id: an authority's id has no path (X509-SVID.md section 3.1). */
export function authorityId(trustDomain: string): string {
  if (!isTrustDomain(trustDomain)) nodeSpiffeId(trustDomain, "x");
  return formatSpiffeId({ trustDomain, segments: [] });
}

export function authorityName(
  engine: Pick<CryptoEngine, "sha256">,
  kind: string,
  publicKey: Uint8Array,
): string {
  return `x0tta6bl4 ${kind} ${keyIdOf(engine, publicKey).slice(0, NAME_KEY_DIGITS)}`;
}

function unusable(reason: string): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/issuer-unusable",
    `Cannot issue credentials: ${reason}. Check the issuer's key files and its clock.`,
  );
}
