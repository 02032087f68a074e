// Which nodes of other zones this node should connect to. Everyone keeps a few at random, so that the mesh-wide topic
// hangs together; a gateway besides keeps one to each of the zones 1, 2, 4, ... places after its own in the
// order of their names (as the fingers of Chord), so that any zone is reached through few others.

import type { NodeId } from "../../identity/index.ts";
import type { Random } from "../../ports/index.ts";
import type { Roster } from "../membership/roster.ts";
import { currentBeacon } from "../membership/member.ts";
import { sample } from "../membership/sampling.ts";
import type { MeshOptions } from "../options.ts";
import type { Zones } from "./zones.ts";

/** Somebody to dial. */
export interface Candidate {
  readonly nodeId: NodeId;
  readonly addresses: readonly string[];
}

interface OutsideDeps {
  readonly self: NodeId;
  readonly zones: Pick<Zones, "home" | "table" | "gateways">;
  readonly roster: Roster;
  readonly random: Random;
}

/**
 * Links to other zones in all, for each that a node wants itself. Zones are chosen alike whatever their size, so members of a
 * small one are asked for more; at twice, they sent away what came, and it came again, each time with a beacon at both ends.
 */
const LINKED_RATIO_MAX = 4;

/** Names at distances that double, counted from the own one around the ring. */
export function fingers(zones: readonly string[], own: string): string[] {
  const ring = [...new Set([...zones, own])].sort();
  const at = ring.indexOf(own);
  const chosen: string[] = [];
  for (let distance = 1; distance < ring.length; distance *= 2)
    chosen.push(ring[(at + distance) % ring.length] ?? own);
  return chosen;
}

/** Chooses whom to dial outside the zone. */
export class LinksOutside {
  readonly #deps: OutsideDeps;
  readonly #options: Pick<MeshOptions, "zoneLinksOutside">;

  constructor(deps: OutsideDeps, options: Pick<MeshOptions, "zoneLinksOutside">) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Connections that the zone itself leaves for others: none while no other zone is known. */
  get wanted(): number {
    return this.#others().length === 0 ? 0 : this.#options.zoneLinksOutside;
  }

  /** Whom to dial now; at most one at random and one as a gateway. */
  candidates(): Candidate[] {
    const { random, zones, self } = this.#deps;
    const linked = this.#linked().map(({ zone }) => zone);
    const found: Candidate[] = [];
    // Who knows nobody at home yet finds it by its summary, as a stranger would.
    if (!this.#isAtHome()) found.push(...this.#inZone(zones.home.zone, true));
    if (linked.length < this.wanted)
      found.push(...this.#inZone(sample(this.#others(), 1, random)[0], true));
    if (zones.gateways.includes(self)) {
      const lacking = fingers(this.#others(), zones.home.zone).filter((z) => !linked.includes(z));
      found.push(...this.#inZone(sample(lacking, 1, random)[0], false));
    }
    return found;
  }

  /**
   * A connection to give up, when there are more than others may ask for, too: after a split most old connections lead
   * outside. Not one that a gateway would have to make again.
   */
  surplus(): NodeId | undefined {
    const { random, zones, self } = this.#deps;
    const wanted = this.wanted;
    const isGateway = zones.gateways.includes(self);
    const kept = isGateway ? fingers(this.#others(), zones.home.zone) : [];
    const linked = this.#linked();
    const limit = LINKED_RATIO_MAX * (wanted + 2 * kept.length);
    if (zones.home.before !== undefined || linked.length <= limit) return undefined;
    const free = linked.filter(({ zone }) => !kept.includes(zone));
    return sample(free, 1, random)[0]?.nodeId;
  }

  #isAtHome(): boolean {
    const { roster, zones } = this.#deps;
    for (const member of roster.connected)
      if (currentBeacon(member)?.zone === zones.home.zone) return true;
    return false;
  }

  #others(): string[] {
    const { table, home } = this.#deps.zones;
    return table.zones().filter((zone) => !home.hears(zone));
  }

  /** The connected nodes outside with their zones. */
  #linked(): { readonly nodeId: NodeId; readonly zone: string }[] {
    const { roster, zones } = this.#deps;
    const linked: { nodeId: NodeId; zone: string }[] = [];
    for (const { nodeId, connected, accepted } of roster.all()) {
      const zone = accepted[0]?.beacon.zone;
      if (connected && zone !== undefined && !zones.home.hears(zone)) linked.push({ nodeId, zone });
    }
    return linked;
  }

  /** A gateway of that zone, or also any other member that is named, which is not connected yet. */
  #inZone(zone: string | undefined, anyone: boolean): Candidate[] {
    if (zone === undefined) return [];
    const { roster, random, zones, self } = this.#deps;
    const named = zones.table
      .of(zone)
      .flatMap(({ summary }) => [
        ...summary.gateways,
        ...(anyone ? summary.contacts : []).map(({ nodeId, address }) => ({
          nodeId,
          addresses: [address],
        })),
      ])
      .filter(({ nodeId, addresses }) => nodeId !== self && addresses.length > 0)
      .filter(({ nodeId }) => {
        const member = roster.get(nodeId);
        return member?.connected !== true && member?.state !== "quarantined";
      });
    return sample(named, 1, random).map(({ nodeId, addresses }) => ({ nodeId, addresses }));
  }
}
