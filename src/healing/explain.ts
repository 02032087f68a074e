// An incident in words, as somebody on call reads it: what was seen, what it is, why, what was done, and whether it helped.

import type { Evidence, Incident, SeenSymptom, TakenAction } from "./incident.ts";
import { observationScales } from "./observation.ts";
import { shortNumber } from "./short-number.ts";
import { symptoms } from "./symptoms.ts";

export const explanationSteps = [
  "seen",
  "symptom",
  "cause",
  "similar",
  "action",
  "check",
  "outcome",
] as const;

/** One line of the chain from an observation to its cure. */
export interface ExplanationLine {
  readonly step: (typeof explanationSteps)[number];
  /** Time of day on the node's clock, in ms since 1970; absent where a time says nothing. */
  readonly atMs?: number;
  readonly text: string;
}

/** The chain of an incident, in the order of what happened. `nameOf` turns a NodeId into a name. */
export function explain(incident: Incident, nameOf: (id: string) => string): ExplanationLine[] {
  const { symptoms: seen, cause, actions } = incident;
  const isCause = ({ code, subject }: SeenSymptom): boolean =>
    code === cause.code && subject === cause.subject;
  const causes = seen.filter(isCause);
  return [
    ...causes.flatMap(seenLines),
    ...causes.map((one) => symptomLine(one, "", nameOf)),
    // What follows from the cause is said in a line each.
    ...seen
      .filter((one) => !isCause(one))
      .map((one) => symptomLine(one, one.evidence.map(evidenceText).join("; "), nameOf)),
    { step: "cause", text: `${titled(cause, nameOf)}: ${cause.why}` },
    ...similarLines(incident, nameOf),
    ...actions.flatMap((action) => actionLines(action, nameOf)),
    outcomeLine(incident),
  ];
}

/** What was measured of the cause; where a part raised it, the part's own words. */
function seenLines({ firstSeenMs, evidence, message }: SeenSymptom): ExplanationLine[] {
  const texts = [...(message === undefined ? [] : [message]), ...evidence.map(evidenceText)];
  return texts.map((text) => ({ step: "seen", atMs: firstSeenMs, text }));
}

function evidenceText({ observation, value, finding }: Evidence): string {
  return `${observationScales[observation].what}: ${shortNumber(value)}, ${finding}`;
}

function symptomLine(
  seen: SeenSymptom,
  evidence: string,
  nameOf: (id: string) => string,
): ExplanationLine {
  const { code, severity, firstSeenMs } = seen;
  const measured = evidence === "" ? "" : `: ${evidence}`;
  return {
    step: "symptom",
    atMs: firstSeenMs,
    text: `${titled(seen, nameOf)} [${code}], ${severity}${measured}`,
  };
}

function titled(
  { code, subject }: Pick<SeenSymptom, "code" | "subject">,
  nameOf: (id: string) => string,
): string {
  const { title } = symptoms[code];
  return subject === undefined ? title : `${title}: ${nameOf(subject)}`;
}

/** Past incidents that are less alike say nothing to a person, unless they speak of what was tried here. */
const ALIKE_LEAST = 0.5;

function similarLines(incident: Incident, nameOf: (id: string) => string): ExplanationLine[] {
  const tried = new Set(incident.actions.map(({ playbook }) => playbook));
  const similar = incident.similar.filter(
    ({ similarity, actions }) =>
      similarity >= ALIKE_LEAST || actions.some(({ playbook }) => tried.has(playbook)),
  );
  const [best] = similar;
  if (best === undefined) return [];
  const worked = similar.flatMap(({ actions }) =>
    actions.filter(({ outcome }) => outcome === "mended").map(({ action }) => action),
  );
  const cures =
    worked.length === 0 ? "nothing mended them" : `mended by ${[...new Set(worked)].join(", ")}`;
  const likeness = Math.round(best.similarity * 100);
  const where = best.node === undefined ? best.id : `as ${nameOf(best.node)} told`;
  return [
    {
      step: "similar",
      text: `${similar.length} before, the most alike ${where} (${likeness} %): ${cures}`,
    },
  ];
}

function actionLines(action: TakenAction, nameOf: (id: string) => string): ExplanationLine[] {
  const { action: kind, target, outcome, reason, check, startedMs, endedMs } = action;
  const what = target === undefined ? kind : `${kind} ${nameOf(target)}`;
  const done = { advised: "advised only: ", "refused-by-guard": "not done: " } as const;
  const prefix = outcome === "advised" || outcome === "refused-by-guard" ? done[outcome] : "";
  const lines: ExplanationLine[] = [
    { step: "action", atMs: startedMs, text: `${prefix}${what}, because ${reason}` },
  ];
  if (check === undefined) return lines;
  const after = endedMs === undefined ? "" : ` after ${seconds(endedMs - startedMs)}`;
  return [
    ...lines,
    {
      step: "check",
      ...(endedMs !== undefined && { atMs: endedMs }),
      text: `${outcome}${after}: ${check}`,
    },
  ];
}

function outcomeLine(incident: Incident): ExplanationLine {
  const { outcome, openedAtMs, closedAtMs, actions, symptoms: seen } = incident;
  const lasted = closedAtMs === undefined ? "" : ` after ${seconds(closedAtMs - openedAtMs)}`;
  const idle = actions.length === 0 ? "; nothing was done" : "";
  const isCalm = outcome === "open" && seen.every(({ clearedMs }) => clearedMs !== undefined);
  const calm = isCalm ? "; all symptoms have gone, it is closed when that lasts" : "";
  const at = closedAtMs === undefined ? {} : { atMs: closedAtMs };
  return { step: "outcome", ...at, text: `${outcome}${lasted}${idle}${calm}` };
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
