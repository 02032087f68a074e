// The gossip validator: cheap checks first, the signature last, one code for each refusal.
// Order: size, form, rate, replay, identity known and unexpired, policy, signature, equivocation.
// A message is charged to its origin only once it is proven to be the origin's; until then it is charged to the peer
// that brought it. So a forger cannot spend the rate of the node whose name it uses.

import { type CryptoEngine, type MlDsaVerification, verifyLink } from "../../crypto/index.ts";
import { type Refusal, refuse } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Meter, Now, WallMs } from "../../ports/index.ts";
import type { Intake, MeshDeps, Release, SignatureHandling } from "../machine-types.ts";
import type { AcceptedBeacon, Member } from "../membership/member.ts";
import type { Quarantine } from "../membership/quarantine.ts";
import type { Roster } from "../membership/roster.ts";
import { ownIntake } from "../intake.ts";
import type { MeshOptions } from "../options.ts";
import type { ReadContradiction } from "./contradiction.ts";
import { encodeProof } from "./equivocation.ts";
import { decodeHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { decodeRelease, releaseContext } from "./release.ts";
import { RateLimiter } from "./rate-limiter.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";
import { beaconContext, type UnverifiedBeacon } from "./state-beacon.ts";

/** A refusal with what is known of the message. */
export type Refused = Refusal<BeaconRejectCode> & {
  /** Under whose name the message came, when it could be parsed. */
  readonly nodeId?: NodeId;
  /** With `mesh/equivocation`: the proof, ready to publish. */
  readonly proof?: Uint8Array;
  /** With `mesh/own-ahead`: the epoch of that beacon. */
  readonly epoch?: number;
};

/** The directory lacks the identity: fetch it and ask again. */
export interface NeedIdentity {
  readonly ok: "need-identity";
  readonly nodeId: NodeId;
}

/** All is well but for the signatures, which the caller wants to verify itself. */
export interface NeedSignature {
  readonly ok: "need-signature";
  readonly jobs: readonly MlDsaVerification[];
}

export type StateCheck =
  | { readonly ok: true; readonly accepted: AcceptedBeacon; readonly identity: PeerIdentity }
  | Refused
  | NeedIdentity
  | NeedSignature;

export type HeartbeatCheck =
  | {
      readonly ok: true;
      readonly member: Member;
      readonly heartbeat: Heartbeat;
      readonly position: number;
    }
  | Refused;

export type ProofCheck =
  | { readonly ok: true; readonly nodeId: NodeId }
  | Refused
  | NeedIdentity
  | NeedSignature;

export type ReleaseCheck =
  | { readonly ok: true; readonly release: Release }
  | Refused
  | NeedIdentity
  | NeedSignature;

/** What the validator must know of the own node. */
export interface OwnBeacon {
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly sequence: number;
  /** Digest of the newest own beacon. */
  readonly digest: string;
}

type ValidatorDeps = Pick<MeshDeps, "identities" | "allows" | "intake"> & {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly meter: Meter;
  readonly roster: Roster;
  readonly quarantine: Quarantine;
  readonly read: ReadContradiction;
  /** ML-DSA-65 public key of the own node. */
  readonly ownKey: Uint8Array;
  readonly own: () => OwnBeacon;
  /** Whether a node is one for this node's roster: of its zone, or about to be. */
  readonly concerns: (nodeId: NodeId, zone: string) => boolean;
};

/** Checks messages against the roster; changes nothing but its token buckets. */
export class BeaconValidator {
  readonly #deps: ValidatorDeps;
  readonly #options: MeshOptions;
  readonly #intake: Intake;
  readonly #states: RateLimiter;
  readonly #heartbeats: RateLimiter;
  readonly #forwarders: RateLimiter;

  constructor(deps: ValidatorDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#intake = deps.intake ?? ownIntake;
    const { bucketsMax, heartbeatIntervalMs, heartbeatsPerInterval } = options;
    this.#states = new RateLimiter({
      ...{ burst: options.stateBurst, perSecond: options.statePerSecond, bucketsMax },
    });
    this.#heartbeats = new RateLimiter({
      burst: options.heartbeatBurst,
      perSecond: (heartbeatsPerInterval * 1000) / heartbeatIntervalMs,
      bucketsMax,
    });
    this.#forwarders = new RateLimiter({
      ...{ burst: options.forwarderBurst, perSecond: options.forwarderPerSecond, bucketsMax },
    });
  }

  /** A state beacon. */
  state(bytes: Uint8Array, from: NodeId, now: Now, signatures: SignatureHandling): StateCheck {
    this.#settle(from, signatures);
    return this.#charged(from, now, this.#checkState(bytes, from, now, signatures));
  }

  /** A heartbeat; the caller moves the member's place in its chain. */
  heartbeat(bytes: Uint8Array, from: NodeId, now: Now): HeartbeatCheck {
    return this.#charged(from, now, this.#checkHeartbeat(bytes, from, now));
  }

  /** A proof that a node contradicted itself, in this protocol or in another. */
  proof(bytes: Uint8Array, from: NodeId, now: Now, signatures: SignatureHandling): ProofCheck {
    this.#settle(from, signatures);
    return this.#charged(from, now, this.#checkProof(bytes, from, now, signatures));
  }

  /** A deferred message was charged in advance, so that no peer has more under way than it may forge. */
  #settle(from: NodeId, signatures: SignatureHandling): void {
    if (signatures === "valid" || signatures === "invalid") this.#forwarders.refund(from);
  }

  /** A release from quarantine. */
  release(bytes: Uint8Array, from: NodeId, now: Now, signatures: SignatureHandling): ReleaseCheck {
    this.#settle(from, signatures);
    return this.#charged(from, now, this.#checkRelease(bytes, from, now, signatures));
  }

  #charged<Check extends StateCheck | HeartbeatCheck | ProofCheck | ReleaseCheck>(
    from: NodeId,
    now: Now,
    check: Check,
  ): Check {
    if (check.ok === true) this.#forwarders.refund(from);
    else if (check.ok !== false || isForwardersDoing(check.code)) {
      this.#forwarders.take(from, now.monoMs);
    }
    return check;
  }

  #checkState(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: SignatureHandling,
  ): StateCheck {
    const decoded = this.#intake.decode(bytes);
    if (!decoded.ok) return decoded;
    const { beacon, signed } = decoded.value;
    const { nodeId } = beacon;
    const blamed = (code: BeaconRejectCode): Refused => ({ ...refuse(code), nodeId });
    if (!this.#forwarders.has(from, now.monoMs)) return blamed("mesh/forwarder-rate");
    if (!this.#states.has(nodeId, now.monoMs)) return blamed("mesh/origin-rate");
    const digest = this.#intake.digest(signed, this.#deps.engine);
    const accepted: AcceptedBeacon = { beacon, bytes, digest };
    if (nodeId === this.#deps.own().nodeId) {
      return this.#checkOwn(decoded.value, digest, signatures);
    }
    if (beacon.epoch < this.#deps.quarantine.floorOf(nodeId)) return blamed("mesh/stale-epoch");
    const member = this.#deps.roster.get(nodeId);
    const replay = replayCode(member, accepted);
    if (replay !== undefined && replay !== "mesh/equivocation") return blamed(replay);
    if (member === undefined && !this.#deps.concerns(nodeId, beacon.zone))
      return blamed("mesh/foreign-zone");
    if (member === undefined && !this.#deps.roster.hasRoom()) return blamed("mesh/members-full");
    const identity = this.#deps.identities.lookup(nodeId);
    if (identity === undefined) return { ok: "need-identity", nodeId };
    if (this.#isExpired(identity.notAfterMs, now)) return blamed("mesh/identity-expired");
    if (!this.#deps.allows(identity.spiffeId, "beacon.publish")) return blamed("mesh/not-allowed");
    const genuine = this.#genuine(identity.mldsa65, [decoded.value], signatures);
    if (genuine !== true) return genuine === false ? blamed("mesh/bad-signature") : genuine;
    if (replay === "mesh/equivocation") {
      return { ...blamed(replay), proof: equivocationProof(member, accepted) };
    }
    this.#states.take(nodeId, now.monoMs);
    return { ok: true, accepted: { beacon, bytes: this.#intake.keep(bytes), digest }, identity };
  }

  /** The same allowance for clocks as where a connection is made: a peer that may connect may also be heard. */
  #isExpired(notAfterMs: WallMs, now: Now): boolean {
    const { clockSkewMs, svidGraceMs } = this.#options;
    return notAfterMs + clockSkewMs + svidGraceMs <= now.wallMs;
  }

  /** An own beacon that is no echo: another life of this node is ahead, which its signature must prove. */
  #checkOwn(
    unverified: UnverifiedBeacon,
    digest: string,
    signatures: SignatureHandling,
  ): Refused | NeedSignature {
    const own = this.#deps.own();
    const { epoch, sequence, nodeId } = unverified.beacon;
    const ahead =
      epoch > own.epoch ||
      (epoch === own.epoch &&
        (sequence > own.sequence || (sequence === own.sequence && digest !== own.digest)));
    if (!ahead) return { ...refuse("mesh/own"), nodeId };
    const genuine = this.#genuine(this.#deps.ownKey, [unverified], signatures);
    if (genuine === false) return { ...refuse("mesh/bad-signature"), nodeId };
    if (genuine !== true) return genuine;
    return { ...refuse("mesh/own-ahead"), nodeId, epoch };
  }

  #checkHeartbeat(bytes: Uint8Array, from: NodeId, now: Now): HeartbeatCheck {
    const decoded = decodeHeartbeat(bytes);
    if (!decoded.ok) return decoded;
    const heartbeat = decoded.value;
    const { nodeId, epoch, index } = heartbeat;
    const blamed = (code: BeaconRejectCode): Refused => ({ ...refuse(code), nodeId });
    if (!this.#forwarders.has(from, now.monoMs)) return blamed("mesh/forwarder-rate");
    if (!this.#heartbeats.has(nodeId, now.monoMs)) return blamed("mesh/origin-rate");
    if (nodeId === this.#deps.own().nodeId) return blamed("mesh/own");
    if (epoch < this.#deps.quarantine.floorOf(nodeId)) return blamed("mesh/stale-epoch");
    const member = this.#deps.roster.get(nodeId);
    if (member === undefined) return blamed("mesh/unknown-origin");
    if (member.state === "quarantined") return blamed("mesh/quarantined");
    const beacon = member.accepted[0]?.beacon;
    const place = member.chain;
    if (beacon === undefined || place === undefined) return blamed("mesh/unknown-chain");
    if (epoch < beacon.epoch || (epoch === beacon.epoch && member.state === "left")) {
      return blamed("mesh/stale-epoch");
    }
    const position = index - place.base;
    if (epoch > beacon.epoch || position > place.length) return blamed("mesh/unknown-chain");
    if (position <= place.position) return blamed("mesh/heartbeat-replayed");
    if (this.#isExpired(member.identityNotAfterMs, now) && !this.#renewed(member, now)) {
      return blamed("mesh/identity-expired");
    }
    if (member.barred) return blamed("mesh/not-allowed");
    const verified = verifyLink({
      engine: this.#deps.engine,
      context: place.context,
      lastLink: place.lastLink,
      lastIndex: place.position,
      link: heartbeat.link,
      index: position,
      stepsMax: this.#options.chainStepsMax,
    });
    this.#countVerification(verified.ok ? "valid" : verified.code);
    if (!verified.ok) {
      const gap = verified.code === "crypto/chain-gap";
      return blamed(gap ? "mesh/heartbeat-too-far" : "mesh/wrong-link");
    }
    this.#heartbeats.take(nodeId, now.monoMs);
    return { ok: true, member, heartbeat, position };
  }

  #checkProof(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: SignatureHandling,
  ): ProofCheck {
    const read = this.#deps.read(bytes);
    if (!read.ok) return read;
    const { nodeId, epoch, parts, context } = read.value;
    const blamed = (code: BeaconRejectCode): Refused => ({ ...refuse(code), nodeId });
    if (!this.#forwarders.has(from, now.monoMs)) return blamed("mesh/forwarder-rate");
    if (nodeId === this.#deps.own().nodeId) return blamed("mesh/own");
    const { quarantine, roster } = this.#deps;
    if (quarantine.has(nodeId)) return blamed("mesh/quarantined");
    if (epoch < quarantine.floorOf(nodeId)) return blamed("mesh/released");
    if (!quarantine.hasRoom(nodeId)) return blamed("mesh/evidence-full");
    if (roster.get(nodeId) === undefined && !roster.hasRoom()) return blamed("mesh/members-full");
    const identity = this.#deps.identities.lookup(nodeId);
    if (identity === undefined) return { ok: "need-identity", nodeId };
    const genuine = this.#genuine(identity.mldsa65, parts, signatures, context);
    if (genuine !== true) return genuine === false ? blamed("mesh/bad-signature") : genuine;
    return { ok: true, nodeId };
  }

  /** Whom it releases is no argument for or against it: what counts is who signed. */
  #checkRelease(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: SignatureHandling,
  ): ReleaseCheck {
    const decoded = decodeRelease(bytes);
    if (!decoded.ok) return decoded;
    const { release } = decoded.value;
    const { nodeId, issuer, epochFloor } = release;
    const blamed = (code: BeaconRejectCode): Refused => ({ ...refuse(code), nodeId: issuer });
    if (!this.#forwarders.has(from, now.monoMs)) return blamed("mesh/forwarder-rate");
    const { quarantine } = this.#deps;
    const known = quarantine.get(nodeId);
    if (known?.kind === "release" && known.epoch >= epochFloor) return blamed("mesh/duplicate");
    if (known?.kind === "proof" && known.epoch >= epochFloor)
      return { ...refuse("mesh/outdated-release"), nodeId };
    if (!quarantine.hasRoom(nodeId)) return blamed("mesh/evidence-full");
    if (quarantine.has(issuer)) return blamed("mesh/quarantined");
    const identity = this.#deps.identities.lookup(issuer);
    if (identity === undefined) return { ok: "need-identity", nodeId: issuer };
    if (this.#isExpired(identity.notAfterMs, now)) return blamed("mesh/identity-expired");
    // Nobody's name with it: a member without this right is not barred from anything else.
    if (!this.#deps.allows(identity.spiffeId, "mesh.release")) return refuse("mesh/not-allowed");
    const signed = [decoded.value];
    const genuine = this.#genuine(identity.mldsa65, signed, signatures, releaseContext);
    if (genuine !== true) return genuine === false ? blamed("mesh/bad-signature") : genuine;
    return { ok: true, release };
  }

  /** Whether all beacons are signed by the key, or what is to be verified for the answer. */
  #genuine(
    publicKey: Uint8Array,
    beacons: readonly Pick<UnverifiedBeacon, "signed" | "signature">[],
    signatures: SignatureHandling,
    context = beaconContext,
  ): boolean | NeedSignature {
    const { engine, meter } = this.#deps;
    if (signatures === "defer") {
      const jobs = beacons.map(({ signed, signature }) => ({
        ...{ publicKey, message: signed, signature, context },
      }));
      return { ok: "need-signature", jobs };
    }
    const genuine =
      signatures === "inline"
        ? beacons.every(({ signed, signature }) =>
            engine.mlDsa65.verify(publicKey, signed, signature, context),
          )
        : signatures === "valid";
    const result = genuine ? "valid" : "invalid";
    meter.count("meshd_mesh_beacon_signatures_total", { result }, beacons.length);
    return genuine;
  }

  /** The SVID was renewed since the last beacon: the directory knows. */
  #renewed(member: Member, now: Now): boolean {
    const identity = this.#deps.identities.lookup(member.nodeId);
    if (identity === undefined || this.#isExpired(identity.notAfterMs, now)) return false;
    member.identityNotAfterMs = identity.notAfterMs;
    return true;
  }

  #countVerification(outcome: string): void {
    const result = outcome === "valid" ? "valid" : outcome === "crypto/chain-gap" ? "gap" : "wrong";
    this.#deps.meter.count("meshd_mesh_heartbeat_verifications_total", { result });
  }
}

/** Refusals that a well-behaved peer seldom causes; the others are the origin's or the own node's. */
function isForwardersDoing(code: BeaconRejectCode): boolean {
  return (
    code !== "mesh/origin-rate" &&
    code !== "mesh/equivocation" &&
    code !== "mesh/members-full" &&
    code !== "mesh/foreign-zone"
  );
}

/** Whether a beacon is new to this member's record; `undefined` when it is. */
function replayCode(
  member: Member | undefined,
  { beacon, digest }: AcceptedBeacon,
): BeaconRejectCode | undefined {
  if (member === undefined) return undefined;
  if (member.state === "quarantined") return "mesh/quarantined";
  const newest = member.accepted[0]?.beacon;
  if (newest === undefined || beacon.epoch > newest.epoch) return undefined;
  const twin = contradicted(member, beacon.epoch, beacon.sequence);
  if (twin !== undefined) return twin.digest === digest ? "mesh/duplicate" : "mesh/equivocation";
  if (beacon.epoch < newest.epoch || member.state === "left") return "mesh/stale-epoch";
  return beacon.sequence < newest.sequence ? "mesh/old-sequence" : undefined;
}

function contradicted(member: Member, epoch: number, sequence: number): AcceptedBeacon | undefined {
  return member.accepted.find((a) => a.beacon.epoch === epoch && a.beacon.sequence === sequence);
}

function equivocationProof(member: Member | undefined, accepted: AcceptedBeacon): Uint8Array {
  const { epoch, sequence } = accepted.beacon;
  const twin = member === undefined ? undefined : contradicted(member, epoch, sequence);
  return encodeProof(twin?.bytes ?? accepted.bytes, accepted.bytes);
}
