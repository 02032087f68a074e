// What two simulated mesh nodes say to each other beside gossip: pings, pings on behalf of others, identity records, beacons
// that one of them missed, and what training takes. In production these are libp2p streams.

import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { LearningDatagram } from "./learning/learning-datagrams.ts";
import type { Datagram } from "./node-types.ts";

/** An answer carries the number of its question, which is unique at the node that asked. */
export type MeshDatagram = Datagram &
  /** `suspect`: the sender suspects the receiver. */
  (
    | { readonly kind: "ping"; readonly suspect: boolean }
    | { readonly kind: "pong" }
    /** Please ping this node for me. */
    | { readonly kind: "ping-for"; readonly target: NodeId }
    | { readonly kind: "ping-for-result"; readonly alive: boolean }
    | { readonly kind: "who-is"; readonly nodeId: NodeId }
    | { readonly kind: "identity"; readonly identity: PeerIdentity | undefined }
    | { readonly kind: "pull"; readonly digest: Uint8Array }
    | { readonly kind: "beacons"; readonly beacons: readonly Uint8Array[] }
    | LearningDatagram
  );

/** What a certificate chain with two ML-DSA-65 signatures takes on the wire, about. */
export const IDENTITY_BYTES = 12_000;
/** A ping, a question, a short answer. */
export const SMALL_BYTES = 48;
