// Who a peer is once its credential has been verified.

import type { WallMs } from "../ports/index.ts";

declare const nodeId: unique symbol;

/** SHA-256 over "x0tta6bl4 node id v1", the Ed25519 and the ML-DSA-65 public key: 64 lower-case hex digits. */
export type NodeId = string & { readonly [nodeId]: true };

/** A verified X.509-SVID holder. Made by chain verification only; every field comes from signed bytes. */
export interface PeerIdentity {
  readonly nodeId: NodeId;
  /** `spiffe://<trust domain>/node/<name>` */
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** The part of the SPIFFE id behind `/node/`. */
  readonly name: string;
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  /** 1952 bytes. */
  readonly mldsa65: Uint8Array;
  /** DER certificates, leaf first, no root. */
  readonly chain: readonly Uint8Array[];
  /** The validity that all certificates of the chain share. */
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
  /** Lower-case hex. */
  readonly serialNumber: string;
  /** What vouches for the name is a chain of P-256 with a binding, and not post-quantum. @default false */
  readonly isClassical?: boolean;
  /** What an attestor found out about the node when it joined. @default none */
  readonly selectors?: readonly string[];
}
