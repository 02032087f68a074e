// Whether a peer may be here, now: by its chain against the bundle, and by the policy. One whose chain is no longer good is
// asked for a newer one before it is dropped.

import type { Network } from "../adapters/libp2p/network.ts";
import { refuse } from "../foundation/index.ts";
import type { AuthenticatedPeer } from "../handshake/index.ts";
import {
  type AuditTrail,
  type ChainVerifier,
  type PeerIdentity,
  signerOf,
  type TrustBundle,
} from "../identity/index.ts";
import type { Clock, Logger } from "../ports/index.ts";
import type { NodeIdentities } from "./identity-directory.ts";
import type { Access } from "./policy.ts";
import type { BundleSpread } from "./trust/bundle-spread.ts";

/** Peers that lost their authority are asked for a new chain so many at a time and so long: all are gone within five seconds. */
const REFRESHES_MAX = 64;
const REFRESH_MS = 2_000;

export interface PeerStandingDeps {
  readonly verifier: ChainVerifier;
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: AuditTrail;
  readonly bundle: () => TrustBundle;
  /** How long past its end a peer's SVID counts. */
  readonly toleranceMs: number;
  /** The parts of the node that come to be after this one. */
  readonly network: () => Network;
  readonly identities: () => NodeIdentities;
  readonly spread: () => BundleSpread;
}

export class PeerStanding {
  readonly #deps: PeerStandingDeps;

  constructor(deps: PeerStandingDeps) {
    this.#deps = deps;
  }

  /** A classical chain that the policy does not take is no identity at all, wherever it is from. */
  verify(chain: readonly Uint8Array[], ed25519: Uint8Array): ReturnType<ChainVerifier["verify"]> {
    const { verifier, access, clock } = this.#deps;
    const verified = verifier.verify({ chain, ed25519, now: clock.now().wallMs });
    if (!verified.ok || verified.value.isClassical !== true) return verified;
    return access.allows(verified.value.spiffeId, "mesh.classical")
      ? verified
      : refuse("identity/classical-denied");
  }

  /** By the policy. Asked when it matters, a no is a denial (`allows`). */
  mayBeHere({ spiffeId, isClassical = false }: PeerIdentity, ask: "allows" | "permits"): boolean {
    const { access } = this.#deps;
    const mayJoin = access[ask](spiffeId, "mesh.join");
    return mayJoin && (!isClassical || access[ask](spiffeId, "mesh.classical"));
  }

  /** A connection outlives the SVID of its handshake: a peer that has renewed since then is taken by its new one. */
  async asOfNow(peer: AuthenticatedPeer): Promise<AuthenticatedPeer> {
    if (peer.kind !== "svid") return peer;
    const { nodeId, notAfterMs } = peer.identity;
    const identities = this.#deps.identities();
    const now = this.#deps.clock.now().wallMs;
    if (now > (identities.lookup(nodeId)?.notAfterMs ?? notAfterMs))
      await identities.fetch(nodeId, nodeId);
    return { ...peer, identity: identities.lookup(nodeId) ?? peer.identity };
  }

  /** The policy has changed: who lost the right to be here goes. */
  applyPolicy(): void {
    for (const peer of this.#deps.network().connectedPeers()) {
      if (this.mayBeHere(peer, "permits")) continue;
      void this.#drop(peer, "handshake/not-allowed", "peer lost its right to join");
    }
  }

  /** The bundle has changed: who is not vouched for any more goes, unless it soon shows another chain. */
  async applyBundle(): Promise<void> {
    const suspects = this.#deps
      .network()
      .connectedPeers()
      .flatMap((peer) => {
        const { chain, ed25519 } = this.#known(peer);
        const verified = this.verify(chain, ed25519);
        return verified.ok ? [] : [{ peer, code: verified.code }];
      });
    const work = async (): Promise<void> => {
      for (let next = suspects.shift(); next !== undefined; next = suspects.shift())
        await this.#refreshOrDrop(next.peer, next.code, REFRESH_MS);
    };
    await Promise.all(Array.from({ length: REFRESHES_MAX }, work));
  }

  /** Looks for chains that have ended, or that soon will not count. */
  upkeep(): void {
    const { clock, bundle, network, toleranceMs } = this.#deps;
    const now = clock.now().wallMs;
    const tainted = new Set<string | undefined>(bundle().notes?.tainted);
    for (const peer of network().connectedPeers()) {
      const { chain, notAfterMs } = this.#known(peer);
      // It renews: with its new chain here, the revocation to come finds nothing to drop.
      if (tainted.size > 0 && tainted.has(signerOf(chain)))
        void this.#deps.identities().fetch(peer.nodeId, peer.nodeId);
      if (now > notAfterMs + toleranceMs) void this.#refreshOrDrop(peer, "identity/expired");
    }
  }

  #known(peer: PeerIdentity): PeerIdentity {
    return this.#deps.identities().lookup(peer.nodeId) ?? peer;
  }

  /** A peer renews without a new handshake: it is asked for its new chain before it is dropped. */
  async #refreshOrDrop(peer: PeerIdentity, code: string, withinMs?: number): Promise<void> {
    const { nodeId } = peer;
    // It is told why, and may have renewed by what it is told.
    const told = withinMs === undefined ? Promise.resolve() : this.#deps.spread().tell(nodeId);
    const fetched = told.then(() => this.#deps.identities().fetch(nodeId, nodeId));
    if (await (withinMs === undefined ? fetched : Promise.race([fetched, later(withinMs)]))) return;
    await this.#drop(peer, code, "peer disconnected: its SVID is no longer good");
  }

  async #drop({ nodeId, spiffeId }: PeerIdentity, code: string, message: string): Promise<void> {
    const { logger, audit, network } = this.#deps;
    logger.warn({ code, nodeId, spiffeId }, message);
    audit.note({ event: "peer.drop", subject: spiffeId, fields: { nodeId, code } });
    await network().disconnect(nodeId);
  }
}

/** False, after a while. */
function later(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false));
}
