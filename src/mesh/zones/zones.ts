// The zones as one node sees them: its own with all members, the others by the summaries of their gateways. Composes the
// own zone, the table of summaries and the part of a gateway; the machine gives it events and asks it what concerns it.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs, Now } from "../../ports/index.ts";
import type { DigestEntry } from "../beacons/digest.ts";
import { isNewer } from "../beacons/digest.ts";
import { type SummaryRejectCode, verdictOf } from "../beacons/reject-codes.ts";
import type { MeshAction, MeshDeps, ZoneRouteView, ZoneView } from "../machine-types.ts";
import { currentBeacon, isPresent, type Member } from "../membership/member.ts";
import { sample } from "../membership/sampling.ts";
import type { Roster } from "../membership/roster.ts";
import type { MeshOptions } from "../options.ts";
import { commonDepth, meshSize, wantedDepth, type ZoneSize } from "./depth.ts";
import { GatewayRole } from "./gateway.ts";
import { Home } from "./home.ts";
import { Rendezvous } from "./rendezvous.ts";
import { SummaryTable } from "./summary-table.ts";
import { SummaryValidator } from "./summary-validator.ts";
import { isLastWord, type ZoneSummary } from "./summary.ts";
import { depthOf, isPartOf } from "./zone-names.ts";
import { ZoneViews } from "./zone-views.ts";

const TICK_JITTER = 0.2;
/** Summaries in the answer to one pull; the rest comes with the next. */
const SUMMARIES_PULLED_MAX = 64;

/** The word on a summary. */
export type SummaryVerdict =
  | { readonly verdict: "accept"; readonly code: "summary" }
  | { readonly verdict: "reject" | "ignore"; readonly code: SummaryRejectCode }
  | { readonly verdict: "need-identity"; readonly nodeId: NodeId };

interface ZonesDeps extends MeshDeps {
  readonly roster: Roster;
  readonly own: () => {
    readonly epoch: number;
    readonly addresses: readonly string[];
    readonly load: number;
  };
  readonly emit: (action: MeshAction) => void;
  /** The own beacon has to tell of another zone. */
  readonly onMoved: (now: Now) => void;
  readonly pull: (peer: NodeId, now: Now) => void;
}

/** The zones of the mesh. */
export class Zones {
  readonly home: Home;
  readonly table: SummaryTable;
  readonly #deps: ZonesDeps;
  readonly #options: MeshOptions;
  readonly #role: GatewayRole;
  readonly #validator: SummaryValidator;
  readonly #views: ZoneViews;
  #syncAtMs = 0 as MonoMs;

  constructor(deps: ZonesDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
    const rendezvous = deps.rendezvous ?? new Rendezvous(deps.engine);
    const { nodeId: self } = deps.self;
    this.home = new Home(deps, options);
    this.table = new SummaryTable(rendezvous, options);
    const { home, table } = this;
    this.#role = new GatewayRole(
      {
        ...{ ...deps, self, home, table, rendezvous },
        members: () => this.#membersOf(home.zone),
        connected: () => [...deps.roster.all()].filter(({ connected }) => connected),
      },
      options,
    );
    this.#views = new ZoneViews({ self, home, table, role: this.#role, roster: deps.roster });
    const mayPublish = (publisher: NodeId, zone: string): boolean =>
      zone !== home.zone || this.#role.rankOf(publisher) !== undefined;
    this.#validator = new SummaryValidator({ ...deps, self, table, mayPublish }, options);
  }

  /** The gateways of the own zone, by rank. */
  get gateways(): readonly NodeId[] {
    return this.#role.gateways;
  }

  start(now: Now): void {
    this.#syncAtMs = (now.monoMs + this.#options.syncIntervalMs) as MonoMs;
    this.home.start(now.monoMs);
    this.#schedule();
  }

  /** The `zone` timer. */
  tick(now: Now): void {
    this.table.expire(now.monoMs);
    this.#role.tick(now);
    const { before } = this.home;
    const left = this.home.consider(this.#wantedDepth(), now);
    // Only now: until its successor has spoken, a zone that is left should not look empty.
    if (before !== undefined && before !== this.home.before) this.#role.left(before, now);
    if (left !== undefined) this.#moved(left, now);
    this.#forgetStrangers(now);
    this.#refreshStrangers(now);
    this.#sync(now);
    this.#measure();
    this.#schedule();
  }

  /** Takes a summary. */
  receive(bytes: Uint8Array, from: NodeId, now: Now): SummaryVerdict {
    const { meter, roster } = this.#deps;
    const check = this.#validator.check(bytes, from, now);
    if (check.ok === "need-identity") return { verdict: check.ok, nodeId: check.nodeId };
    if (!check.ok) {
      const { code, publisher } = check;
      meter.count("meshd_mesh_zone_summaries_refused_total", { code });
      const member = publisher === undefined ? undefined : roster.get(publisher);
      if (member !== undefined && code === "mesh/summary-equivocation") member.lastErrorCode = code;
      return { verdict: verdictOf(code), code };
    }
    meter.count("meshd_mesh_zone_summaries_accepted_total");
    const { summary } = check.claim;
    this.table.put(check.claim, now.monoMs);
    if (summary.zone === this.home.zone && !isLastWord(summary)) this.#heardOwnZone(summary, now);
    return { verdict: "accept", code: "summary" };
  }

  /** The summaries that this node has, by publisher. */
  digest(): DigestEntry[] {
    const own = this.#role.published?.summary;
    const summaries = [...(own === undefined ? [] : [own]), ...this.#summaries()];
    return summaries.map(({ publisher, epoch, sequence }) => ({
      nodeId: publisher,
      epoch,
      sequence,
    }));
  }

  /** Summaries that the sender of such a digest lacks. */
  missingFrom(theirs: ReadonlyMap<NodeId, DigestEntry>): Uint8Array[] {
    const own = this.#role.published;
    const missing: Uint8Array[] = [];
    for (const { summary, bytes } of [...(own === undefined ? [] : [own]), ...this.table.all()]) {
      const { publisher, epoch, sequence } = summary;
      if (isNewer(epoch, sequence, theirs.get(publisher))) missing.push(bytes);
    }
    return missing.slice(0, SUMMARIES_PULLED_MAX);
  }

  /** Every known zone, the own one included, by name. */
  views(): ZoneView[] {
    return this.#views.all();
  }

  /** The way to another zone; `undefined` when no summary leads there. */
  route(zone: string): ZoneRouteView | undefined {
    return this.#views.route(zone);
  }

  *#summaries(): Generator<ZoneSummary> {
    for (const { summary } of this.table.all()) yield summary;
  }

  /** Present members that say they are in this zone. */
  #membersOf(zone: string): Member[] {
    return [...this.#deps.roster.all()].filter(
      (member) => isPresent(member) && currentBeacon(member)?.zone === zone,
    );
  }

  /** One who sees other members than this node does has something to give. */
  #heardOwnZone(summary: ZoneSummary, now: Now): void {
    this.#role.heard(summary.publisher);
    if (summary.members !== this.#role.members.length + 1) this.#deps.pull(summary.publisher, now);
  }

  #wantedDepth(): number {
    const { depth } = this.home;
    if (depth === undefined) return 0;
    const sizes = this.#sizes(depth);
    const membersMin = this.#options.zoneMembersMin;
    return wantedDepth({ depth, size: meshSize(sizes), common: commonDepth(sizes), membersMin });
  }

  /**
   * How many are known here, and what other zones tell. Parts of the own zone that tell of fewer are left out: these members are among those
   * known here, and the first to go would hide all who have yet to follow.
   */
  #sizes(depth: number): ZoneSize[] {
    const { zone: own } = this.home;
    const known = [...this.#deps.roster.all()].filter(
      (member) => isPresent(member) && this.home.holds(member),
    );
    const here = 1 + known.length;
    const others = this.table.zones().flatMap((zone) => {
      const claim = zone === own ? undefined : this.table.best(zone);
      const otherDepth = depthOf(zone);
      if (claim === undefined || otherDepth === undefined) return [];
      return [{ depth: otherDepth, members: claim.summary.members, isPart: isPartOf(zone, own) }];
    });
    const told = others.reduce((sum, { members, isPart }) => sum + (isPart ? members : 0), 0);
    return [{ depth, members: here }, ...others.filter(({ isPart }) => !isPart || told > here)];
  }

  #moved(from: string, now: Now): void {
    const { emit, meter, roster, pull } = this.#deps;
    meter.count("meshd_mesh_zone_changes_total");
    const { zoneGraceMs: graceMs } = this.#options;
    emit({ kind: "zone-changed", from, to: this.home.zone, graceMs });
    this.#deps.onMoved(now);
    for (const member of roster.all()) if (member.connected) pull(member.nodeId, now);
  }

  /** Members of other zones are kept as long as they are connected, and for a grace time after their last word. */
  #forgetStrangers(now: Now): void {
    const { roster } = this.#deps;
    for (const member of [...roster.all()]) {
      const isHere = member.connected || this.home.isHeard(member);
      if (isHere || now.monoMs - member.lastBeaconAtMs < this.#options.zoneGraceMs) continue;
      roster.apply(member, "moved", now.monoMs);
    }
  }

  /**
   * Connected nodes of other zones are asked now and then, because their gossip does not come here; one without a beacon yet at
   * once, because its answer to the first question was lost.
   */
  #refreshStrangers(now: Now): void {
    for (const member of this.#deps.roster.connected) {
      if (member.accepted.length > 0 && this.home.isHeard(member)) continue;
      const patienceMs = member.accepted.length === 0 ? 0 : this.#options.beaconPeriodMs;
      if (now.monoMs - member.lastBeaconAtMs >= patienceMs) this.#deps.pull(member.nodeId, now);
    }
  }

  /** What gossip lost of beacons and summaries would be lacking until their next period. */
  #sync(now: Now): void {
    const { random, roster, pull } = this.#deps;
    if (now.monoMs < this.#syncAtMs) return;
    this.#syncAtMs = (now.monoMs + this.#options.syncIntervalMs) as MonoMs;
    const [peer] = sample([...roster.connected], 1, random);
    if (peer !== undefined) pull(peer.nodeId, now);
  }

  #measure(): void {
    const { meter } = this.#deps;
    const others = this.table.zones().filter((zone) => zone !== this.home.zone);
    meter.set("meshd_mesh_zones", others.length + 1);
    meter.set("meshd_mesh_zone_members", this.#role.members.length + 1);
    meter.set("meshd_mesh_zone_speaker", this.#role.published === undefined ? 0 : 1);
  }

  #schedule(): void {
    const jitter = 1 + TICK_JITTER * (2 * this.#deps.random.fraction() - 1);
    this.#deps.emit({
      kind: "set-timer",
      id: "zone",
      delayMs: this.#options.zoneTickMs * jitter,
    });
  }
}
