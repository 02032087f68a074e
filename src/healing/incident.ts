// An incident: symptoms that belong together, what most likely caused them, what was done, and what came of it.

import type { WallMs } from "../ports/index.ts";
import type { ObservationName } from "./observation.ts";
import type { Severity, SymptomCode } from "./symptoms.ts";

/** Everything that healing can do; which of them a node offers, its actuators say. */
export const actionKinds = [
  "redial-peer",
  "change-relay",
  "rejoin",
  "fetch-bundle",
  "renew-svid",
  "quarantine-peer",
  "resync-beacons",
  "shed-load",
  "restart-part",
  "change-engine",
  "compact-store",
  "free-memory",
] as const;
export type ActionKind = (typeof actionKinds)[number];

/** A number that speaks for a symptom. */
export interface Evidence {
  readonly observation: ObservationName;
  readonly value: number;
  /** The limit that it passed. */
  readonly threshold: number;
  /** How it was found: "above 50", "outlier of 6.2 MAD", "full in 40 min". */
  readonly finding: string;
}

/** A symptom while, or as, it stood. */
export interface SeenSymptom {
  readonly code: SymptomCode;
  readonly subject?: string;
  readonly severity: Severity;
  readonly firstSeenMs: WallMs;
  /** When it was gone; absent while it stands. */
  readonly clearedMs?: WallMs;
  /** Of raised conditions: the words of the part that raised it. */
  readonly message?: string;
  readonly evidence: readonly Evidence[];
}

export interface Cause {
  readonly code: SymptomCode;
  readonly subject?: string;
  /** Why this and no other, in words. */
  readonly why: string;
}

export const actionOutcomes = [
  "running",
  "mended",
  "no-effect",
  "worse",
  "failed",
  "refused-by-guard",
  "advised",
] as const;
/** `running` is the only one that changes; `advised`: said, not done. */
export type ActionOutcome = (typeof actionOutcomes)[number];

/** Something that was done, or that the guards did not let be done, or that was only advised. */
export interface TakenAction {
  readonly playbook: string;
  readonly action: ActionKind;
  readonly target?: string;
  readonly level: "act" | "advise";
  readonly startedMs: WallMs;
  readonly endedMs?: WallMs;
  readonly outcome: ActionOutcome;
  /** Why it was done; of a refusal: which guard and why. */
  readonly reason: string;
  /** What the check saw, in words; absent before the check. */
  readonly check?: string;
}

export const incidentOutcomes = ["open", "mended", "self-mended", "unmended"] as const;
/** `mended`: after an action that worked; `self-mended`: without one; `unmended`: given up while it stood. */
export type IncidentOutcome = (typeof incidentOutcomes)[number];

export interface Incident {
  /** Unique on its node, and sortable by time: 8 hex digits of the NodeId, then base-36 time and count. */
  readonly id: string;
  readonly openedAtMs: WallMs;
  readonly closedAtMs?: WallMs;
  readonly symptoms: readonly SeenSymptom[];
  readonly cause: Cause;
  /** What the node saw at the opening: {@link FEATURES} numbers between 0 and 1. */
  readonly features: Float32Array;
  readonly actions: readonly TakenAction[];
  readonly outcome: IncidentOutcome;
  /** Past incidents that the plan was ranked by. */
  readonly similar: readonly SimilarIncident[];
}

/** A past incident as far as a plan needs it. */
export interface SimilarIncident {
  readonly id: string;
  /** 0 to 1. */
  readonly similarity: number;
  /** The node that it happened to, when it was another one. */
  readonly node?: string;
  readonly openedAtMs: WallMs;
  readonly cause: SymptomCode;
  readonly outcome: IncidentOutcome;
  readonly actions: readonly Pick<TakenAction, "playbook" | "action" | "outcome">[];
}

/** Limits of one incident; what comes later is left out, oldest kept. */
export const INCIDENT_SYMPTOMS_MAX = 32;
export const INCIDENT_ACTIONS_MAX = 32;
export const INCIDENT_SIMILAR_MAX = 5;
