// Healing as the control API tells of it.

import type {
  Body,
  HealingStatus,
  IncidentExplained,
  Incidents,
  SimilarIncidents,
} from "../../control/index.ts";
import { utf8Bytes } from "../../foundation/index.ts";
import {
  explain,
  type Incident,
  observationNames,
  type SimilarIncident,
  symptoms,
} from "../../healing/index.ts";
import type { HealingLoop } from "./healing-loop.ts";

type NameOf = (id: string) => string;
type Shown = Incidents["incidents"][number];

export function healingOf(loop: HealingLoop): Body<HealingStatus> {
  const { view } = loop;
  return {
    mode: view.dryRun ? "advise" : "act",
    frozen: view.frozen,
    halted: view.halted ?? null,
    running: view.running.map(({ kind, target = null }) => ({ action: kind, target })),
    budgetLeft: view.budgetLeft,
    claims: view.claims,
    claimsMax: view.claimsMax,
    openIncidents: view.open.length,
    missing: [...view.missing],
    playbooks: [...loop.playbooks],
    playbookProblem:
      loop.raised().find(({ code }) => code === "healing/playbooks-refused")?.message ?? null,
  };
}

export function explainedOf(incident: Incident, nameOf: NameOf): Body<IncidentExplained> {
  const explanation = explain(incident, nameOf).map(({ step, atMs, text }) => ({
    ...{ step, at: timeOf(atMs), text },
  }));
  return { incident: incidentOf(incident, nameOf), explanation };
}

export function incidentOf(incident: Incident, nameOf: NameOf): Shown {
  const { id, openedAtMs, closedAtMs, outcome, cause, actions, similar } = incident;
  const named = (subject: string | undefined): string | null =>
    subject === undefined ? null : nameOf(subject);
  return {
    ...{ id, outcome, openedAt: new Date(openedAtMs).toISOString(), closedAt: timeOf(closedAtMs) },
    cause: {
      ...{ code: cause.code, title: symptoms[cause.code].title },
      ...{ subject: named(cause.subject), why: cause.why },
    },
    symptoms: incident.symptoms.map((one) => ({
      ...{ code: one.code, subject: named(one.subject), severity: one.severity },
      firstSeenAt: new Date(one.firstSeenMs).toISOString(),
      clearedAt: timeOf(one.clearedMs),
      message: one.message ?? null,
      evidence: one.evidence.map((evidence) => ({ ...evidence })),
    })),
    actions: actions.map(({ playbook, action, level, outcome: end, reason, ...one }) => ({
      ...{ playbook, action, level, outcome: end, reason, target: named(one.target) },
      ...{ startedAt: new Date(one.startedMs).toISOString(), endedAt: timeOf(one.endedMs) },
      check: one.check ?? null,
    })),
    similar: similar.map(({ id: other, similarity, node = null }) => ({
      ...{ id: other, similarity, node },
    })),
  };
}

/** `id`: the incident that they are like. */
export function similarOf(
  id: string,
  similar: readonly SimilarIncident[],
  nameOf: NameOf,
): Body<SimilarIncidents> {
  return {
    id,
    similar: similar.map(
      ({ id: other, similarity, node, openedAtMs, cause, outcome, actions }) => ({
        ...{ id: other, similarity, outcome, openedAt: new Date(openedAtMs).toISOString() },
        node: node === undefined ? null : nameOf(node),
        cause: { code: cause, title: symptoms[cause].title },
        actions: actions.map((action) => ({ ...action })),
      }),
    ),
  };
}

/** Incidents as lines of JSON, each with what was measured when it opened (0 to 1 of each observation's scale). */
export async function* exportOf(
  incidents: Iterable<Incident>,
  nameOf: NameOf,
): AsyncGenerator<Uint8Array> {
  for (const incident of incidents) {
    const features = observationNames.map(
      (name, at) => [name, incident.features[at] ?? 0] as const,
    );
    const measured: Record<string, number> = Object.fromEntries(features);
    const line = { ...incidentOf(incident, nameOf), features: measured };
    yield await Promise.resolve(utf8Bytes(`${JSON.stringify(line)}\n`));
  }
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
