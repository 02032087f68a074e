// Plays the life of a host: incidents come one after another. Each is recalled when it opens, with only one of its symptoms to be
// seen, and remembered whole when it is over. How many of the five most similar are of its family?

import {
  type Incident,
  type IncidentArchive,
  INCIDENT_SIMILAR_MAX,
  KnowledgeBase,
} from "../../src/healing/index.ts";
import type { WallMs } from "../../src/ports/index.ts";
import { SeededRandom } from "../../src/sim/index.ts";
import { families, type Planted, PlantedHost } from "./families.ts";

/** Incidents of each family on the host in question. */
const EACH = 20;
/** A third of all incidents is of no family. */
const ONE_OFFS = (families.length * EACH) / 2;

/** What recall found of the incidents whose family had come five times before. */
export interface Precision {
  /** Of five. */
  readonly atFive: number;
  readonly judged: number;
}

/** How an incident is recalled: ids, most similar first. */
export type Recall = (incident: Incident) => readonly string[];

/** @param recallWith how; default: as the daemon does */
export function precisionAtFive(
  archive: IncidentArchive,
  seed: number,
  recallWith?: (archive: IncidentArchive) => Recall,
): Precision {
  const random = SeededRandom.fromSeed(seed);
  const base = new KnowledgeBase(archive, 0 as WallMs);
  const recall = recallWith?.(archive) ?? ((incident) => base.recall(incident).map(({ id }) => id));
  const host = new PlantedHost(random.fork("host"));
  const familyOf = new Map<string, string | undefined>();
  const seen = new Map<string, number>();
  let [right, judged] = [0, 0];
  for (const planted of lifeOf(host, random)) {
    const { incident, family } = planted;
    if (family !== undefined && (seen.get(family) ?? 0) >= INCIDENT_SIMILAR_MAX) {
      const found = recall(openingOf(incident)).slice(0, INCIDENT_SIMILAR_MAX);
      right += found.filter((id) => familyOf.get(id) === family).length;
      judged++;
    }
    familyOf.set(incident.id, family);
    if (family !== undefined) seen.set(family, (seen.get(family) ?? 0) + 1);
    base.record(incident);
  }
  return { atFive: right / (INCIDENT_SIMILAR_MAX * judged), judged };
}

function lifeOf(host: PlantedHost, random: SeededRandom): Planted[] {
  const turns = Array.from({ length: families.length * EACH + ONE_OFFS }, (_, turn) => turn);
  return random
    .sample(turns, turns.length)
    .map((turn) => host.next(families[Math.floor(turn / EACH)]));
}

/** The incident as the loop sees it when it asks: the first symptom, which passes for the cause. */
function openingOf(incident: Incident): Incident {
  const [first] = incident.symptoms;
  if (first === undefined) return incident;
  const { code, subject } = first;
  const cause = { code, ...(subject !== undefined && { subject }), why: "" };
  return { ...incident, symptoms: [first], cause, outcome: "open" };
}
