// The mesh machine: composes beacons, membership, links and routing behind events and actions.
// Sans-I/O: the libp2p adapter drives it in production and the simulator in virtual time; the same events from the
// same seed give the same actions in the same order.

import { ok, refuse, type Result } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";
import type { MonoMs, Now } from "../ports/index.ts";
import { decodeDigest, type DigestEntry, encodeDigest, isNewer } from "./beacons/digest.ts";
import { buggified } from "./buggify.ts";
import { contradictionReader } from "./beacons/contradiction.ts";
import { BeaconPublisher, type ChangeKind } from "./beacons/publisher.ts";
import { beaconKinds } from "./beacons/state-beacon.ts";
import { LinksOutside } from "./zones/links-outside.ts";
import { decodeRequest, encodeRequest } from "./zones/request.ts";
import { SUMMARY_KIND } from "./zones/summary.ts";
import { belongs } from "./zones/zone-names.ts";
import { Zones } from "./zones/zones.ts";
import { BeaconValidator } from "./beacons/validator.ts";
import { Evidence } from "./evidence.ts";
import { forwarding } from "./forwarding.ts";
import { Inbox, withActions } from "./inbox.ts";
import type {
  BeaconAcceptCode,
  GossipVerdict,
  LinkView,
  MemberView,
  MeshAction,
  MeshDeps,
  MeshEvent,
  Forwarding,
  MeshProtocol,
  MeshTimerId,
  NeedSignatures,
  OwnLinkView,
  PathView,
  RelayView,
  RouteDetail,
  QuarantineView,
  ReleaseRefusal,
  RouteView,
  SignatureHandling,
  ZoneRouteView,
  ZoneView,
} from "./machine-types.ts";
import { FailureDetector } from "./membership/detector.ts";
import { Dialer } from "./membership/dialer.ts";
import { currentBeacon, isPresent, type Member } from "./membership/member.ts";
import { EVIDENCE_MAX, Quarantine } from "./membership/quarantine.ts";
import { Roster } from "./membership/roster.ts";
import { Neighbourhood } from "./neighbourhood.ts";
import { meshDefaults, type MeshOptions } from "./options.ts";
import { Reputation, REPUTATION_MIN } from "./reputation.ts";
import { RouteTable } from "./routing/route-table.ts";
import { memberView } from "./views.ts";

const NONE: readonly MeshAction[] = [];

/** The membership and topology protocol of one node. */
export class MeshMachine implements MeshProtocol {
  readonly #deps: MeshDeps;
  readonly #options: MeshOptions;
  readonly #roster: Roster;
  readonly #detector: FailureDetector;
  readonly #neighbourhood: Neighbourhood;
  readonly #publisher: BeaconPublisher;
  readonly #quarantine: Quarantine;
  readonly #evidence: Evidence;
  readonly #reputation: Reputation;
  readonly #inbox: Inbox;
  readonly #dialer: Dialer;
  readonly #routes: RouteTable;
  readonly #zones: Zones;
  #actions: MeshAction[] = [];
  /** Of the last event or message: what is asked between them is answered as of then. */
  #nowMs = 0 as MonoMs;
  #phase: "new" | "running" | "stopped" = "new";

  constructor(deps: MeshDeps, options: Partial<MeshOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...meshDefaults, ...options };
    const { engine, signer, self, random, meter } = deps;
    const emit = (action: MeshAction): void => this.#emit(action);
    const onChange = (now: Now, what: ChangeKind): void => this.#publisher.changed(now, what);
    const neighbours = () => this.#neighbourhood.reports();
    this.#reputation = new Reputation(meter);
    const reputation = this.#reputation;
    this.#roster = new Roster(this.#options, meter, emit);
    const roster = this.#roster;
    this.#zones = new Zones(
      {
        ...{ ...deps, roster, emit },
        own: () => ({ ...this.#publisher.facts, epoch: this.#publisher.own.epoch }),
        onMoved: (now) => this.#publisher.publish(now, "up"),
        pull: (peer, now) => this.#inbox.pull(peer, now),
      },
      this.#options,
    );
    const zones = this.#zones;
    const { home } = zones;
    const isHeard = (member: Member): boolean => home.isHeard(member);
    this.#detector = new FailureDetector(
      {
        ...{ roster, random, meter, emit, isHeard },
        onSuspicion: (member, now) => {
          if (member.connected || member.link !== undefined) onChange(now, "facts");
        },
        onFlap: (member, now) => {
          meter.count("meshd_mesh_flaps_total");
          this.#reputation.penalise(member.nodeId, "flap", now.monoMs);
        },
      },
      this.#options,
    );
    const detector = this.#detector;
    this.#neighbourhood = new Neighbourhood({
      ...{ self: self.nodeId, roster, detector, meter, emit, onChange, isHeard },
    });
    this.#publisher = new BeaconPublisher(
      { engine, signer, self, random, emit, neighbours, zone: () => home.zone },
      this.#options,
    );
    const publisher = this.#publisher;
    const read = contradictionReader(deps.readForeignProof);
    this.#quarantine = new Quarantine(deps.evidence ?? [], read);
    const quarantine = this.#quarantine;
    const validator = new BeaconValidator(
      {
        ...{
          ...deps,
          roster,
          quarantine,
          read,
          ownKey: signer.publicKey,
          own: () => publisher.own,
        },
        concerns: (nodeId, zone) => home.concerns(nodeId, zone) || roster.get(nodeId) !== undefined,
      },
      this.#options,
    );
    this.#evidence = new Evidence({
      ...{ self: self.nodeId, engine, signer, quarantine, roster, read, meter, emit },
      onOwnFloor: (epochFloor, now) => {
        if (publisher.own.epoch < epochFloor) this.#inbox.goAhead(epochFloor - 1, now);
      },
    });
    const evidence = this.#evidence;
    this.#inbox = new Inbox(
      {
        ...{ self: self.nodeId, roster, validator, publisher, detector, evidence, reputation },
        ...{ meter, emit },
      },
      this.#options,
    );
    const outside = new LinksOutside({ self: self.nodeId, zones, roster, random }, this.#options);
    this.#dialer = new Dialer(
      { roster, random, self, emit, outside, isHere: isHeard },
      this.#options,
    );
    this.#routes = new RouteTable({
      ...{ roster, meter, self: self.nodeId, ownNeighbours: neighbours },
      reputation: (nodeId) => this.reputation(nodeId),
    });
  }

  /** The epoch of the own beacons: that of the options unless the mesh remembered a later one. */
  get epoch(): number {
    return this.#publisher.own.epoch;
  }

  /** The sequence of the newest own beacon; 0 before the first. */
  get sequence(): number {
    return this.#publisher.own.sequence;
  }

  /** Takes an event; before `started` and after `stopping` there are no actions. */
  handle(event: MeshEvent, now: Now): readonly MeshAction[] {
    this.#nowMs = now.monoMs;
    if (event.kind === "started" && this.#phase === "new") {
      this.#phase = "running";
      this.#evidence.start(now);
      this.#publisher.start(now);
      this.#detector.schedule(now);
      this.#dialer.schedule();
      this.#zones.start(now);
    } else if (this.#phase === "running") this.#apply(event, now);
    return this.#taken();
  }

  receive(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures?: Exclude<SignatureHandling, "defer">,
  ): GossipVerdict;
  receive(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: "defer",
  ): GossipVerdict | NeedSignatures;
  receive(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: SignatureHandling = "inline",
  ): GossipVerdict | NeedSignatures {
    if (this.#phase !== "running") {
      const code = "mesh/not-running";
      this.#deps.meter.count("meshd_mesh_beacons_rejected_total", { code });
      return { verdict: "ignore", code, actions: [] };
    }
    this.#nowMs = now.monoMs;
    const body =
      bytes[0] === SUMMARY_KIND
        ? this.#zones.receive(bytes, from, now)
        : this.#inbox.receive(bytes, from, now, signatures);
    return withActions(body, this.#taken());
  }

  forwarding(bytes: Uint8Array, to: NodeId): Forwarding {
    return forwarding(this.#deps.self.nodeId, this.#roster, bytes, to);
  }

  beaconDigest(): Uint8Array {
    const entries: DigestEntry[] = this.#evidence.digest();
    const { epoch, sequence, nodeId } = this.#publisher.own;
    entries.push({ nodeId, epoch, sequence });
    for (const member of this.#roster.all()) {
      const beacon = currentBeacon(member);
      if (beacon !== undefined && member.state !== "quarantined") entries.push(beacon);
    }
    return encodeRequest(this.zone, encodeDigest(entries), this.#zones.digest());
  }

  beaconsMissingFrom(digest: Uint8Array): readonly Uint8Array[] {
    const request = decodeRequest(digest, this.#options.summariesMax + 1);
    if (request === undefined || this.#phase !== "running") return [];
    const theirs = decodeDigest(request.digest, this.#options.membersMax + 1 + EVIDENCE_MAX);
    if (theirs === undefined) return [];
    const { epoch, sequence, nodeId } = this.#publisher.own;
    const missing: Uint8Array[] = [];
    const own = this.#publisher.bytes;
    if (own !== undefined && isNewer(epoch, sequence, theirs.newest.get(nodeId))) missing.push(own);
    missing.push(...this.#zones.missingFrom(request.summaries));
    missing.push(...this.#evidence.missingFrom(theirs));
    for (const member of this.#roster.all()) {
      const newest = member.accepted[0];
      const entry = theirs.newest.get(member.nodeId);
      // Who has left is news only to those who knew it: to them it must not look dead.
      const isNews = isPresent(member) || (member.state === "left" && entry !== undefined);
      if (newest === undefined || !isNews) continue;
      if (!belongs(member.nodeId, newest.beacon.zone, request.zone)) continue;
      if (isNewer(newest.beacon.epoch, newest.beacon.sequence, entry)) missing.push(newest.bytes);
    }
    const most = this.#deps.buggify?.("short-answer") === true ? 1 : this.#options.pullBeaconsMax;
    return missing.slice(0, most);
  }

  members(): readonly MemberView[] {
    const views = [...this.#roster.all()].map((member) =>
      memberView(member, this.reputation(member.nodeId)),
    );
    return views.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  topology(): readonly LinkView[] {
    return this.#routes.links(this.#nowMs);
  }

  links(): readonly OwnLinkView[] {
    return this.#neighbourhood.links();
  }

  get zone(): string {
    return this.#zones.home.zone;
  }

  zones(): readonly ZoneView[] {
    return this.#zones.views();
  }

  zoneRoute(zone: string): ZoneRouteView | undefined {
    return this.#zones.route(zone);
  }

  routes(): readonly RouteView[] {
    return this.#routes.routes(this.#nowMs);
  }

  route(target: NodeId): RouteDetail | undefined {
    return this.#routes.route(target, this.#nowMs);
  }

  disjointRoutes(target: NodeId, count: number): readonly PathView[] {
    return this.#routes.disjointRoutes(target, count, this.#nowMs);
  }

  relaysFor(target: NodeId): readonly RelayView[] {
    return this.#routes.relaysFor(target, this.#nowMs);
  }

  reputation(nodeId: NodeId): number {
    if (this.#quarantine.has(nodeId)) return REPUTATION_MIN;
    return this.#reputation.of(nodeId, this.#nowMs);
  }

  quarantine(): readonly QuarantineView[] {
    return this.#evidence.views();
  }

  isQuarantined(nodeId: NodeId): boolean {
    return this.#quarantine.has(nodeId);
  }

  release(nodeId: NodeId, reason: string, now: Now): Result<readonly MeshAction[], ReleaseRefusal> {
    if (this.#phase !== "running") return refuse("mesh/not-running");
    const outcome = this.#evidence.release(nodeId, reason, now);
    return outcome.ok ? ok(this.#taken()) : outcome;
  }

  #apply(event: MeshEvent, now: Now): void {
    switch (event.kind) {
      case "started":
        return;
      case "stopping": {
        this.#stop(now);
        return;
      }
      case "timer": {
        this.#onTimer(event.id, now);
        return;
      }
      case "peer-connected":
        if (event.peer.nodeId === this.#deps.self.nodeId) return;
        if (this.#neighbourhood.connected(event.peer, event.addresses, now) !== undefined) {
          this.#inbox.pull(event.peer.nodeId, now);
        }
        return;
      case "peer-disconnected":
        this.#inbox.forgetPull(event.nodeId);
        {
          this.#neighbourhood.disconnected(event.nodeId, now);
          return;
        }
      case "rtt": {
        this.#neighbourhood.answered(event.nodeId, event.rttMs, now);
        return;
      }
      case "probe-failed": {
        this.#neighbourhood.lost(event.nodeId, now);
        return;
      }
      case "indirect-probe-result": {
        const member = this.#roster.get(event.nodeId);
        if (member !== undefined)
          this.#detector.indirectResult(member, event.alive, event.answers, now);
        return;
      }
      case "suspected-by": {
        if (this.#roster.get(event.nodeId)?.connected === true) this.#inbox.refute(now);
        return;
      }
      case "local-changed": {
        this.#publisher.localChanged(event, now);
        return;
      }
    }
  }

  #onTimer(id: MeshTimerId, now: Now): void {
    switch (id) {
      case "heartbeat": {
        this.#publisher.onHeartbeatTimer(now);
        return;
      }
      case "beacon": {
        this.#publisher.onBeaconTimer(now);
        return;
      }
      case "beacon-period": {
        this.#publisher.onPeriodTimer(now);
        return;
      }
      case "detector": {
        this.#detector.tick(now);
        this.#routes.tick(now.monoMs);
        return;
      }
      case "dial": {
        this.#dialer.tick(now);
        return;
      }
      case "zone": {
        this.#zones.tick(now);
        return;
      }
    }
  }

  #stop(now: Now): void {
    this.#publisher.publish(now, "leaving");
    this.#publisher.stop();
    this.#phase = "stopped";
    this.#actions = this.#actions.filter((action) => action.kind !== "set-timer");
  }

  #emit(wanted: MeshAction): void {
    const { buggify } = this.#deps;
    const action = buggify === undefined ? wanted : buggified(wanted, buggify);
    if (action === undefined) return;
    this.#actions.push(action);
    if (action.kind !== "publish") return;
    const { before } = this.#zones.home;
    if (before !== undefined && action.topic !== "summary")
      this.#actions.push({ ...action, zone: before });
    const { bytes } = action;
    this.#deps.meter.count("meshd_mesh_beacons_published_total", { kind: kindOf(bytes) });
  }

  #taken(): readonly MeshAction[] {
    if (this.#actions.length === 0) return NONE;
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

function kindOf(message: Uint8Array): BeaconAcceptCode {
  switch (message[0]) {
    case beaconKinds.heartbeat:
      return "heartbeat";
    case beaconKinds.proof:
    case beaconKinds.foreign:
      return "proof";
    case beaconKinds.release:
      return "release";
    case SUMMARY_KIND:
      return "summary";
    default:
      return "state";
  }
}
