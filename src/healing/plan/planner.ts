// Chooses what to try next for an incident: playbooks for its cause first, those before that worked in similar incidents,
// and each step of them once.

import type { MonoMs, Now } from "../../ports/index.ts";
import type { Incident, SeenSymptom, SimilarIncident } from "../incident.ts";
import type { Reading } from "../observation.ts";
import type { SymptomCode } from "../symptoms.ts";
import { holds, type Playbook, type Step } from "./playbook.ts";

/** One thing to try. */
export interface Plan {
  readonly playbook: Playbook;
  readonly step: Step;
  readonly symptom: SeenSymptom;
  readonly target?: string;
  readonly reason: string;
}

/** What an action's outcome in a similar incident adds to its playbook's score, times the similarity. */
const worth = { mended: 1, "no-effect": -0.5, failed: -0.5, worse: -2 } as const;
/** A playbook below that has done harm before: it is left alone. */
const SCORE_LEAST = -1;
/** Remembered tries; the oldest are forgotten first. */
const TRIES_MAX = 512;

export class Planner {
  #playbooks: readonly Playbook[];
  /** When a step was tried against a target last, in the order of the tries. */
  readonly #tries = new Map<string, MonoMs>();

  constructor(playbooks: readonly Playbook[]) {
    this.#playbooks = playbooks;
  }

  set playbooks(playbooks: readonly Playbook[]) {
    this.#playbooks = playbooks;
  }

  /** Everything that may be tried now, the best first. */
  plans(
    incident: Incident,
    standing: ReadonlySet<SymptomCode>,
    reading: Reading,
    now: Now,
  ): Plan[] {
    const live = incident.symptoms.filter(({ clearedMs }) => clearedMs === undefined);
    const causes = live.filter(({ code }) => code === incident.cause.code);
    const rest = live.filter(({ code }) => code !== incident.cause.code);
    const plans = [...causes, ...rest].flatMap((symptom) =>
      this.#ranked(symptom, incident.similar)
        .filter((playbook) => applies(playbook, standing, reading))
        .flatMap((playbook) => this.#next(playbook, symptom, incident, now)),
    );
    // What was not tried yet goes before what was tried in vain, however short its cooldown is.
    return plans.sort((a, b) => triesOf(a, incident) - triesOf(b, incident));
  }

  tried({ playbook, step, target }: Plan, now: Now): void {
    const key = tryKey(playbook, step, target);
    this.#tries.delete(key);
    this.#tries.set(key, now.monoMs);
    const [oldest] = this.#tries.keys();
    if (this.#tries.size > TRIES_MAX && oldest !== undefined) this.#tries.delete(oldest);
  }

  /** Not a try after all: the same may be planned again after `waitMs`. */
  putOff({ playbook, step, target }: Plan, waitMs: number, now: Now): void {
    const atMs = (now.monoMs - playbook.cooldownMs + waitMs) as MonoMs;
    this.#tries.set(tryKey(playbook, step, target), atMs);
  }

  #ranked(symptom: SeenSymptom, similar: readonly SimilarIncident[]): Playbook[] {
    return this.#playbooks
      .filter((playbook) => playbook.for.includes(symptom.code))
      .map((playbook) => ({ playbook, score: scoreOf(playbook, similar) }))
      .filter(({ score }) => score >= SCORE_LEAST)
      .sort((a, b) => b.score - a.score)
      .map(({ playbook }) => playbook);
  }

  /** The first step that was not tried within the cooldown. */
  #next(playbook: Playbook, symptom: SeenSymptom, incident: Incident, now: Now): Plan[] {
    for (const step of playbook.steps) {
      const target = step.target ?? symptom.subject;
      const triedMs = this.#tries.get(tryKey(playbook, step, target));
      if (triedMs !== undefined && now.monoMs - triedMs < playbook.cooldownMs) continue;
      const reason = reasonOf(playbook, symptom, incident);
      return [{ playbook, step, symptom, ...(target !== undefined && { target }), reason }];
    }
    return [];
  }
}

function triesOf({ playbook, step, target }: Plan, { actions }: Incident): number {
  return actions.filter(
    (one) =>
      one.playbook === playbook.name &&
      one.action === step.action &&
      one.target === target &&
      one.outcome !== "refused-by-guard",
  ).length;
}

function tryKey(playbook: Playbook, step: Step, target: string | undefined): string {
  return `${playbook.name} ${playbook.steps.indexOf(step)} ${target ?? ""}`;
}

function applies(
  { unless, when }: Playbook,
  standing: ReadonlySet<SymptomCode>,
  { values }: Reading,
): boolean {
  return !unless.some((code) => standing.has(code)) && holds(when, values);
}

/** How well a playbook did in similar incidents. */
function scoreOf({ name }: Playbook, similar: readonly SimilarIncident[]): number {
  let score = 0;
  for (const { similarity, actions } of similar)
    for (const { playbook, outcome } of actions)
      if (playbook === name && Object.hasOwn(worth, outcome))
        score += similarity * worth[outcome as keyof typeof worth];
  return score;
}

function reasonOf(
  { name }: Playbook,
  { code, subject }: SeenSymptom,
  { similar }: Incident,
): string {
  const about = subject === undefined ? code : `${code} of ${subject.slice(0, 12)}`;
  const worked = similar.filter(({ actions }) =>
    actions.some(({ playbook, outcome }) => playbook === name && outcome === "mended"),
  );
  const past = worked.length === 0 ? "" : `; it mended ${worked.length} similar incident(s) before`;
  return `playbook ${name} is for ${about}${past}`;
}
