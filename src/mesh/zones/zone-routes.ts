// Routes between zones: shortest paths over the zone graph that the summaries draw. A link between two zones counts
// in both directions when either end tells of it, at the cheaper of the two costs; Dijkstra (1959) without a heap,
// because there are about √N zones.

/** Links of one zone. */
export interface ZoneRow {
  readonly zone: string;
  readonly links: readonly { readonly zone: string; readonly cost: number }[];
}

/** A path through zones, both ends included. */
export interface ZonePath {
  readonly zones: readonly string[];
  readonly cost: number;
}

type Links = Map<string, Map<string, number>>;

function linksOf(rows: readonly ZoneRow[]): Links {
  const links: Links = new Map(rows.map(({ zone }) => [zone, new Map<string, number>()]));
  const add = (from: string, to: string, cost: number): void => {
    const known = links.get(from)?.get(to) ?? Number.POSITIVE_INFINITY;
    links.get(from)?.set(to, Math.min(known, cost));
  };
  for (const { zone, links: told } of rows) {
    for (const { zone: other, cost } of told) {
      if (!links.has(other)) continue;
      add(zone, other, cost);
      add(other, zone, cost);
    }
  }
  return links;
}

/** The cheapest path; equal costs go to the lower name. `undefined` when there is none. */
export function zonePath(rows: readonly ZoneRow[], from: string, to: string): ZonePath | undefined {
  const links = linksOf(rows);
  const open = new Map([[from, { cost: 0, zones: [from] }]]);
  const done = new Set<string>();
  for (;;) {
    let next: { zone: string; cost: number; zones: string[] } | undefined;
    for (const [zone, { cost, zones }] of open) {
      const isBefore =
        next === undefined || cost < next.cost || (cost === next.cost && zone < next.zone);
      if (isBefore) next = { zone, cost, zones };
    }
    if (next === undefined) return undefined;
    if (next.zone === to) return { zones: next.zones, cost: next.cost };
    open.delete(next.zone);
    done.add(next.zone);
    for (const [zone, cost] of links.get(next.zone) ?? []) {
      const through = next.cost + cost;
      if (done.has(zone) || through >= (open.get(zone)?.cost ?? Number.POSITIVE_INFINITY)) continue;
      open.set(zone, { cost: through, zones: [...next.zones, zone] });
    }
  }
}
