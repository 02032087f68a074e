// From readings to symptoms that stand: what rules find, what parts raise, and peers without a link that works, each after its
// time to be visible.

import type { MonoMs, Now, WallMs } from "../../ports/index.ts";
import type { Evidence } from "../incident.ts";
import { History } from "../monitor/history.ts";
import { type ObservationName, observationNames, type Reading } from "../observation.ts";
import { type Severity, type SymptomCode, symptoms } from "../symptoms.ts";
import type { Detector } from "./detectors.ts";
import { type Rule, rules } from "./rules.ts";
import { Silences } from "./silences.ts";

/** Symptoms that stand at once, at most; the oldest are kept. */
const STANDING_MAX = 64;

/** A symptom that stands. */
export interface Standing {
  readonly code: SymptomCode;
  readonly subject?: string;
  readonly severity: Severity;
  readonly sinceMs: MonoMs;
  readonly firstSeenMs: WallMs;
  readonly message?: string;
  readonly evidence: readonly Evidence[];
  /** It stood at the last reading; since then its sensor has been silent. */
  readonly held: boolean;
}

/** Tells one symptom from another. */
export function keyOf({ code, subject }: Pick<Standing, "code" | "subject">): string {
  return subject === undefined ? code : `${code} ${subject}`;
}

type Seen = Omit<Standing, "sinceMs" | "firstSeenMs" | "severity">;

interface Eye {
  readonly rule: Rule;
  readonly detector: Detector;
  last: Evidence | undefined;
}

export class Analyzer {
  readonly #history = new History();
  readonly #silences = new Silences();
  readonly #eyes: readonly Eye[] = rules.map((rule) => ({
    rule,
    detector: rule.make(),
    last: undefined,
  }));
  #standing = new Map<string, Standing>();
  #measured = new Set<ObservationName>();
  #missing: readonly ObservationName[] = [];
  #reading: Reading = { values: {}, conditions: [], peers: [] };

  /** The last reading, with what was derived from it. */
  get reading(): Reading {
    return this.#reading;
  }

  /** Observations that were measured once and are not now. */
  get missing(): readonly ObservationName[] {
    return this.#missing;
  }

  /** Takes a reading; the symptoms that are visible now. */
  look(read: Reading, now: Now): readonly Standing[] {
    const { values, deadLinks } = this.#silences.look(read.peers, now.monoMs);
    const reading = (this.#reading = { ...read, values: { ...read.values, ...values } });
    this.#missing = [...this.#measured].filter((name) => reading.values[name] === undefined);
    for (const name of observationNames)
      if (reading.values[name] !== undefined) this.#measured.add(name);
    const next = new Map<string, Standing>();
    for (const seen of this.#seen(reading, deadLinks)) {
      const key = keyOf(seen);
      const before = next.get(key) ?? this.#standing.get(key);
      if (before === undefined && next.size >= STANDING_MAX) continue;
      next.set(key, standingOf(seen, before, now, next.has(key)));
    }
    this.#history.add(reading);
    this.#standing = next;
    return [...next.values()].filter(
      ({ code, sinceMs }) => now.monoMs - sinceMs >= symptoms[code].timeToVisibleMs,
    );
  }

  #seen(reading: Reading, deadLinks: ReadonlyMap<string, Evidence>): Seen[] {
    const raised = reading.conditions.map(
      (condition): Seen => ({ ...condition, evidence: [], held: false }),
    );
    const found = this.#found(reading);
    return [...raised, ...found, ...unreachable(reading, deadLinks), ...this.#silent()];
  }

  #found({ values }: Reading): Seen[] {
    return this.#eyes.flatMap((eye): Seen[] => {
      const { rule, detector } = eye;
      const value = values[rule.observation];
      if (value === undefined)
        return eye.last === undefined
          ? []
          : [{ code: rule.code, evidence: [eye.last], held: true }];
      const past = (count: number): number[] => this.#history.newest(rule.observation, count);
      const finding = detector.look(value, past);
      const { provided } = rule;
      const counts =
        provided === undefined || (values[provided.observation] ?? 0) >= provided.atLeast;
      eye.last =
        finding === undefined || !counts
          ? undefined
          : { observation: rule.observation, ...finding };
      return eye.last === undefined ? [] : [{ code: rule.code, evidence: [eye.last], held: false }];
    });
  }

  #silent(): Seen[] {
    if (this.#missing.length === 0) return [];
    const message = `Not measured any more: ${this.#missing.join(", ")}. What depends on it is not judged.`;
    return [{ code: "healing/sensor-missing", message, evidence: [], held: false }];
  }
}

/** Live peers that should have a link and have none, or one that carries nothing; one symptom for each. */
function unreachable({ peers }: Reading, deadLinks: ReadonlyMap<string, Evidence>): Seen[] {
  return peers
    .filter(({ state, connected, wanted, nodeId }) =>
      connected ? deadLinks.has(nodeId) : wanted && state === "alive",
    )
    .map(({ nodeId }) => {
      const evidence = deadLinks.get(nodeId);
      return {
        ...{ code: "mesh/peer-unreachable" as const, subject: nodeId, held: false },
        evidence: evidence === undefined ? [] : [evidence],
      };
    });
}

function standingOf(
  { code, subject, message, evidence, held }: Seen,
  before: Standing | undefined,
  now: Now,
  again: boolean,
): Standing {
  const words = message ?? before?.message;
  return {
    code,
    ...(subject !== undefined && { subject }),
    severity: symptoms[code].severity,
    sinceMs: before?.sinceMs ?? now.monoMs,
    firstSeenMs: before?.firstSeenMs ?? now.wallMs,
    ...(words !== undefined && { message: words }),
    evidence: again ? [...(before?.evidence ?? []), ...evidence] : evidence,
    held: again ? held && (before?.held ?? false) : held,
  };
}
