// What a node has learned: past incidents, its own and those that others told of, and which of them a new one resembles. Two
// lists give the candidates, merged by their ranks: the nearest by what was measured, and the best by words (symptoms, cause,
// peer). Those few are then compared exactly.
//
// What others told may be a lie. It is recalled beside own experience, never in its place: by few places, one a node, for half.
// It may say that something helped or did not, never that it harmed, and nothing of playbooks that this node has tried itself
// in similar incidents. So it can order what the node has not tried yet; it cannot forbid anything, nor add anything to do.

import type { WallMs } from "../../ports/index.ts";
import { type Incident, INCIDENT_SIMILAR_MAX, type SimilarIncident } from "../incident.ts";
import { FEATURES } from "../observation.ts";
import type { Knowledge } from "../ports.ts";
import type { ArchivedIncident, IncidentArchive, Whose } from "./archive.ts";
import { fuseRanks } from "./rank-fusion.ts";
import { VectorIndex } from "./vector-index.ts";
import { wordsOf } from "./words.ts";

/** Bounds of what is remembered. */
export interface KnowledgeOptions {
  /** Own incidents; the oldest goes. @default 4000 */
  readonly ownMax: number;
  /** Incidents of others, of all and of each; the longest known goes. @default 1000, 32 */
  readonly othersMax: number;
  readonly othersPerNodeMax: number;
  /** What is older is forgotten. @default half a year */
  readonly retentionMs: number;
}

export const knowledgeDefaults: KnowledgeOptions = {
  ownMax: 4_000,
  othersMax: 1_000,
  othersPerNodeMax: 32,
  retentionMs: 180 * 86_400_000,
};

/** How many of each list are merged. */
const CANDIDATES = 40;
/** Less is no resemblance. */
const SIMILARITY_MIN = 0.25;
/** What another node lived through counts for so much of what this one did, in at most so many places. */
const HEARSAY = 0.5;
const HEARSAY_MAX = 2;
/** Of a NodeId before the id of an incident that it told of: too many to find another key for. */
const NODE_DIGITS = 16;
/** Squared distance of two readings at which they are half alike: one number of all that is off by half of its scale. */
const HALF_ALIKE = 0.25;

export class KnowledgeBase implements Knowledge {
  readonly #archive: IncidentArchive;
  readonly #options: KnowledgeOptions;
  readonly #vectors: Readonly<Record<Whose, VectorIndex>> = {
    own: new VectorIndex(FEATURES),
    others: new VectorIndex(FEATURES),
  };
  /** Ids in the order in which they came, own ones under "". */
  readonly #byNode = new Map<string, Set<string>>();

  /** What an earlier run left open was ended by the end of that run; `nowMs` is when this one began. */
  constructor(archive: IncidentArchive, nowMs: WallMs, options: Partial<KnowledgeOptions> = {}) {
    this.#archive = archive;
    this.#options = { ...knowledgeDefaults, ...options };
    const { retentionMs } = this.#options;
    for (const entry of archive.all()) {
      const { incident } = entry;
      if (incident.openedAtMs < nowMs - retentionMs) archive.remove(incident.id);
      else if (incident.outcome !== "open") this.#index(entry);
      else this.#keep({ incident: { ...incident, outcome: "unmended", closedAtMs: nowMs } });
    }
  }

  recall(incident: Incident): readonly SimilarIncident[] {
    const own = this.#like(incident, "own").slice(0, INCIDENT_SIMILAR_MAX);
    const tried = new Set(own.flatMap(({ actions }) => actions.map(({ playbook }) => playbook)));
    const nodes = new Set<string | undefined>();
    const heard = this.#like(incident, "others")
      .filter(({ node }) => !nodes.has(node) && nodes.add(node))
      .slice(0, HEARSAY_MAX)
      .map((one) => asHearsay(one, tried));
    return [...own, ...heard]
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, INCIDENT_SIMILAR_MAX);
  }

  record(incident: Incident): void {
    this.#keep({ incident });
  }

  /** Keeps what another node told; whoever calls has verified that it is this node's word. It cannot touch what others told. */
  hear(node: string, incident: Incident): void {
    this.#keep({
      incident: { ...incident, id: `${node.slice(0, NODE_DIGITS)}:${incident.id}` },
      node,
    });
  }

  list(limit: number): readonly Incident[] {
    return this.#archive.newest(limit);
  }

  find(id: string): Incident | undefined {
    return this.#archive.get(id)?.incident;
  }

  /** Those that are similar at all, the most similar first. */
  #like(incident: Incident, whose: Whose): SimilarIncident[] {
    const near = this.#vectors[whose].nearest(incident.features, CANDIDATES).map(({ id }) => id);
    const alike = this.#archive.search(wordsOf(incident), CANDIDATES, whose);
    return fuseRanks([near, alike], CANDIDATES)
      .flatMap(({ id }) => {
        const past = id === incident.id ? undefined : this.#archive.get(id);
        const isOver = past !== undefined && past.incident.outcome !== "open";
        return isOver ? [similarTo(incident, past)] : [];
      })
      .filter(({ similarity }) => similarity >= SIMILARITY_MIN)
      .sort((a, b) => b.similarity - a.similarity);
  }

  #keep(entry: ArchivedIncident): void {
    this.#archive.put(entry, wordsOf(entry.incident));
    this.#index(entry);
    const { ownMax, othersMax, othersPerNodeMax } = this.#options;
    const { node = "" } = entry;
    if (this.#countOf(node) > (node === "" ? ownMax : othersPerNodeMax)) this.#forgetOldest(node);
    if (this.#vectors.others.size > othersMax) this.#forgetOldest(this.#mostTalkative());
  }

  #index({ incident, node = "" }: ArchivedIncident): void {
    this.#vectors[whoseOf(node)].set(incident.id, incident.features);
    const ids = this.#byNode.get(node) ?? new Set<string>();
    ids.add(incident.id);
    this.#byNode.set(node, ids);
  }

  #countOf(node: string): number {
    return this.#byNode.get(node)?.size ?? 0;
  }

  #forgetOldest(node: string): void {
    const ids = this.#byNode.get(node);
    const [oldest] = ids ?? [];
    if (ids === undefined || oldest === undefined) return;
    this.#vectors[whoseOf(node)].delete(oldest);
    this.#archive.remove(oldest);
    ids.delete(oldest);
    if (ids.size === 0) this.#byNode.delete(node);
  }

  /** Of all others, the one that has told most. */
  #mostTalkative(): string {
    let most = "";
    for (const node of this.#byNode.keys())
      if (node !== "" && (most === "" || this.#countOf(node) > this.#countOf(most))) most = node;
    return most;
  }
}

function whoseOf(node: string): Whose {
  return node === "" ? "own" : "others";
}

function similarTo(
  incident: Incident,
  { incident: past, node }: ArchivedIncident,
): SimilarIncident {
  const { id, openedAtMs, outcome, cause, actions } = past;
  return {
    ...{ id, openedAtMs, outcome, cause: cause.code },
    similarity: likeness(incident, past),
    ...(node === undefined ? {} : { node }),
    actions: actions.map(({ playbook, action, outcome }) => ({ playbook, action, outcome })),
  };
}

/** Each playbook's last outcome, of those that this node has not tried itself. */
function asHearsay(one: SimilarIncident, tried: ReadonlySet<string>): SimilarIncident {
  const last = new Map(one.actions.map((action) => [action.playbook, action]));
  const actions = [...last.values()]
    .filter(({ playbook }) => !tried.has(playbook))
    .map(({ outcome, ...action }) => ({
      ...action,
      outcome: outcome === "worse" ? ("no-effect" as const) : outcome,
    }));
  return { ...one, similarity: HEARSAY * one.similarity, actions };
}

/**
 * 0 to 1: the geometric mean of how near the numbers are and how much symptoms, cause and peer have in common (Ochiai: an
 * incident that opens has one symptom, those that are over have all of theirs).
 */
function likeness(a: Incident, b: Incident): number {
  let distance = 0;
  for (const [at, value] of a.features.entries()) distance += (value - (b.features[at] ?? 0)) ** 2;
  const [mine, theirs] = [conclusions(a), conclusions(b)];
  const shared = mine.intersection(theirs).size / Math.sqrt(mine.size * theirs.size);
  return Math.sqrt(shared / (1 + distance / HALF_ALIKE));
}

function conclusions({ cause, symptoms }: Incident): Set<string> {
  const codes = symptoms.map(({ code }) => code);
  return new Set([`cause ${cause.code}`, `about ${cause.subject ?? "this node"}`, ...codes]);
}
