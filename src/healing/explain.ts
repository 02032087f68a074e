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
  const { symptoms: seen, cause, similar, actions } = incident;
  return [
    ...seen.flatMap((symptom) => symptom.evidence.map((one) => seenLine(symptom, one))),
    ...seen.map((symptom) => symptomLine(symptom, nameOf)),
    { step: "cause", text: `${titled(cause, nameOf)}: ${cause.why}` },
    ...(similar.length > 0 ? [similarLine(incident)] : []),
    ...actions.flatMap((action) => actionLines(action, nameOf)),
    outcomeLine(incident),
  ];
}

function seenLine({ firstSeenMs }: SeenSymptom, one: Evidence): ExplanationLine {
  const { what } = observationScales[one.observation];
  return {
    step: "seen",
    atMs: firstSeenMs,
    text: `${what}: ${shortNumber(one.value)}, ${one.finding}`,
  };
}

function symptomLine(seen: SeenSymptom, nameOf: (id: string) => string): ExplanationLine {
  const { code, severity, firstSeenMs, message } = seen;
  const words = message === undefined ? "" : ` (${message})`;
  return {
    step: "symptom",
    atMs: firstSeenMs,
    text: `${titled(seen, nameOf)} [${code}], ${severity}${words}`,
  };
}

function titled(
  { code, subject }: Pick<SeenSymptom, "code" | "subject">,
  nameOf: (id: string) => string,
): string {
  const { title } = symptoms[code];
  return subject === undefined ? title : `${title}: ${nameOf(subject)}`;
}

function similarLine({ similar }: Incident): ExplanationLine {
  const [best] = similar;
  const worked = similar.flatMap(({ actions }) =>
    actions.filter(({ outcome }) => outcome === "mended").map(({ action }) => action),
  );
  const cures =
    worked.length === 0 ? "nothing mended them" : `mended by ${[...new Set(worked)].join(", ")}`;
  const likeness = Math.round((best?.similarity ?? 0) * 100);
  return {
    step: "similar",
    text: `${similar.length} before, the most alike ${best?.id ?? ""} (${likeness} %): ${cures}`,
  };
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

function outcomeLine({ outcome, openedAtMs, closedAtMs, actions }: Incident): ExplanationLine {
  const lasted = closedAtMs === undefined ? "" : ` after ${seconds(closedAtMs - openedAtMs)}`;
  const idle = actions.length === 0 ? "; nothing was done" : "";
  const at = closedAtMs === undefined ? {} : { atMs: closedAtMs };
  return { step: "outcome", ...at, text: `${outcome}${lasted}${idle}` };
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
