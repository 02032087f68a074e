// Healing as the control API tells of it.

import type { Body, HealingStatus, IncidentExplained, Incidents } from "../../control/index.ts";
import { explain, type Incident, symptoms } from "../../healing/index.ts";
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

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
