// Who is at the other end after a handshake, and how well that is known.

import type { NodeId, PeerIdentity } from "../identity/index.ts";

/** The protocol ids that libp2p's select sees. */
export const MESH_PROTOCOL_ID = "/x0tta6bl4/noise-xxhfs-mldsa65/1.0.0";
export const INTEROP_PROTOCOL_ID = "/noise-mlkem768-hfs/0.2.0";

/**
 * `xxhfs-mldsa65`: post-quantum secrecy and authentication, both hybrid.
 * `xxhfs-ed25519`: post-quantum secrecy, classical authentication, for other libp2p stacks.
 */
export const HANDSHAKE_SUITES = ["xxhfs-mldsa65", "xxhfs-ed25519"] as const;
export type HandshakeSuite = (typeof HANDSHAKE_SUITES)[number];

/** Keys that a peer has proven to hold. */
interface ProvenKeys {
  readonly nodeId: NodeId;
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  /** 1952 bytes. */
  readonly mldsa65: Uint8Array;
}

/** A member: its chain leads to the bundle of our trust domain, and policy lets it into the mesh. */
export interface SvidPeer {
  readonly kind: "svid";
  readonly suite: "xxhfs-mldsa65";
  readonly identity: PeerIdentity;
}

/** A node without a credential. It may open the attestation protocol and nothing else. */
export interface JoiningPeer extends ProvenKeys {
  readonly kind: "joining";
  readonly suite: "xxhfs-mldsa65";
}

/**
 * What a joining dialler sees: an issuer whose signatures hold but whose chain leads to a root that is not
 * known yet. The join client checks `chain` against the bundle digest in its token before it reveals anything.
 */
export interface UnanchoredPeer extends ProvenKeys {
  readonly kind: "unanchored";
  readonly suite: "xxhfs-mldsa65";
  /** DER certificates, leaf first, no root. Checked for the leaf's keys only. */
  readonly chain: readonly Uint8Array[];
}

/** A foreign libp2p stack: it has proven an Ed25519 key and no mesh identity. */
export interface InteropPeer {
  readonly kind: "interop";
  readonly suite: "xxhfs-ed25519";
  /** In libp2p's text form. */
  readonly peerId: string;
}

/** The peer after a handshake. */
export type AuthenticatedPeer = SvidPeer | JoiningPeer | UnanchoredPeer | InteropPeer;
