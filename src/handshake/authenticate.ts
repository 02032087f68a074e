// Authentication by payload: a composite Ed25519 + ML-DSA-65 signature over the transcript, tied to the PeerId
// by the certificate chain. The checks run in the one order that the protocol fixes, cheap before dear:
//
//   lengths, AEAD (the machine) -> strict parse -> PeerId -> chain -> NodeId -> Ed25519 -> ML-DSA
//   -> downgrade -> policy -> muxer

import {
  type CryptoEngine,
  compositeSign,
  compositeVerify,
  type Ed25519Signer,
  type MlDsaSigner,
} from "../crypto/index.ts";
import {
  concatBytes,
  equalBytes,
  refuse,
  type Result,
  uint32be,
  utf8Bytes,
} from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import { type AuthenticatedPeer, MESH_PROTOCOL_ID } from "./authenticated-peer.ts";
import type { HandshakeReason } from "./codes.ts";
import type { HandshakeRole, PayloadBinding, ReceivedPayload } from "./machine.ts";
import { negotiate } from "./negotiation.ts";
import { encodeBody, encodePayload, type PayloadBody, parseBody, parsePayload } from "./payload.ts";

/** Context of the composite signature: the keys sign other things under other contexts only. */
const CONTEXT = utf8Bytes("x0tta6bl4/noise-xxhfs-auth/1");

const FORMAT_VERSION = 1;
const ROLE_BYTE: Readonly<Record<HandshakeRole, number>> = { responder: 1, initiator: 2 };

/** Verification of credentials comes in through this port. */
export interface PeerVerifier {
  /**
   * The holder of a chain that is valid now, up to the bundle of its trust domain, SPIFFE rules kept, not
   * revoked, and whose NodeId extension is the hash of `ed25519` and the leaf's key.
   */
  verifyChain(chain: readonly Uint8Array[], ed25519: Uint8Array): Result<PeerIdentity, string>;
  /**
   * The leaf's ML-DSA-65 key (1952 bytes) of a chain whose root is not known, after the checks that need no
   * root: the leaf parses and its NodeId extension is the hash of `ed25519` and that key.
   */
  parseLeafKey(
    chain: readonly Uint8Array[],
    ed25519: Uint8Array,
  ): Result<{ readonly mldsa65: Uint8Array }, string>;
  nodeIdOf(ed25519: Uint8Array, mldsa65: Uint8Array): NodeId;
  /** The right `mesh.join`. */
  allowsJoin(identity: PeerIdentity): boolean;
}

/** This node's keys and chain (empty while it is joining), read anew for every handshake: they rotate. */
export interface LocalCredential {
  readonly ed25519: Ed25519Signer;
  readonly mldsa65: MlDsaSigner;
  /** DER, leaf first, no root. */
  readonly svidChain: readonly Uint8Array[];
}

/** What this node tells and expects. */
export interface AuthenticationOptions {
  readonly role: HandshakeRole;
  /** Empty: muxers are negotiated by multistream-select afterwards. */
  readonly streamMuxers: readonly string[];
  /** Ordered; must be what is registered with libp2p. */
  readonly securityProtocols: readonly string[];
  /** Whether the Ed25519 key is the one of the PeerId that was dialled; absent when any peer will do. */
  readonly isExpectedPeer?: (ed25519: Uint8Array) => boolean;
  /** Responder: whether one more peer without a credential may come in now. Default never. */
  readonly acceptJoining?: () => boolean;
  /** Initiator: take an issuer whose root is unknown, for a join. Default false. */
  readonly acceptUnanchored?: boolean;
}

/** A verified peer and the muxer both ends chose. */
export interface Authenticated {
  readonly peer: AuthenticatedPeer;
  readonly ed25519: Uint8Array;
  readonly streamMuxer: string | undefined;
}

/** M = version || role of the signer || h_X || its Noise key || uint32 BE length || body. */
export function signedMessage(
  signer: HandshakeRole,
  binding: PayloadBinding,
  body: Uint8Array,
): Uint8Array {
  return concatBytes(
    Uint8Array.of(FORMAT_VERSION, ROLE_BYTE[signer]),
    binding.handshakeHash,
    binding.staticPublicKey,
    uint32be(body.length),
    body,
  );
}

/** Makes and signs this node's payload. */
export function sealMeshPayload(
  engine: Pick<CryptoEngine, "sha512">,
  credential: LocalCredential,
  options: Pick<AuthenticationOptions, "role" | "streamMuxers" | "securityProtocols">,
  binding: PayloadBinding,
): Uint8Array {
  const { ed25519, mldsa65, svidChain } = credential;
  const body = encodeBody({
    ed25519: ed25519.publicKey,
    svidChain,
    streamMuxers: options.streamMuxers,
    securityProtocols: options.securityProtocols,
    mldsa65: svidChain.length === 0 ? mldsa65.publicKey : undefined,
  });
  const message = signedMessage(options.role, binding, body);
  return encodePayload({ body, signature: compositeSign(credential, engine, message, CONTEXT) });
}

export interface AuthenticationDeps {
  readonly engine: Pick<CryptoEngine, "sha512" | "mlDsa65" | "ed25519">;
  readonly verifier: PeerVerifier;
}

type Check<T> = Result<T, HandshakeReason>;

/** A peer whose key is known from its credential, before its signatures are verified. */
interface Claimed {
  readonly peer: AuthenticatedPeer;
  readonly mldsa65: Uint8Array;
}

/** Verifies a received payload. `options` are this node's own. Never throws on hostile input. */
export function authenticatePeer(
  deps: AuthenticationDeps,
  options: AuthenticationOptions,
  received: ReceivedPayload,
): Check<Authenticated> {
  const outer = parsePayload(received.payload);
  if (!outer.ok) return outer;
  const { body, signature } = outer.value;
  const parsed = parseBody(body);
  if (!parsed.ok) return parsed;
  const { ed25519, streamMuxers, securityProtocols } = parsed.value;
  if (options.isExpectedPeer?.(ed25519) === false) return refuse("handshake/wrong-peer");
  const claimed = checkCredential(deps.verifier, options, parsed.value);
  if (!claimed.ok) return claimed;
  const { peer, mldsa65 } = claimed.value;

  const signer: HandshakeRole = options.role === "initiator" ? "responder" : "initiator";
  const message = signedMessage(signer, received, body);
  if (!compositeVerify(deps.engine, { ed25519, mldsa65 }, message, CONTEXT, signature)) {
    return refuse("handshake/bad-signature");
  }
  if (isDowngraded(options, securityProtocols)) return refuse("handshake/downgrade");
  if (peer.kind === "svid" && !deps.verifier.allowsJoin(peer.identity)) {
    return refuse("handshake/not-allowed", peer.identity.spiffeId);
  }
  const muxer = chooseMuxer(options, streamMuxers);
  if (!muxer.ok) return muxer;
  return { ok: true, value: { peer, ed25519, streamMuxer: muxer.value } };
}

function checkCredential(
  verifier: PeerVerifier,
  options: AuthenticationOptions,
  body: PayloadBody,
): Check<Claimed> {
  if (body.mldsa65 !== undefined)
    return checkJoining(verifier, options, body.ed25519, body.mldsa65);
  if (options.role === "initiator" && options.acceptUnanchored === true) {
    return checkUnanchored(verifier, body);
  }
  const verified = verifier.verifyChain(body.svidChain, body.ed25519);
  if (!verified.ok) return refuse("handshake/bad-chain", verified.code);
  const identity = verified.value;
  // The verifier has tied the keys to the chain; that it did is worth a hash to make sure of.
  if (
    !equalBytes(identity.ed25519, body.ed25519) ||
    identity.nodeId !== verifier.nodeIdOf(body.ed25519, identity.mldsa65)
  ) {
    return refuse("handshake/bad-node-id");
  }
  const peer = { kind: "svid", suite: "xxhfs-mldsa65", identity } as const;
  return { ok: true, value: { peer, mldsa65: identity.mldsa65 } };
}

function checkJoining(
  verifier: PeerVerifier,
  options: AuthenticationOptions,
  ed25519: Uint8Array,
  mldsa65: Uint8Array,
): Check<Claimed> {
  if (options.role === "initiator" || options.acceptJoining?.() !== true) {
    return refuse("handshake/joining-refused");
  }
  const nodeId = verifier.nodeIdOf(ed25519, mldsa65);
  const peer = { kind: "joining", suite: "xxhfs-mldsa65", nodeId, ed25519, mldsa65 } as const;
  return { ok: true, value: { peer, mldsa65 } };
}

function checkUnanchored(
  verifier: PeerVerifier,
  { svidChain, ed25519 }: PayloadBody,
): Check<Claimed> {
  const leaf = verifier.parseLeafKey(svidChain, ed25519);
  if (!leaf.ok) return refuse("handshake/bad-chain", leaf.code);
  const { mldsa65 } = leaf.value;
  const nodeId = verifier.nodeIdOf(ed25519, mldsa65);
  const suite = "xxhfs-mldsa65";
  const peer = { kind: "unanchored", suite, nodeId, ed25519, mldsa65, chain: svidChain } as const;
  return { ok: true, value: { peer, mldsa65 } };
}

/** Both ends must come to the protocol that is running from the lists that both have signed. */
function isDowngraded(options: AuthenticationOptions, remote: readonly string[]): boolean {
  if (!remote.includes(MESH_PROTOCOL_ID)) return true;
  return negotiate(options.role, options.securityProtocols, remote) !== MESH_PROTOCOL_ID;
}

/**
 * The muxer of two lists; undefined if one end names none, which leaves it to multistream-select.
 * Two lists without a common entry are an error.
 */
export function chooseMuxer(
  { role, streamMuxers }: Pick<AuthenticationOptions, "role" | "streamMuxers">,
  remote: readonly string[],
): Check<string | undefined> {
  if (streamMuxers.length === 0 || remote.length === 0) return { ok: true, value: undefined };
  const value = negotiate(role, streamMuxers, remote);
  return value === undefined ? refuse("handshake/no-common-muxer") : { ok: true, value };
}
