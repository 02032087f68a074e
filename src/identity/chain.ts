// Verification of a peer's certificate chain, step by step in the order of the comments below. Everything cheap
// comes before the first signature. X509-SVID.md section 5, RFC 5280 section 6, RFC 9881.

import { type CryptoEngine, ED25519 } from "../crypto/index.ts";
import {
  equalBytes,
  MeshError,
  ok,
  refuse,
  type Refusal,
  type Result,
} from "../foundation/index.ts";
import type { WallMs } from "../ports/index.ts";
import type { ChainErrorCode } from "./errors.ts";
import { nodeIdOf } from "./node-keys.ts";
import type { NodeId, PeerIdentity } from "./peer-identity.ts";
import { checkAuthorityProfile, checkLeafProfile, type LeafName } from "./profile.ts";
import { parseAuthorities, type TrustBundle } from "./trust-bundle.ts";
import { CERTIFICATE_BYTES_MAX, type ParsedCertificate } from "./x509/certificate.ts";
import { type CertificateAlgorithm, X509_SIGNATURE_CONTEXT } from "./x509/algorithm.ts";
import { parseCertificate } from "./x509/parse.ts";

/** Most certificates of a chain, leaf included and root excluded. */
export const CHAIN_CERTIFICATES_MAX = 4;

/** The parts of an engine that verification uses. */
export type ChainEngine = Pick<CryptoEngine, "sha256" | "mlDsa65">;

/** A certificate by which an operator can revoke. */
export interface CertificateReference {
  /** Lower-case hex. */
  readonly serialNumber: string;
  /** Key identifier of its issuer, lower-case hex. */
  readonly authorityKeyId: string | undefined;
}

/** How strict the clock is and what was revoked. */
export interface ChainOptions {
  /** Tolerance at both ends of a validity, in ms. @default 0 */
  readonly clockSkewMs?: number;
  /** How long past its end a chain still counts, for times without any issuer, in ms. @default 0 */
  readonly graceMs?: number;
  /** Asked for every certificate of the chain, the root excluded. @default nothing is revoked */
  readonly isRevoked?: (certificate: CertificateReference) => boolean;
}

/** What is verified against what. */
export interface VerifyChainInput extends ChainOptions {
  readonly engine: ChainEngine;
  /** DER, leaf first, no root. */
  readonly chain: readonly Uint8Array[];
  /** The Ed25519 key that the peer proved or will prove, 32 bytes. */
  readonly ed25519: Uint8Array;
  readonly bundle: TrustBundle;
  readonly now: WallMs;
}

/** The roots of a bundle, read once. */
export interface TrustAnchors {
  readonly trustDomain: string;
  readonly roots: readonly ParsedCertificate[];
  /** Nodes that the bundle shuts out. @default none */
  readonly revoked?: ReadonlySet<NodeId>;
}

/**
 * Reads a bundle for repeated use.
 * @throws MeshError `identity/bundle-malformed`
 */
export function trustAnchors(bundle: TrustBundle): TrustAnchors {
  return {
    trustDomain: bundle.trustDomain,
    roots: parseAuthorities(bundle),
    revoked: new Set(bundle.notes?.revoked),
  };
}

/**
 * Verifies a chain to the roots of its own trust domain, now.
 * The `ed25519` key is only compared through the NodeId: that the peer holds it is the handshake's proof.
 * Codes: {@link ChainErrorCode}.
 * @throws MeshError `identity/bundle-malformed` when our own bundle is broken
 */
export function verifyChain(input: VerifyChainInput): Result<PeerIdentity, ChainErrorCode> {
  return verifyToAnchors(input, trustAnchors(input.bundle));
}

/** {@link verifyChain} with roots that were read before. */
export function verifyToAnchors(
  input: Omit<VerifyChainInput, "bundle">,
  anchors: TrustAnchors,
): Result<PeerIdentity, ChainErrorCode> {
  // 1. Bounds, then strict parsing of every certificate.
  const parsed = parseChain(input.chain);
  if (!parsed.ok) return parsed;
  const { leaf, intermediates } = parsed.value;

  // 2. The leaf is a node's X.509-SVID, and no authority.
  const leafName = checkLeafProfile(leaf);
  if (!leafName.ok) return leafName;

  // 3. Leaf and authorities belong to the trust domain of the bundle, and every authority may sign certificates.
  if (leafName.value.trustDomain !== anchors.trustDomain)
    return refuse("identity/trust-domain-mismatch");
  for (const authority of intermediates) {
    const code = checkAuthorityProfile(authority, anchors.trustDomain);
    if (code !== undefined) return refuse(code);
  }

  // 4. The NodeId in the leaf commits to both keys, and the bundle does not shut it out.
  const nodeId = checkNodeId(input.engine, leaf, input.ed25519);
  if (!nodeId.ok) return nodeId;
  if (anchors.revoked?.has(nodeId.value) === true) return refuse("identity/revoked");

  // 5. The names lead up to a root of the bundle, and no authority signs for a longer path than it may.
  const path = findPath([leaf, ...intermediates], anchors);
  if (!path.ok) return path;

  // 6. Every certificate is valid now and none was revoked.
  const window = checkValidity(path.value, input);
  if (window !== undefined) return window;

  // 7. Every signature verifies, over the bytes as received.
  for (const [index, certificate] of path.value.slice(0, -1).entries()) {
    const issuer = path.value[index + 1];
    if (issuer === undefined || !isSignedBy(input.engine, certificate, issuer))
      return refuse("identity/signature-invalid");
  }
  return ok(identityOf(input, leaf, leafName.value, nodeId.value, path.value));
}

/** A leaf's key and the NodeId it claims: read, and not trusted. */
export interface ClaimedLeaf {
  /** 1952 bytes. */
  readonly mldsa65: Uint8Array;
  readonly nodeId: NodeId;
  readonly spiffeId: string;
  readonly trustDomain: string;
}

/**
 * Reads a chain's leaf without any trust, for a peer that is not anchored yet: bounds, strict parsing, profile,
 * and that the NodeId commits to both keys. Anyone can make such a chain.
 * Codes: {@link ChainErrorCode} up to `identity/node-id-mismatch`.
 */
export function parseLeafKey(input: {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly chain: readonly Uint8Array[];
  readonly ed25519: Uint8Array;
}): Result<ClaimedLeaf, ChainErrorCode> {
  const parsed = parseChain(input.chain);
  if (!parsed.ok) return parsed;
  const { leaf } = parsed.value;
  const name = checkLeafProfile(leaf);
  if (!name.ok) return name;
  const nodeId = checkNodeId(input.engine, leaf, input.ed25519);
  if (!nodeId.ok) return nodeId;
  const { spiffeId, trustDomain } = name.value;
  return ok({ mldsa65: leaf.publicKey, nodeId: nodeId.value, spiffeId, trustDomain });
}

interface ParsedChain {
  readonly leaf: ParsedCertificate;
  readonly intermediates: readonly ParsedCertificate[];
}

function parseChain(chain: readonly Uint8Array[]): Result<ParsedChain, ChainErrorCode> {
  if (chain.length === 0 || chain.length > CHAIN_CERTIFICATES_MAX)
    return refuse("identity/chain-malformed", "length");
  if (chain.some((der) => der.length > CERTIFICATE_BYTES_MAX))
    return refuse("identity/chain-malformed", "certificate too long");
  const certificates: ParsedCertificate[] = [];
  for (const der of chain) {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return parsed;
    certificates.push(parsed.value);
  }
  const [leaf, ...intermediates] = certificates;
  if (
    leaf === undefined ||
    intermediates.some(({ issuer, subject }) => equalBytes(issuer, subject))
  ) {
    return refuse("identity/chain-malformed", "self-signed certificate");
  }
  return ok({ leaf, intermediates });
}

function checkNodeId(
  engine: Pick<CryptoEngine, "sha256">,
  leaf: ParsedCertificate,
  ed25519: Uint8Array,
): Result<NodeId, "identity/node-id-mismatch"> {
  if (ed25519.length !== ED25519.publicKeyBytes)
    return refuse("identity/node-id-mismatch", "Ed25519 key length");
  const nodeId = nodeIdOf(engine, ed25519, leaf.publicKey);
  return leaf.nodeId === nodeId ? ok(nodeId) : refuse("identity/node-id-mismatch");
}

/** The certificates with their root behind them; names and path lengths are in order, signatures are not checked yet. */
export function findPath(
  certificates: readonly ParsedCertificate[],
  { roots }: TrustAnchors,
): Result<readonly ParsedCertificate[], ChainErrorCode> {
  if (roots.length === 0) return refuse("identity/bundle-empty");
  const top = certificates.at(-1);
  const root = top && roots.find((candidate) => namesIssuer(top, candidate));
  if (root === undefined)
    return refuse("identity/untrusted", "no root of the bundle issued the chain");
  const path = [...certificates, root];
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1];
    if (issuer === undefined) break;
    if (!namesIssuer(certificate, issuer))
      return refuse("identity/untrusted", "neighbours do not belong together");
    // `index` authorities stand between this issuer and the leaf (RFC 5280 section 4.2.1.9).
    if (issuer.pathLength !== undefined && index > issuer.pathLength)
      return refuse("identity/path-too-long");
  }
  return ok(path);
}

/** Key identifier of the root that a chain leads to; undefined when its last certificate does not say. Nothing is verified. */
export function signerOf(
  chain: readonly Uint8Array[],
  algorithm: CertificateAlgorithm = "ml-dsa-65",
): string | undefined {
  const top = chain.at(-1);
  const parsed = top && parseCertificate(top, algorithm);
  return parsed?.ok === true ? parsed.value.authorityKeyId : undefined;
}

function namesIssuer(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  const keysMatch =
    certificate.authorityKeyId === undefined || certificate.authorityKeyId === issuer.subjectKeyId;
  return keysMatch && equalBytes(certificate.issuer, issuer.subject);
}

/** Why a path is not valid now; undefined when it is. */
export function checkValidity(
  path: readonly ParsedCertificate[],
  { now, clockSkewMs = 0, graceMs = 0, isRevoked }: Pick<VerifyChainInput, "now"> & ChainOptions,
): Refusal<ChainErrorCode> | undefined {
  if (!Number.isFinite(now))
    throw new MeshError("internal/invariant", "Invariant broken: the wall clock is no number.");
  for (const [index, certificate] of path.entries()) {
    const code = untimely(certificate, now, clockSkewMs, graceMs);
    if (code !== undefined) return refuse(code);
    if (index < path.length - 1 && isRevoked?.(certificate) === true)
      return refuse("identity/revoked");
  }
  return undefined;
}

/** Why a certificate is not valid at that time; undefined when it is. */
export function untimely(
  { notBeforeMs, notAfterMs }: Pick<ParsedCertificate, "notBeforeMs" | "notAfterMs">,
  nowMs: WallMs,
  clockSkewMs: number,
  graceMs = 0,
): "identity/certificate-malformed" | "identity/not-yet-valid" | "identity/expired" | undefined {
  if (notBeforeMs > notAfterMs) return "identity/certificate-malformed";
  if (nowMs < notBeforeMs - clockSkewMs) return "identity/not-yet-valid";
  return nowMs > notAfterMs + clockSkewMs + graceMs ? "identity/expired" : undefined;
}

function isSignedBy(
  engine: ChainEngine,
  certificate: ParsedCertificate,
  issuer: ParsedCertificate,
): boolean {
  return engine.mlDsa65.verify(
    issuer.publicKey,
    certificate.tbs,
    certificate.signature,
    X509_SIGNATURE_CONTEXT,
  );
}

/** Who the holder of a verified path is. */
export function identityOf(
  input: Pick<VerifyChainInput, "chain" | "ed25519">,
  leaf: ParsedCertificate,
  name: LeafName,
  nodeId: NodeId,
  path: readonly ParsedCertificate[],
): PeerIdentity {
  return {
    nodeId,
    ...name,
    ed25519: Uint8Array.from(input.ed25519),
    mldsa65: Uint8Array.from(leaf.publicKey),
    chain: input.chain.map((der) => Uint8Array.from(der)),
    notBeforeMs: Math.max(...path.map(({ notBeforeMs }) => notBeforeMs)) as WallMs,
    notAfterMs: Math.min(...path.map(({ notAfterMs }) => notAfterMs)) as WallMs,
    serialNumber: leaf.serialNumber,
    ...(leaf.nodeSelectors.length > 0 && { selectors: leaf.nodeSelectors }),
  };
}
