// A playbook: which symptom it is for, what must and must not be so, and what is then tried, step by step.

import type { ActionKind } from "../incident.ts";
import type { ObservationName } from "../observation.ts";
import type { SymptomCode } from "../symptoms.ts";

/** Bounds of an observation; both may be absent. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** Whom an action may hurt if it goes wrong: nobody, this node, or another one. */
export const radii = ["none", "node", "peer"] as const;
export type Radius = (typeof radii)[number];

export interface Step {
  readonly action: ActionKind;
  /** What it is done to, by name; without one it is the symptom's subject, where that has one. */
  readonly target?: string;
  /** `advise`: said, not done. */
  readonly level: "act" | "advise";
  readonly timeLimitMs: number;
  /** The check looks for this long whether the action helped. */
  readonly checkMs: number;
  /** It helped when these hold; without any, when the symptom has gone. */
  readonly check: Readonly<Partial<Record<ObservationName, Bounds>>>;
}

export interface Playbook {
  readonly name: string;
  readonly for: readonly SymptomCode[];
  /** Not while one of these stands. */
  readonly unless: readonly SymptomCode[];
  /** Only while these hold; one that is not measured does not. */
  readonly when: Readonly<Partial<Record<ObservationName, Bounds>>>;
  readonly radius: Radius;
  /** Between two runs against the same thing. */
  readonly cooldownMs: number;
  readonly steps: readonly Step[];
}

/** Whether all bounds hold; what was not measured holds nothing. */
export function holds(
  bounds: Readonly<Partial<Record<ObservationName, Bounds>>>,
  values: Readonly<Partial<Record<ObservationName, number>>>,
): boolean {
  return Object.entries(bounds).every(([name, { min = -Infinity, max = Infinity }]) => {
    const value = values[name as ObservationName];
    return value !== undefined && value >= min && value <= max;
  });
}
