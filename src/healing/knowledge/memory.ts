// The knowledge of a node without a disk for it: the last incidents, recalled by the cosine of their features.

import { type Incident, INCIDENT_SIMILAR_MAX, type SimilarIncident } from "../incident.ts";
import type { Knowledge } from "../ports.ts";

/** Of equal features: an incident with another cause counts this much less. */
const OTHER_CAUSE = 0.5;
const SIMILARITY_MIN = 0.2;

export class MemoryKnowledge implements Knowledge {
  readonly #incidents = new Map<string, Incident>();
  readonly #incidentsMax: number;

  constructor(incidentsMax = 128) {
    this.#incidentsMax = incidentsMax;
  }

  recall(incident: Incident): readonly SimilarIncident[] {
    return [...this.#incidents.values()]
      .filter(({ id, outcome }) => id !== incident.id && outcome !== "open")
      .map((past) => similarTo(incident, past))
      .filter(({ similarity }) => similarity >= SIMILARITY_MIN)
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, INCIDENT_SIMILAR_MAX);
  }

  record(incident: Incident): void {
    this.#incidents.set(incident.id, incident);
    const [oldest] = this.#incidents.keys();
    if (this.#incidents.size > this.#incidentsMax && oldest !== undefined)
      this.#incidents.delete(oldest);
  }

  list(limit: number): readonly Incident[] {
    return [...this.#incidents.values()].reverse().slice(0, limit);
  }

  find(id: string): Incident | undefined {
    return this.#incidents.get(id);
  }
}

function similarTo(incident: Incident, past: Incident): SimilarIncident {
  const { id, openedAtMs, outcome } = past;
  const sameCause = past.cause.code === incident.cause.code;
  return {
    ...{ id, openedAtMs, outcome },
    similarity: cosine(incident.features, past.features) * (sameCause ? 1 : OTHER_CAUSE),
    cause: past.cause.code,
    actions: past.actions.map(({ playbook, action, outcome }) => ({ playbook, action, outcome })),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (const [at, x] of a.entries()) {
    const y = b[at] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}
