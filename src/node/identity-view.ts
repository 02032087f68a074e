// This node's own identity as the control API shows it.

import { Network } from "../adapters/libp2p/network.ts";
import type { Body, Identity } from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { toHex } from "../foundation/index.ts";
import {
  bundleDigest,
  certificatesOf,
  describeCertificate,
  type NodeKeys,
} from "../identity/index.ts";
import type { Member } from "./member.ts";

/** Its keys, and once it is enrolled what vouches for its name. */
export function identityOf(
  member: Member | undefined,
  keys: NodeKeys,
  engine: CryptoEngine,
): Body<Identity> {
  const identity = member?.svid.identity;
  return {
    nodeId: keys.nodeId,
    peerId: peerIdOf(keys),
    spiffeId: identity?.spiffeId ?? null,
    trustDomain: identity?.trustDomain ?? null,
    ed25519PublicKey: toHex(keys.ed25519.publicKey),
    mldsa65PublicKeyDigest: toHex(engine.sha256(keys.mldsa65.publicKey)),
    chain: certificatesOf(identity?.chain ?? [])
      .map(describeCertificate)
      .map(({ notBeforeMs, notAfterMs, ...names }) => ({
        ...names,
        notBefore: isoTime(notBeforeMs),
        notAfter: isoTime(notAfterMs),
      })),
    bundle:
      member === undefined
        ? null
        : {
            sequence: member.bundle.sequence,
            digest: toHex(bundleDigest(engine, member.bundle)),
            authorities: member.bundle.authorities.length,
          },
    isIssuer: member?.trust.isIssuer ?? false,
  };
}

export function peerIdOf(keys: Pick<NodeKeys, "ed25519">): string {
  return Network.peerIdOf(keys.ed25519.publicKey).toString();
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
