// The incidents that are open: symptoms come and go in them, and they close when all has been calm for a while.

import type { MonoMs, Now } from "../../ports/index.ts";
import {
  type Incident,
  INCIDENT_SYMPTOMS_MAX,
  type SeenSymptom,
  type TakenAction,
} from "../incident.ts";
import { featuresOf, type Reading } from "../observation.ts";
import type { HealingOptions } from "../options.ts";
import { symptoms } from "../symptoms.ts";
import { keyOf, type Standing } from "./analyzer.ts";
import { belongTogether, causeOf } from "./cause.ts";

/** Open at once, at most; what comes then waits until one closes. */
const OPEN_MAX = 16;

export interface Change {
  readonly incident: Incident;
  readonly change: "opened" | "changed" | "closed";
}

interface Case {
  incident: Incident;
  openedMs: MonoMs;
  /** When a symptom came last. */
  newsMs: MonoMs;
  /** Since when none stands; undefined while one does. */
  calmSinceMs: MonoMs | undefined;
}

export class IncidentBook {
  readonly #self: string;
  readonly #options: HealingOptions;
  readonly #open = new Map<string, Case>();
  #count = 0;

  constructor(self: string, options: HealingOptions) {
    this.#self = self;
    this.#options = options;
  }

  get open(): readonly Incident[] {
    return [...this.#open.values()].map(({ incident }) => incident);
  }

  find(id: string): Incident | undefined {
    return this.#open.get(id)?.incident;
  }

  ageMs(id: string, now: Now): number {
    return now.monoMs - (this.#open.get(id)?.openedMs ?? now.monoMs);
  }

  /** Replaces what is known of an open incident. */
  set(incident: Incident): void {
    const known = this.#open.get(incident.id);
    if (known !== undefined) known.incident = incident;
  }

  /** Takes what stands now. */
  update(standing: readonly Standing[], reading: Reading, now: Now): Change[] {
    const changes = new Map<string, Change["change"]>();
    const byKey = new Map(standing.map((one) => [keyOf(one), one]));
    for (const known of this.#open.values())
      if (refresh(known, byKey, now)) changes.set(known.incident.id, "changed");
    for (const one of standing) {
      if (symptoms[one.code].lasting || this.#has(one)) continue;
      const known = this.#homeOf(one, now);
      if (known !== undefined) {
        join(known, one, now);
        changes.set(known.incident.id, changes.get(known.incident.id) ?? "changed");
      } else if (this.#open.size < OPEN_MAX) {
        changes.set(this.#begin(one, reading, now), "opened");
      }
    }
    for (const id of this.#calm(now)) changes.set(id, "closed");
    return [...changes].flatMap(([id, change]) => this.#changed(id, change));
  }

  #changed(id: string, change: Change["change"]): Change[] {
    const incident = this.find(id);
    if (incident === undefined) return [];
    if (change === "closed") this.#open.delete(id);
    return [{ incident, change }];
  }

  #has(one: Standing): boolean {
    const key = keyOf(one);
    return [...this.#open.values()].some(({ incident }) =>
      incident.symptoms.some((seen) => seen.clearedMs === undefined && keyOf(seen) === key),
    );
  }

  /** The incident that a new symptom belongs to: related to one of its symptoms, and not long after its last news. */
  #homeOf(one: Standing, now: Now): Case | undefined {
    const { groupMs } = this.#options;
    return [...this.#open.values()].find(
      ({ incident, newsMs, calmSinceMs }) =>
        (calmSinceMs === undefined || now.monoMs - newsMs <= groupMs) &&
        incident.symptoms.some(({ code }) => belongTogether(code, one.code)),
    );
  }

  #begin(one: Standing, reading: Reading, now: Now): string {
    const seen = [seenOf(one)];
    const time = now.wallMs.toString(36);
    const id = `${this.#self.slice(0, 8)}-${time}-${(this.#count++ % 1_296).toString(36)}`;
    const incident: Incident = {
      ...{ id, openedAtMs: now.wallMs, symptoms: seen, cause: causeOf(seen) },
      ...{ features: featuresOf(reading), actions: [], outcome: "open", similar: [] },
    };
    this.#open.set(id, {
      incident,
      openedMs: now.monoMs,
      newsMs: now.monoMs,
      calmSinceMs: undefined,
    });
    return id;
  }

  /** Closes what has been calm for long enough. */
  #calm(now: Now): string[] {
    const closed: string[] = [];
    for (const [id, known] of this.#open) {
      const { incident, calmSinceMs } = known;
      if (calmSinceMs === undefined || now.monoMs - calmSinceMs < this.#options.calmMs) continue;
      if (incident.actions.some(({ outcome }) => outcome === "running")) continue;
      known.incident = { ...incident, closedAtMs: now.wallMs, outcome: outcomeOf(incident) };
      closed.push(id);
    }
    return closed;
  }
}

function outcomeOf({ outcome, actions }: Incident): Incident["outcome"] {
  if (outcome !== "open") return outcome;
  const mended = actions.some((action: TakenAction) => action.outcome === "mended");
  return mended ? "mended" : "self-mended";
}

/** Marks what has gone, and takes newer evidence of what stands. */
function refresh(known: Case, byKey: ReadonlyMap<string, Standing>, now: Now): boolean {
  const { incident } = known;
  const hasGone = (seen: SeenSymptom): boolean =>
    seen.clearedMs === undefined && !byKey.has(keyOf(seen));
  const isChanged = incident.symptoms.some(hasGone);
  const next = incident.symptoms.map((seen) =>
    hasGone(seen) ? { ...seen, clearedMs: now.wallMs } : seen,
  );
  if (isChanged) known.incident = { ...incident, symptoms: next };
  const stands = next.some(({ clearedMs }) => clearedMs === undefined);
  known.calmSinceMs = stands ? undefined : (known.calmSinceMs ?? now.monoMs);
  return isChanged;
}

/** A symptom that came again replaces what was known of it, and keeps the time when it was first seen. */
function join(known: Case, one: Standing, now: Now): void {
  const { incident } = known;
  const key = keyOf(one);
  const before = incident.symptoms.find((seen) => keyOf(seen) === key);
  if (before === undefined && incident.symptoms.length >= INCIDENT_SYMPTOMS_MAX) return;
  const seen = { ...seenOf(one), firstSeenMs: before?.firstSeenMs ?? one.firstSeenMs };
  const next = [...incident.symptoms.filter((other) => keyOf(other) !== key), seen];
  // What was given up is taken up again with what is new.
  const outcome = incident.outcome === "unmended" ? "open" : incident.outcome;
  known.incident = { ...incident, outcome, symptoms: next, cause: causeOf(next) };
  known.newsMs = now.monoMs;
  known.calmSinceMs = undefined;
}

function seenOf({
  code,
  subject,
  severity,
  firstSeenMs,
  message,
  evidence,
}: Standing): SeenSymptom {
  return {
    ...{ code, severity, firstSeenMs, evidence },
    ...(subject !== undefined && { subject }),
    ...(message !== undefined && { message }),
  };
}
