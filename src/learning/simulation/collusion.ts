// Liars who know everything: the honest updates of the round, the rule, and one another. Their rows are made once for all of
// them, before anything is sent.

import { type Attack, omniscientAttack, type OmniscientAttackName } from "../attacks/omniscient.ts";
import { SeededRandom } from "../seeded.ts";

/** The attacks that make rows from the honest ones; what else liars do is in the schedules and in the task. */
export const colludingAttacks = [
  "ipm",
  "ipm-optimal",
  "alie",
  "alie-optimal",
  "min-max",
  "min-sum",
  "mimic",
  "zero",
  "stale-replay",
] as const satisfies readonly OmniscientAttackName[];

/** One of {@link colludingAttacks}. */
export type ColludingAttack = (typeof colludingAttacks)[number];

export interface CollusionDeps {
  readonly name: ColludingAttack;
  readonly seed: number;
  /** What the pipeline in use makes of rows in the order of participants; `undefined` when it refuses. */
  readonly aggregate: (rows: readonly Float32Array[]) => Float32Array | undefined;
  /** By index. */
  readonly isLiar: (participant: number) => boolean;
}

/** The attack of a run. */
export class Collusion {
  readonly #deps: CollusionDeps;
  readonly #attack: Attack;

  constructor(deps: CollusionDeps) {
    this.#deps = deps;
    this.#attack = omniscientAttack(deps.name);
  }

  /** All rows of a round with those of the liars replaced. */
  replace(rows: readonly Float32Array[], round: number): Float32Array[] {
    const { isLiar, aggregate, seed } = this.#deps;
    const honest = rows.filter((_, i) => !isLiar(i));
    const withLies = (lies: readonly Float32Array[]): Float32Array[] => {
      const left = [...lies];
      return rows.map((row, i) => (isLiar(i) ? (left.shift() ?? row) : row));
    };
    const random = new SeededRandom("collusion", seed, round);
    const context = {
      random,
      aggregate: (lies: readonly Float32Array[]) => aggregate(withLies(lies)),
    };
    return withLies(this.#attack.rows(honest, rows.length - honest.length, context));
  }
}
