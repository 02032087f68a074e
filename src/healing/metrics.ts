// The metrics of the healing loop, and what moves them: its effects.

import type { Meter, MetricDeclaration } from "../ports/index.ts";
import { actionKinds, actionOutcomes, incidentOutcomes } from "./incident.ts";
import type { HealingEffect, HealingView } from "./machine-types.ts";
import { symptoms } from "./symptoms.ts";

const LOOKS = "meshd_healing_looks_total";
const INCIDENTS = "meshd_healing_incidents_total";
const ACTIONS = "meshd_healing_actions_total";
const OPEN = "meshd_healing_incidents_open";
const UNMENDED = "meshd_healing_incidents_unmended";
const BUDGET = "meshd_healing_budget_left";
const CLAIMS = "meshd_healing_claims";
const NOTICES = "meshd_healing_notices_total";

/** `reject`: not as its author signed it, or no notice at all. `ignore`: old, too many, of strangers or of a newer version. */
const noticeDecisions = ["accept", "ignore", "reject"] as const;

export const healingMetrics: readonly MetricDeclaration[] = [
  { name: LOOKS, kind: "counter", help: "The loop looked at the node; once a second it does." },
  {
    name: INCIDENTS,
    kind: "counter",
    help: "An incident was opened (open), or closed with this outcome.",
    labels: { outcome: incidentOutcomes },
  },
  {
    name: ACTIONS,
    kind: "counter",
    help: "An action was begun (running), or came to this.",
    labels: { action: actionKinds, outcome: actionOutcomes },
  },
  { name: OPEN, kind: "gauge", help: "Incidents that are open." },
  {
    name: UNMENDED,
    kind: "gauge",
    help: "Open incidents, notices not counted, that nothing is tried for any more: a person must look.",
  },
  { name: BUDGET, kind: "gauge", help: "Actions that the node may still begin within the window." },
  {
    name: CLAIMS,
    kind: "gauge",
    help: "Nodes that hold a token of the mesh-wide budget of repair, as this node heard.",
  },
  {
    name: NOTICES,
    kind: "counter",
    help: "A claim or a lesson came from the mesh, and was taken, passed over or refused.",
    labels: { decision: noticeDecisions },
  },
];

export function meterEffect(meter: Meter, effect: HealingEffect): void {
  if (effect.kind === "action") {
    const { action, outcome } = effect.action;
    meter.count(ACTIONS, { action, outcome });
  }
  if (effect.kind === "incident" && effect.change !== "changed")
    meter.count(INCIDENTS, { outcome: effect.incident.outcome });
}

export function meterNotice(meter: Meter, decision: (typeof noticeDecisions)[number]): void {
  meter.count(NOTICES, { decision });
}

/** After each look. */
export function meterView(meter: Meter, { open, budgetLeft, claims }: HealingView): void {
  meter.count(LOOKS);
  meter.set(OPEN, open.length);
  const unmended = open.filter(
    ({ outcome, cause }) => outcome === "unmended" && symptoms[cause.code].severity !== "info",
  );
  meter.set(UNMENDED, unmended.length);
  meter.set(BUDGET, budgetLeft);
  meter.set(CLAIMS, claims);
}
