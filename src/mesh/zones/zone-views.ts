// Zones and the ways to them, as status shows them.

import { toHex } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ZoneRouteView, ZoneView } from "../machine-types.ts";
import { currentBeacon } from "../membership/member.ts";
import type { Roster } from "../membership/roster.ts";
import type { GatewayRole } from "./gateway.ts";
import type { Home } from "./home.ts";
import type { SummaryTable } from "./summary-table.ts";
import { zonePath } from "./zone-routes.ts";

interface ViewsDeps {
  readonly self: NodeId;
  readonly home: Home;
  readonly table: SummaryTable;
  readonly role: GatewayRole;
  readonly roster: Roster;
}

/** Reads what the parts know; changes nothing. */
export class ZoneViews {
  readonly #deps: ViewsDeps;

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  /** Every known zone, the own one included, by name. */
  all(): ZoneView[] {
    const names = new Set([...this.#deps.table.zones(), this.#deps.home.zone]);
    return [...names].sort().map((zone) => this.#view(zone));
  }

  /** The way to another zone; `undefined` when no summary leads there. */
  route(zone: string): ZoneRouteView | undefined {
    const own = this.#deps.home.zone;
    const rows = this.#deps.table
      .zones()
      .flatMap((name) =>
        this.#deps.table.of(name).map(({ summary }) => ({ zone: name, links: summary.neighbours })),
      );
    const path = zonePath([...rows, { zone: own, links: this.#deps.role.links() }], own, zone);
    const next = path?.zones[1];
    if (path === undefined || next === undefined) return undefined;
    return { zone, zones: path.zones, cost: path.cost, via: this.#via(next) };
  }

  /** How to get from here into the next zone: by an own link to it, or by a gateway of the own zone. */
  #via(next: string): NodeId[] {
    const linked = [...this.#deps.roster.all()].filter(
      (member) => member.connected && currentBeacon(member)?.zone === next,
    );
    linked.sort((a, b) => (a.link?.rttMs ?? 0) - (b.link?.rttMs ?? 0));
    const { self } = this.#deps;
    const gateways = this.#deps.role.gateways.filter((nodeId) => nodeId !== self);
    return linked.length > 0 ? linked.map(({ nodeId }) => nodeId) : gateways;
  }

  #view(zone: string): ZoneView {
    const claim = this.#deps.table.best(zone);
    const own = zone === this.#deps.home.zone;
    const published = own ? this.#deps.role.published : undefined;
    const summary = published?.summary ?? claim?.summary;
    const atMs = published?.atMs ?? claim?.issuedAtMs;
    return {
      zone,
      own,
      members: own ? this.#deps.role.members.length + 1 : (summary?.members ?? 0),
      load: summary?.load ?? 0,
      gateways: own
        ? this.#deps.role.gateways
        : (summary?.gateways ?? []).map(({ nodeId }) => nodeId),
      neighbours: summary?.neighbours ?? [],
      ...(summary === undefined || atMs === undefined
        ? {}
        : {
            publisher: summary.publisher,
            sequence: summary.sequence,
            issuedAtMs: atMs,
            digest: toHex(summary.digest),
          }),
    };
  }
}
