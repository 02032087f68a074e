// What happens with a message after the validator has spoken: the roster learns, verdict and actions go out.

import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { Meter, MonoMs, Now } from "../ports/index.ts";
import { isProof } from "./beacons/contradiction.ts";
import type { BeaconPublisher } from "./beacons/publisher.ts";
import { type BeaconRejectCode, verdictOf } from "./beacons/reject-codes.ts";
import { beaconKinds, type StateBeacon } from "./beacons/state-beacon.ts";
import type { BeaconValidator, HeartbeatCheck, Refused } from "./beacons/validator.ts";
import type { Evidence } from "./evidence.ts";
import type {
  BeaconAcceptCode,
  GossipVerdict,
  MeshAction,
  NeedSignatures,
  SignatureHandling,
} from "./machine-types.ts";
import { advance, placeAfterBeacon } from "./membership/chain-place.ts";
import type { FailureDetector } from "./membership/detector.ts";
import { type AcceptedBeacon, currentBeacon } from "./membership/member.ts";
import type { Roster } from "./membership/roster.ts";
import type { SummaryVerdict } from "./zones/zones.ts";
import type { MeshOptions } from "./options.ts";
import { offenceOf, type Reputation } from "./reputation.ts";

/** Accepted beacons kept per member: the newest, and one more to catch a contradiction that arrives late. */
const ACCEPTED_KEPT = 2;
/** An epoch has 32 bits. */
const EPOCH_MAX = 0xffff_ffff;

type VerdictBody =
  | { readonly verdict: "accept"; readonly code: BeaconAcceptCode }
  | { readonly verdict: "reject" | "ignore"; readonly code: BeaconRejectCode }
  | { readonly verdict: "need-identity"; readonly nodeId: NodeId }
  | NeedSignatures;

interface InboxDeps {
  readonly self: NodeId;
  readonly roster: Roster;
  readonly validator: BeaconValidator;
  readonly publisher: BeaconPublisher;
  readonly detector: FailureDetector;
  readonly evidence: Evidence;
  readonly reputation: Reputation;
  readonly meter: Meter;
  readonly emit: (action: MeshAction) => void;
}

/** Refusals that show a gap in what this node knows; the peer that brought the message can fill it. */
const gaps: ReadonlySet<BeaconRejectCode> = new Set<BeaconRejectCode>([
  "mesh/unknown-origin",
  "mesh/unknown-chain",
  "mesh/heartbeat-too-far",
]);
/** Echoes that every mesh has; not worth remembering as a member's last error. */
const echoes: ReadonlySet<BeaconRejectCode> = new Set<BeaconRejectCode>([
  "mesh/duplicate",
  "mesh/old-sequence",
  "mesh/heartbeat-replayed",
]);

/** Applies messages. */
export class Inbox {
  readonly #deps: InboxDeps;
  readonly #options: MeshOptions;
  readonly #pulledAtMs = new Map<NodeId, MonoMs>();

  constructor(deps: InboxDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Takes one message; the actions are those of the verdict's union without the list. */
  receive(bytes: Uint8Array, from: NodeId, now: Now, signatures: SignatureHandling): VerdictBody {
    const verdict = this.#dispatch(bytes, from, now, signatures);
    const { meter } = this.#deps;
    if (verdict.verdict === "accept") {
      meter.count("meshd_mesh_beacons_accepted_total", { kind: verdict.code });
    } else if (verdict.verdict === "need-identity") {
      meter.count("meshd_mesh_identity_requests_total");
    } else if (verdict.verdict !== "need-signature") {
      meter.count("meshd_mesh_beacons_rejected_total", { code: verdict.code });
      const isEvidence = isProof(bytes) || bytes[0] === beaconKinds.release;
      const offence = offenceOf(verdict.code, isEvidence);
      if (offence !== undefined) this.#deps.reputation.penalise(from, offence, now.monoMs);
    }
    return verdict;
  }

  /** Asks a connected peer for what is lacking, at most once per pull interval. */
  pull(peer: NodeId, now: Now): void {
    if (this.#deps.roster.get(peer)?.connected !== true) return;
    const lastMs = this.#pulledAtMs.get(peer);
    if (lastMs !== undefined && now.monoMs - lastMs < this.#options.pullIntervalMs) return;
    this.#pulledAtMs.set(peer, now.monoMs);
    this.#deps.emit({ kind: "pull-beacons", nodeId: peer });
  }

  /** Forgets when a peer was last asked: called when its connection is gone, so the map is bounded by connections. */
  forgetPull(peer: NodeId): void {
    this.#pulledAtMs.delete(peer);
  }

  #dispatch(bytes: Uint8Array, from: NodeId, now: Now, signatures: SignatureHandling): VerdictBody {
    const { validator } = this.#deps;
    switch (bytes[0]) {
      case beaconKinds.heartbeat: {
        const check = validator.heartbeat(bytes, from, now);
        if (!check.ok) return this.#refused(check, from, now);
        this.#applyHeartbeat(check, now);
        return { verdict: "accept", code: "heartbeat" };
      }
      case beaconKinds.state: {
        const check = validator.state(bytes, from, now, signatures);
        if (check.ok === "need-identity") return { verdict: check.ok, nodeId: check.nodeId };
        if (check.ok === "need-signature") return { verdict: check.ok, jobs: check.jobs };
        if (!check.ok) return this.#refused(check, from, now);
        this.#applyState(check.accepted, check.identity, from, now);
        return { verdict: "accept", code: "state" };
      }
      case beaconKinds.proof:
      case beaconKinds.foreign: {
        const check = validator.proof(bytes, from, now, signatures);
        if (check.ok === "need-identity") return { verdict: check.ok, nodeId: check.nodeId };
        if (check.ok === "need-signature") return { verdict: check.ok, jobs: check.jobs };
        if (!check.ok) return this.#refused(check, from, now);
        this.#deps.evidence.convict(check.nodeId, bytes.slice(), now);
        return { verdict: "accept", code: "proof" };
      }
      case beaconKinds.release: {
        const check = validator.release(bytes, from, now, signatures);
        if (check.ok === "need-identity") return { verdict: check.ok, nodeId: check.nodeId };
        if (check.ok === "need-signature") return { verdict: check.ok, jobs: check.jobs };
        if (!check.ok) return this.#refused(check, from, now);
        const { nodeId, epochFloor } = check.release;
        this.#deps.evidence.takeRelease(nodeId, epochFloor, bytes.slice(), now);
        return { verdict: "accept", code: "release" };
      }
      default:
        return this.#refused({ code: "mesh/malformed" }, from, now);
    }
  }

  #refused(
    refused: Pick<Refused, "code" | "nodeId" | "proof" | "epoch">,
    from: NodeId,
    now: Now,
  ): VerdictBody {
    const { code, nodeId, proof, epoch } = refused;
    const member = nodeId === undefined ? undefined : this.#deps.roster.get(nodeId);
    if (member !== undefined && !echoes.has(code)) member.lastErrorCode = code;
    // The policy names the node, not the message: it holds whoever sent this.
    if (member !== undefined && code === "mesh/not-allowed") member.barred = true;
    if (nodeId !== undefined && code === "mesh/outdated-release")
      this.#deps.evidence.remind(nodeId);
    if (gaps.has(code)) this.pull(from, now);
    if (code === "mesh/own-ahead" && epoch !== undefined) this.goAhead(epoch, now);
    if (code === "mesh/equivocation" && nodeId !== undefined && proof !== undefined) {
      this.#deps.emit({ kind: "publish", topic: "summary", bytes: proof });
      this.#deps.evidence.convict(nodeId, proof, now);
    }
    return { verdict: verdictOf(code), code };
  }

  /** This node's epoch goes above one that others remember: of a life that it forgot, or below a release's floor. */
  goAhead(seenEpoch: number, now: Now): void {
    const epoch = seenEpoch + 1;
    if (epoch > EPOCH_MAX) return;
    this.#deps.emit({ kind: "epoch-raised", epoch });
    this.#deps.publisher.raiseEpoch(epoch, now);
  }

  /** Somebody suspects this node: a beacon with the next sequence says otherwise, at once if the rate allows. */
  refute(now: Now): void {
    const { publisher, detector } = this.#deps;
    if (publisher.refute(now)) detector.refutedOwn();
  }

  #applyHeartbeat(check: Extract<HeartbeatCheck, { ok: true }>, now: Now): void {
    const { member, heartbeat, position } = check;
    const place = member.chain;
    if (place === undefined) return;
    const { link } = heartbeat;
    const timely = advance(place, { position, link }, now.monoMs, this.#options.lateIntervals);
    member.lastBeaconAtMs = now.monoMs;
    if (timely) this.#deps.detector.alive(member, "heartbeat", now);
    else this.#deps.meter.count("meshd_mesh_heartbeat_verifications_total", { result: "late" });
  }

  #applyState(accepted: AcceptedBeacon, identity: PeerIdentity, from: NodeId, now: Now): void {
    const { roster, detector } = this.#deps;
    const { beacon } = accepted;
    const member = roster.admit(beacon.nodeId, now.monoMs, "beacon");
    const before = currentBeacon(member);
    const sameEpoch = before?.epoch === beacon.epoch;
    member.accepted = [accepted, ...member.accepted].slice(0, ACCEPTED_KEPT);
    member.chain = placeAfterBeacon(member.chain, beacon, sameEpoch);
    member.lastBeaconAtMs = now.monoMs;
    member.identityNotAfterMs = identity.notAfterMs;
    member.name = identity.name;
    member.barred = false;
    member.lastErrorCode = undefined;
    roster.version++;
    if (beacon.status === "leaving") {
      roster.apply(member, "leaving", now.monoMs);
      return;
    }
    // Who speaks again may be reached again.
    if (member.state === "dead") {
      member.dialFailures = Math.min(member.dialFailures, 1);
      member.dialAtMs = now.monoMs;
    }
    const direct = member.connected || from === beacon.nodeId;
    if (before !== undefined && !sameEpoch) detector.alive(member, "new-epoch", now);
    else detector.alive(member, direct ? "connected" : "beacon", now);
    this.#hearReports(beacon, now);
  }

  /** Other members' suspicions: votes on a running one, and a cue to speak up when they are about this node. */
  #hearReports(beacon: StateBeacon, now: Now): void {
    const { self, roster, detector } = this.#deps;
    for (const report of beacon.neighbours) {
      if (!report.suspect) continue;
      if (report.nodeId === self) {
        this.refute(now);
        continue;
      }
      const target = roster.get(report.nodeId);
      if (target !== undefined) detector.confirm(target, beacon.nodeId);
    }
  }
}

/** The verdict with its actions. */
export function withActions(
  body: VerdictBody | SummaryVerdict,
  actions: readonly MeshAction[],
): GossipVerdict | NeedSignatures {
  return body.verdict === "need-identity" || body.verdict === "need-signature"
    ? body
    : { ...body, actions };
}
