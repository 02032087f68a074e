// What the own node sees at first hand: connections, and the links over them, as its beacon reports them.

import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { Meter, Now } from "../ports/index.ts";
import type { ChangeKind } from "./beacons/publisher.ts";
import { beaconLimits, type NeighbourReport } from "./beacons/state-beacon.ts";
import { etx, linkCost } from "./links/cost.ts";
import { HYSTERESIS_SAMPLES } from "./links/hysteresis.ts";
import { LinkEstimate } from "./links/link-estimate.ts";
import type { MeshAction, OwnLinkView } from "./machine-types.ts";
import type { FailureDetector } from "./membership/detector.ts";
import { currentBeacon, type Member } from "./membership/member.ts";
import type { Roster } from "./membership/roster.ts";

interface NeighbourhoodDeps {
  readonly self: NodeId;
  readonly roster: Roster;
  readonly detector: FailureDetector;
  readonly meter: Meter;
  readonly emit: (action: MeshAction) => void;
  /** The reports have changed. */
  readonly onChange: (now: Now, what: ChangeKind) => void;
  /** Whether heartbeats of the member arrive here: those of other zones do not. */
  readonly isHeard: (member: Member) => boolean;
}

/** Connections and links of the own node. */
export class Neighbourhood {
  readonly #deps: NeighbourhoodDeps;

  constructor(deps: NeighbourhoodDeps) {
    this.#deps = deps;
  }

  /** A connection is up. A quarantined peer is sent away; a full roster leaves the peer untracked. */
  connected(peer: PeerIdentity, addresses: readonly string[], now: Now): Member | undefined {
    const { roster, detector, emit } = this.#deps;
    if (roster.get(peer.nodeId)?.state === "quarantined") {
      emit({ kind: "disconnect", nodeId: peer.nodeId, code: "mesh/quarantined" });
      return undefined;
    }
    if (roster.get(peer.nodeId) === undefined && !roster.hasRoom()) return undefined;
    const member = roster.admit(peer.nodeId, now.monoMs, "connected");
    const wasConnected = member.connected;
    roster.setConnected(member, true);
    member.name = peer.name;
    member.identityNotAfterMs = peer.notAfterMs;
    member.seenAddresses = addresses.slice(0, beaconLimits.addresses);
    member.link ??= new LinkEstimate();
    if (!wasConnected) member.link.reconnected(now.monoMs);
    member.answeredAtMs = now.monoMs;
    member.dialFailures = 0;
    member.probesMissed = 0;
    member.dialAtMs = now.monoMs;
    if (member.accepted.length > 0) detector.alive(member, "connected", now);
    else member.lastAliveAtMs = now.monoMs;
    this.#deps.onChange(now, this.#isFirstAtHome(member) ? "first-link" : "links");
    return member;
  }

  /** Whether nobody in its zone can have had a route to this node before. */
  #isFirstAtHome(member: Member): boolean {
    const { roster, isHeard } = this.#deps;
    const isWay = (other: Member): boolean => isReported(other) && isHeard(other);
    if (!isWay(member)) return false;
    for (const other of roster.connected) if (other !== member && isWay(other)) return false;
    return true;
  }

  /** The last connection is gone: the detector looks at once. */
  disconnected(nodeId: NodeId, now: Now): void {
    const { roster, detector, isHeard, onChange } = this.#deps;
    const member = roster.get(nodeId);
    if (member?.connected !== true) return;
    const isOfHome = member.accepted.length > 0 && isHeard(member);
    roster.setConnected(member, false);
    member.probe = undefined;
    // Without a beacon there is nothing to remember, and nobody else could have known it.
    if (member.accepted.length === 0) roster.apply(member, "forgotten", now.monoMs);
    else detector.disconnected(member, now);
    onChange(now, isOfHome ? "facts" : "links");
  }

  /** A round trip was measured. @param rttMs not negative, finite; anything else is ignored */
  answered(nodeId: NodeId, rttMs: number, now: Now): void {
    const { roster, detector, meter } = this.#deps;
    const member = roster.get(nodeId);
    if (member === undefined || !(rttMs >= 0) || !Number.isFinite(rttMs)) return;
    meter.observe("meshd_mesh_probe_rtt_seconds", rttMs / 1000);
    member.answeredAtMs = now.monoMs;
    if (member.accepted.length > 0) detector.answered(member, now);
    else {
      member.lastAliveAtMs = now.monoMs;
      member.probe = undefined;
    }
    if (member.link?.answered(rttMs, now.monoMs) === true) this.#moved(now);
  }

  /** A direct probe had no answer. */
  lost(nodeId: NodeId, now: Now): void {
    const member = this.#deps.roster.get(nodeId);
    if (member === undefined) return;
    if (member.link?.lost(now.monoMs) === true) this.#moved(now);
    this.#deps.detector.probeFailed(member, now);
  }

  /**
   * Reports for the own beacon, ascending by node id. When there are too many, suspects have half of the places:
   * others cannot know of them otherwise.
   */
  reports(): NeighbourReport[] {
    const connected: NeighbourReport[] = [];
    const suspects: NeighbourReport[] = [];
    for (const member of this.#deps.roster.all()) {
      const suspect = member.state === "suspect";
      if (suspect && member.suspicion?.neighbour === true) suspects.push(report(member, true));
      else if (member.connected && isReported(member)) connected.push(report(member, suspect));
    }
    const places = beaconLimits.neighbours;
    const reports = [...suspects.slice(0, places / 2), ...connected].slice(0, places);
    return reports.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  /** Links over the connections there are, by node id. */
  links(): OwnLinkView[] {
    const links: OwnLinkView[] = [];
    for (const member of this.#deps.roster.all()) {
      if (!member.connected || member.link === undefined) continue;
      const theirs = currentBeacon(member)?.neighbours;
      const aboutUs = theirs?.find(({ nodeId }) => nodeId === this.#deps.self);
      links.push(linkView(member.nodeId, member.link, aboutUs?.lossRatio));
    }
    return links.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  #moved(now: Now): void {
    this.#deps.roster.version++;
    this.#deps.onChange(now, "numbers");
  }
}

function linkView(
  nodeId: NodeId,
  link: LinkEstimate,
  lossBackward: number | undefined,
): OwnLinkView {
  const { rttMs, jitterMs, lossRatio: lossForward, published, differing } = link;
  return {
    nodeId,
    ...(rttMs === undefined ? {} : { rttMs }),
    ...(jitterMs === undefined ? {} : { jitterMs }),
    lossForward,
    ...(lossBackward === undefined ? {} : { lossBackward }),
    etx: etx(lossForward, lossBackward ?? 0),
    cost: linkCost(rttMs ?? 0, lossForward, lossBackward ?? 0),
    published,
    differing,
    needed: HYSTERESIS_SAMPLES,
  };
}

function isReported(member: Member): boolean {
  return member.state === "alive" || member.state === "joining";
}

function report(member: Member, suspect: boolean): NeighbourReport {
  const { rttMs, lossRatio } = member.link?.published ?? { rttMs: 0, lossRatio: 0 };
  return { nodeId: member.nodeId, rttMs, lossRatio, suspect };
}
