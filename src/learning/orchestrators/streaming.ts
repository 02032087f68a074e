// Streaming: nobody waits for anybody. Every interval one step is certified over a table that holds the newest update of
// each identity, so an identity has one vote however often it sends. A stream without a table has no f: three tenths of
// the identities, sending ten times as often, would be four fifths of it.
//
// Updates of the slow stay in the table and count again until replaced (Gu et al. 2021, MIFA), each step weighed by
// s(age) = (1 + age)^-a, where age counts the certified rounds since the model it was trained from. The base is in
// the signed header and was checked there, so nobody chooses his age.

import { MeshError, type Result } from "../../foundation/index.ts";
import type { AggregateContext, AggregatorName } from "../aggregators/aggregator.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { RoundView } from "../protocol/index.ts";
import { inversePower } from "../schedules/exact-powers.ts";
import { weighEntries } from "./influence.ts";
import {
  ageOf,
  type RoundEntry,
  type RoundInput,
  type RoundOrchestrator,
  type RoundOutput,
} from "./round-orchestrator.ts";

export interface StreamingOptions {
  /** N. */
  readonly participants: number;
  /** f of the population. */
  readonly byzantine: number;
  /** Time between certified steps. Shorter: fresher models, more agreement traffic. */
  readonly intervalMs: number;
  /** Older updates leave the table. Higher: slow nodes count, with directions from longer ago. */
  readonly stalenessMax: number;
  /** a. Higher: what is late counts less. @default 0.5 */
  readonly stalenessExponent?: number;
}

/** Without a schedule that says otherwise: the square root (Xie et al. 2019). */
const STALENESS_EXPONENT = 0.5;

/** A certified step each interval over one update an identity. */
export class StreamingOrchestrator implements RoundOrchestrator {
  readonly stalenessMax: number;
  readonly deadlineMs: number;
  readonly #options: StreamingOptions;

  /** @throws MeshError `learning/bad-task` when the table could never outvote its liars */
  constructor(options: StreamingOptions) {
    const { participants, byzantine } = options;
    if (participants <= 2 * byzantine) {
      throw new MeshError(
        "learning/bad-task",
        `Cannot stream among ${participants} participants with ${byzantine} liars: at least ${2 * byzantine + 1} are ` +
          "needed. Lower byzantine or invite more participants.",
        { participants, byzantine },
      );
    }
    this.stalenessMax = options.stalenessMax;
    this.deadlineMs = options.intervalMs;
    this.#options = options;
  }

  /** A tick without anything new is void: certifying the same table again would repeat its step. */
  closes({ fresh, elapsedMs }: RoundView): "wait" | "close" | "void" {
    if (elapsedMs < this.#options.intervalMs) return "wait";
    return fresh > 0 ? "close" : "void";
  }

  combine(
    { round, entries }: RoundInput,
    aggregator: AggregatorName,
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode> {
    const { byzantine, stalenessMax } = this.#options;
    const isFresh = (entry: RoundEntry): boolean => ageOf(entry, round) <= stalenessMax;
    const table = newestOfEach(entries).filter(isFresh);
    const { stalenessExponent: exponent } = this.#options;
    const aged = table.map((entry) => {
      const weight = stalenessWeight(ageOf(entry, round), exponent);
      return weight === 1 ? entry : { ...entry, row: entry.row.map((value) => weight * value) };
    });
    // The ladder holds below 2f + 1 identities.
    return weighEntries(aged, byzantine, aggregator, context);
  }
}

/** Of every identity the entry with the highest base, of equal ones the later; ascending node id. */
function newestOfEach(entries: readonly RoundEntry[]): RoundEntry[] {
  const newest = new Map<string, RoundEntry>();
  for (const entry of entries) {
    const known = newest.get(entry.nodeId);
    if (known === undefined || entry.baseRound >= known.baseRound) newest.set(entry.nodeId, entry);
  }
  return [...newest.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

/** Weight of an update whose base is `age` rounds behind: the same bits on every host. */
export function stalenessWeight(age: number, exponent: number = STALENESS_EXPONENT): number {
  return inversePower(1 + age, exponent);
}
