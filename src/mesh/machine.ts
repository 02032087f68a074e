// The mesh machine: composes beacons, membership, links and routing behind events and actions.
// Sans-I/O: the libp2p adapter drives it in production and the simulator in virtual time; the same events from the
// same seed give the same actions in the same order.

import type { NodeId } from "../identity/index.ts";
import type { Now } from "../ports/index.ts";
import {
  decodeDigest,
  type DigestEntry,
  encodeDigest,
  isNewer,
  quarantinedEntry,
} from "./beacons/digest.ts";
import { buggified } from "./buggify.ts";
import { BeaconPublisher } from "./beacons/publisher.ts";
import { beaconKinds } from "./beacons/state-beacon.ts";
import { BeaconValidator } from "./beacons/validator.ts";
import { Inbox, withActions } from "./inbox.ts";
import type {
  GossipVerdict,
  LinkView,
  MemberView,
  MeshAction,
  MeshDeps,
  MeshEvent,
  MeshProtocol,
  MeshTimerId,
  RouteView,
} from "./machine-types.ts";
import { FailureDetector } from "./membership/detector.ts";
import { Dialer } from "./membership/dialer.ts";
import { currentBeacon, isPresent } from "./membership/member.ts";
import { Roster } from "./membership/roster.ts";
import { Neighbourhood } from "./neighbourhood.ts";
import { meshDefaults, type MeshOptions } from "./options.ts";
import { RouteTable } from "./routing/route-table.ts";
import { memberView } from "./views.ts";

/** The membership and topology protocol of one node. */
export class MeshMachine implements MeshProtocol {
  readonly #deps: MeshDeps;
  readonly #options: MeshOptions;
  readonly #roster: Roster;
  readonly #detector: FailureDetector;
  readonly #neighbourhood: Neighbourhood;
  readonly #publisher: BeaconPublisher;
  readonly #inbox: Inbox;
  readonly #dialer: Dialer;
  readonly #routes: RouteTable;
  #actions: MeshAction[] = [];
  #phase: "new" | "running" | "stopped" = "new";

  constructor(deps: MeshDeps, options: Partial<MeshOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...meshDefaults, ...options };
    const { engine, signer, self, random, meter } = deps;
    const emit = (action: MeshAction): void => this.#emit(action);
    const onChange = (now: Now, what: "facts" | "numbers"): void =>
      this.#publisher.changed(now, what);
    const neighbours = () => this.#neighbourhood.reports();
    this.#roster = new Roster(this.#options, meter, emit);
    const roster = this.#roster;
    this.#detector = new FailureDetector(
      {
        ...{ roster, random, meter, emit },
        onSuspicion: (member, now) => {
          if (member.connected || member.link !== undefined) onChange(now, "facts");
        },
      },
      this.#options,
    );
    const detector = this.#detector;
    this.#neighbourhood = new Neighbourhood({ roster, detector, meter, emit, onChange });
    this.#publisher = new BeaconPublisher(
      { engine, signer, self, random, emit, neighbours },
      this.#options,
    );
    const publisher = this.#publisher;
    const validator = new BeaconValidator(
      { ...deps, roster, ownKey: signer.publicKey, own: () => publisher.own },
      this.#options,
    );
    this.#inbox = new Inbox(
      { self: self.nodeId, roster, validator, publisher, detector, meter, emit },
      this.#options,
    );
    this.#dialer = new Dialer({ roster, random, self, emit }, this.#options);
    this.#routes = new RouteTable({ roster, meter, self: self.nodeId, ownNeighbours: neighbours });
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
    if (event.kind === "started" && this.#phase === "new") {
      this.#phase = "running";
      this.#publisher.start(now);
      this.#detector.schedule(now);
      this.#dialer.schedule();
    } else if (this.#phase === "running") this.#apply(event, now);
    return this.#taken();
  }

  receive(bytes: Uint8Array, from: NodeId, now: Now): GossipVerdict {
    if (this.#phase !== "running") {
      const code = "mesh/not-running";
      this.#deps.meter.count("meshd_mesh_beacons_rejected_total", { code });
      return { verdict: "ignore", code, actions: [] };
    }
    const body = this.#inbox.receive(bytes, from, now);
    return withActions(body, this.#taken());
  }

  beaconDigest(): Uint8Array {
    const entries: DigestEntry[] = [];
    const { epoch, sequence, nodeId } = this.#publisher.own;
    entries.push({ nodeId, epoch, sequence });
    for (const member of this.#roster.all()) {
      const beacon = currentBeacon(member);
      if (member.state === "quarantined") entries.push(quarantinedEntry(member.nodeId));
      else if (beacon !== undefined) entries.push(beacon);
    }
    return encodeDigest(entries);
  }

  beaconsMissingFrom(digest: Uint8Array): readonly Uint8Array[] {
    const theirs = decodeDigest(digest, this.#options.membersMax + 1);
    if (theirs === undefined || this.#phase !== "running") return [];
    const { epoch, sequence, nodeId } = this.#publisher.own;
    const missing: Uint8Array[] = [];
    const own = this.#publisher.bytes;
    if (own !== undefined && isNewer(epoch, sequence, theirs.get(nodeId))) missing.push(own);
    for (const [accused, proof] of this.#inbox.proofs) {
      if (theirs.get(accused)?.epoch !== quarantinedEntry(accused).epoch) missing.push(proof);
    }
    for (const member of this.#roster.all()) {
      const newest = member.accepted[0];
      if (newest === undefined || !isPresent(member)) continue;
      const { beacon } = newest;
      if (isNewer(beacon.epoch, beacon.sequence, theirs.get(member.nodeId)))
        missing.push(newest.bytes);
    }
    const most = this.#deps.buggify?.("short-answer") === true ? 1 : this.#options.pullBeaconsMax;
    return missing.slice(0, most);
  }

  members(): readonly MemberView[] {
    const views = [...this.#roster.all()].map(memberView);
    return views.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  topology(): readonly LinkView[] {
    return this.#routes.links();
  }

  routes(): readonly RouteView[] {
    return this.#routes.routes();
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
        if (member !== undefined) this.#detector.indirectResult(member, event.alive, now);
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
        return;
      }
      case "dial": {
        this.#dialer.tick(now);
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
    const { bytes } = action;
    const kind =
      bytes[0] === beaconKinds.heartbeat
        ? "heartbeat"
        : bytes[0] === beaconKinds.state
          ? "state"
          : "proof";
    this.#deps.meter.count("meshd_mesh_beacons_published_total", { kind });
  }

  #taken(): readonly MeshAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}
