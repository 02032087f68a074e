// A node whose SVID is from elsewhere (a SPIRE agent) has a chain of P-256 with a key that is not the node's. The SVID's key then signs
// a binding: that the two keys of this node are its holder's. The chain travels with the binding as its last element:
//
//   leaf, intermediates (X.509, P-256), binding = version (1) = 1 | ML-DSA-65 public key (1952) | ECDSA signature r || s (64)
//
// The handshake still proves both of the node's keys; who stole the SVID's key cannot speak for a node that is bound already, but can
// bind keys of its own: what vouches for the name is classical. So it is taken only where the policy says so.

import { type CryptoEngine, ED25519, ML_DSA_65 } from "../crypto/index.ts";
import { concatBytes, fromHex, refuse, ok, type Result, utf8Bytes } from "../foundation/index.ts";
import {
  CHAIN_CERTIFICATES_MAX,
  checkValidity,
  findPath,
  identityOf,
  type TrustAnchors,
  type VerifyChainInput,
} from "./chain.ts";
import type { ChainErrorCode } from "./errors.ts";
import { type Es256, signatureFromDer } from "./es256.ts";
import { nodeIdOf } from "./node-keys.ts";
import type { NodeId, PeerIdentity } from "./peer-identity.ts";
import { checkAuthorityProfile, checkBoundLeafProfile } from "./profile.ts";
import type { ParsedCertificate } from "./x509/certificate.ts";
import { parseCertificate } from "./x509/parse.ts";

const VERSION = 1;
const LABEL = utf8Bytes("x0tta6bl4 node binding v1");
const SIGNATURE_BYTES = 64;
const KEY_END = 1 + ML_DSA_65.publicKeyBytes;
const BINDING_BYTES = KEY_END + SIGNATURE_BYTES;

type BindingEngine = Pick<CryptoEngine, "sha256">;

/** Whether a chain ends with a binding: no certificate begins like one. */
export function isBoundChain(chain: readonly Uint8Array[]): boolean {
  return chain.at(-1)?.[0] === VERSION;
}

/** The certificates of a chain, without a binding. */
export function certificatesOf(chain: readonly Uint8Array[]): readonly Uint8Array[] {
  return isBoundChain(chain) ? chain.slice(0, -1) : chain;
}

/** A chain with the binding of a node's keys, signed by the SVID's key (`r || s`). */
export function bindChain(
  engine: BindingEngine,
  certificates: readonly Uint8Array[],
  keys: { readonly nodeId: NodeId; readonly mldsa65: Uint8Array },
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const [leaf = new Uint8Array()] = certificates;
  const signature = sign(bindingMessage(engine, leaf, keys.nodeId));
  return [...certificates, concatBytes(Uint8Array.of(VERSION), keys.mldsa65, signature)];
}

/** Verifies a chain with its binding, now; as `verifyToAnchors`, by P-256. Codes: {@link ChainErrorCode}. */
export function verifyBoundChain(
  input: Omit<VerifyChainInput, "bundle" | "engine"> & {
    readonly engine: BindingEngine;
    readonly es256: Pick<Es256, "verify">;
  },
  anchors: TrustAnchors,
): Result<PeerIdentity, ChainErrorCode> {
  const { engine, es256, ed25519 } = input;
  // 1. Bounds, then strict parsing.
  const parsed = parseBound(input.chain);
  if (!parsed.ok) return parsed;
  const { certificates, leaf, mldsa65, signature } = parsed.value;
  if (ed25519.length !== ED25519.publicKeyBytes)
    return refuse("identity/node-id-mismatch", "Ed25519 key length");

  // 2. The leaf is named as a node and no authority; all are of the bundle's trust domain.
  const name = checkBoundLeafProfile(leaf);
  if (!name.ok) return name;
  if (name.value.trustDomain !== anchors.trustDomain)
    return refuse("identity/trust-domain-mismatch");
  for (const authority of certificates.slice(1)) {
    const code = checkAuthorityProfile(authority, anchors.trustDomain);
    if (code !== undefined) return refuse(code);
  }

  // 3. A path to a root, in time and not revoked.
  const path = findPath(certificates, anchors);
  if (!path.ok) return path;
  const window = checkValidity(path.value, input);
  if (window !== undefined) return window;

  // 4. Every signature, and last the one that binds the node's keys to the leaf.
  for (const [index, certificate] of path.value.slice(0, -1).entries()) {
    const issuer = path.value[index + 1];
    const raw = signatureFromDer(certificate.signature);
    if (issuer === undefined || raw === undefined) return refuse("identity/signature-invalid");
    if (!es256.verify(issuer.publicKey, certificate.tbs, raw))
      return refuse("identity/signature-invalid");
  }
  const nodeId = nodeIdOf(engine, ed25519, mldsa65);
  if (anchors.revoked?.has(nodeId) === true) return refuse("identity/revoked");
  if (!es256.verify(leaf.publicKey, bindingMessage(engine, leaf.der, nodeId), signature))
    return refuse("identity/node-id-mismatch", "the binding is not the leaf's");
  const identity = identityOf(
    input,
    { ...leaf, publicKey: mldsa65 },
    name.value,
    nodeId,
    path.value,
  );
  return ok({ ...identity, isClassical: true });
}

interface Bound {
  readonly certificates: readonly ParsedCertificate[];
  readonly leaf: ParsedCertificate;
  readonly mldsa65: Uint8Array;
  readonly signature: Uint8Array;
}

function parseBound(chain: readonly Uint8Array[]): Result<Bound, ChainErrorCode> {
  const binding = chain.at(-1);
  const bound = certificatesOf(chain);
  if (binding?.length !== BINDING_BYTES || chain.length > CHAIN_CERTIFICATES_MAX)
    return refuse("identity/chain-malformed", "length");
  const certificates: ParsedCertificate[] = [];
  for (const der of bound) {
    const parsed = parseCertificate(der, "es256");
    if (!parsed.ok) return parsed;
    certificates.push(parsed.value);
  }
  const [leaf] = certificates;
  if (leaf === undefined) return refuse("identity/chain-malformed", "no certificate");
  const mldsa65 = binding.subarray(1, KEY_END);
  return ok({ certificates, leaf, mldsa65, signature: binding.subarray(KEY_END) });
}

/** What the SVID's key signs: this very certificate, and the NodeId, which commits to both of the node's keys. */
function bindingMessage(engine: BindingEngine, leaf: Uint8Array, nodeId: NodeId): Uint8Array {
  return concatBytes(LABEL, engine.sha256(leaf), fromHex(nodeId));
}
