// Tokens of the mesh-wide budget of repair, as signed claims on a gossip topic: `NodeId || uint64 issued at || uint32 how long
// || ML-DSA-65 signature`. A claim says only that its signer is under repair; it moves nothing but a counter, so what a liar
// can do with it is to make others wait, and the healing machine bounds for how long.

import type { GossipDecision } from "../../adapters/libp2p/gossip.ts";
import { type CryptoEngine, ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  fromHex,
  toHex,
  uint32be,
  uint64be,
  utf8Bytes,
} from "../../foundation/index.ts";
import { type Claim, healingDefaults } from "../../healing/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import { RateLimiter } from "../../mesh/index.ts";
import type { Clock } from "../../ports/index.ts";

const CONTEXT = utf8Bytes("x0tta6bl4/repair-claim/1");
const BODY_BYTES = 32 + 8 + 4;
/** What came later than this is no news, clocks in step or not. */
const LATE_MS = 60_000;
/** Of one node: a claim, its renewal every ten seconds, its end, and as much again. */
const RATE = { perSecond: 0.5, burst: 8, bucketsMax: 4_096 };

export interface RepairClaimsDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly signer: MlDsaSigner;
  readonly self: NodeId;
  readonly clock: Clock;
  readonly clockSkewMs: number;
  readonly identityOf: (nodeId: NodeId) => PeerIdentity | undefined;
  /** Whether this node takes beacons of it, and so its claims. */
  readonly allows: (spiffeId: string) => boolean;
  readonly publish: (bytes: Uint8Array) => Promise<void>;
  readonly onClaim: (claim: Claim) => void;
}

export class RepairClaims {
  readonly #deps: RepairClaimsDeps;
  readonly #rate = new RateLimiter(RATE);
  /** The newest claim of each node; no more nodes than have an identity here. */
  readonly #newest = new Map<NodeId, number>();
  #issuedAtMs = 0;

  constructor(deps: RepairClaimsDeps) {
    this.#deps = deps;
  }

  /** Tells the mesh that this node is under repair for so long, or not any more. */
  publish(leftMs: number): Promise<void> {
    const { self, clock, signer, publish } = this.#deps;
    // The end of one claim and the next may be of one moment, and of two that are, others take the first alone.
    this.#issuedAtMs = Math.max(clock.now().wallMs, this.#issuedAtMs + 1);
    const body = concatBytes(fromHex(self), uint64be(this.#issuedAtMs), uint32be(leftMs));
    return publish(concatBytes(body, signer.sign(body, CONTEXT)));
  }

  /** Judges a claim from gossip: the cheap first, the signature last. */
  receive(bytes: Uint8Array): GossipDecision {
    if (bytes.length !== BODY_BYTES + ML_DSA_65.signatureBytes) return "reject";
    const reader = new ByteReader(bytes);
    const nodeId = toHex(reader.take(32)) as NodeId;
    const issuedAtMs = reader.uint32be() * 2 ** 32 + reader.uint32be();
    const leftMs = reader.uint32be();
    if (leftMs > healingDefaults.claimMs) return "reject";
    const { monoMs, wallMs } = this.#deps.clock.now();
    const { self, clockSkewMs, identityOf, allows, engine, onClaim } = this.#deps;
    const ageMs = wallMs - issuedAtMs;
    if (nodeId === self || Math.abs(ageMs) > LATE_MS + clockSkewMs) return "ignore";
    if (issuedAtMs <= (this.#newest.get(nodeId) ?? 0)) return "ignore";
    const identity = identityOf(nodeId);
    if (identity === undefined || !allows(identity.spiffeId)) return "ignore";
    if (!this.#rate.take(nodeId, monoMs)) return "ignore";
    const body = bytes.subarray(0, BODY_BYTES);
    if (!engine.mlDsa65.verify(identity.mldsa65, body, bytes.subarray(BODY_BYTES), CONTEXT))
      return "reject";
    this.#remember(nodeId, issuedAtMs);
    onClaim({ nodeId, leftMs });
    return "accept";
  }

  #remember(nodeId: NodeId, issuedAtMs: number): void {
    this.#newest.delete(nodeId);
    this.#newest.set(nodeId, issuedAtMs);
    const [oldest] = this.#newest.keys();
    if (this.#newest.size > RATE.bucketsMax && oldest !== undefined) this.#newest.delete(oldest);
  }
}
