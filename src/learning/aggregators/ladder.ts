// What to do when fewer rows came than the chosen rule needs. Down the rungs the guarantee stays the one of f liars; the
// last one holds the model. The mean is on no rung: a round that averages whatever came is what an attacker waits for.

import type { LearningErrorCode } from "../codes.ts";
import type { Aggregate, AggregateContext, AggregatorName } from "./aggregator.ts";
import { aggregatorNamed } from "./rules.ts";

/** What stands in for a rule of the Krum family below 2f + 3 rows: the same steps before, then the geometric median. */
const withoutKrum: Partial<Record<AggregatorName, AggregatorName>> = {
  krum: "geometric-median",
  "multi-krum": "geometric-median",
  "arc+nnm+multi-krum": "arc+nnm+geometric-median",
};

/** Where a number of rows stands on the ladder, and why. */
export type Rung =
  | { readonly kind: "chosen"; readonly aggregator: AggregatorName }
  | { readonly kind: "without-krum"; readonly aggregator: AggregatorName; readonly why: string }
  | { readonly kind: "hold"; readonly code: LearningErrorCode; readonly why: string };

/** A rung, and what its rule made of the rows. */
export type LadderResult =
  | { readonly rung: Exclude<Rung, { kind: "hold" }>; readonly aggregate: Aggregate }
  | { readonly rung: Extract<Rung, { kind: "hold" }> };

/** The rungs of one task: chosen rule, the same without Krum, hold. A pure function of the rows. */
export class AggregationLadder {
  readonly #aggregator: AggregatorName;
  readonly #byzantine: number;
  readonly #rowsMin: number;

  /** @param options `byzantine`: f of the population; `rowsMin`: K_min of the round, never below 2f + 1 */
  constructor(options: {
    readonly aggregator: AggregatorName;
    readonly byzantine: number;
    readonly rowsMin?: number;
  }) {
    this.#aggregator = options.aggregator;
    this.#byzantine = options.byzantine;
    this.#rowsMin = Math.max(options.rowsMin ?? 0, 2 * options.byzantine + 1);
  }

  /** The rung for so many rows. */
  rungFor(rows: number): Rung {
    const aggregator = this.#aggregator;
    const f = this.#byzantine;
    if (rows < this.#rowsMin) {
      const why = `${rows} updates for f = ${f}, at least ${this.#rowsMin} needed: the round keeps the model`;
      return { kind: "hold", code: "learning/too-few-updates", why };
    }
    const needed = aggregatorNamed(aggregator).minimum(f);
    if (rows >= needed) return { kind: "chosen", aggregator };
    const why = `${rows} updates for f = ${f}, ${aggregator} needs ${needed}`;
    const instead = withoutKrum[aggregator];
    return instead === undefined
      ? { kind: "hold", code: "learning/too-few-updates", why }
      : { kind: "without-krum", aggregator: instead, why };
  }

  /** Aggregates by the rung that the rows stand on; rows that a rule refuses hold the model with its code. */
  aggregate(rows: readonly Float32Array[], context: AggregateContext): LadderResult {
    const rung = this.rungFor(rows.length);
    if (rung.kind === "hold") return { rung };
    const result = aggregatorNamed(rung.aggregator).aggregate(rows, this.#byzantine, context);
    if (result.ok) return { rung, aggregate: result.value };
    return { rung: { kind: "hold", code: result.code, why: result.detail ?? rung.aggregator } };
  }
}
