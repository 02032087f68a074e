// Attacks of liars who collude and know everything: the honest rows, the rule, the round. For the simulator and the bench,
// which have all rows in one place; what a single lying node of a live laboratory does is in `attacks.ts`.
// Sources: IPM (Xie et al. 2020), ALIE (Baruch et al. 2019), min-max and min-sum (Shejwalkar & Houmansadr 2021), mimic
// (Karimireddy et al. 2022); the optimal variants search their parameter against the pipeline in use (Allouah et al. 2023).

import type { SeededRandom } from "../seeded.ts";
import { GAUSSIAN_FACTOR } from "./attacks.ts";
import { strongest } from "./line-search.ts";
import { mimic } from "./mimic.ts";
import {
  along,
  deviationRow,
  inner,
  meanRow,
  normalQuantile,
  squaredApart,
} from "./row-statistics.ts";

/** What an attacker may use beside the honest rows. */
export interface OmniscientContext {
  /** What the pipeline in use makes of the honest rows and these; `undefined` when it holds the model. */
  readonly aggregate: (attack: readonly Float32Array[]) => Float32Array | undefined;
  readonly random: SeededRandom;
}

/** The rows that the f liars send in this round, for the honest ones: f of them, or none where they withhold. */
export type OmniscientAttack = (
  honest: readonly Float32Array[],
  f: number,
  context: OmniscientContext,
) => Float32Array[];

/** What liars do beside sending rows: the protocol, not the rule, has to deal with it. */
export interface AttackFlags {
  /** They train as told, on labels y -> classes - 1 - y: their honest rows are the attack. */
  readonly flipsLabels?: true;
  /** They sign a second, opposite update for the same round. */
  readonly equivocates?: true;
  /** They announce an update and never hand it out. */
  readonly withholds?: true;
  /** They send again what they sent in an earlier round. */
  readonly replays?: true;
  /** They claim to have trained on so many samples. */
  readonly claimedSamples?: number;
}

/** One attack in one run. */
export interface Attack {
  readonly flags: AttackFlags;
  /** State, as mimic has it, lives as long as the attack. */
  readonly rows: OmniscientAttack;
}

const IPM_STEALTHY = 0.1;

const copies = (row: Float32Array, f: number): Float32Array[] =>
  new Array<Float32Array>(f).fill(row);

/** Rows that lie on the line mean + parameter * direction. */
const onLine =
  (directionOf: Direction, parameterOf: Parameter): OmniscientAttack =>
  (honest, f, context) => {
    if (f === 0) return [];
    const mean = meanRow(honest);
    const direction = directionOf(honest, mean);
    const row = along(mean, direction, parameterOf({ honest, f, mean, direction, context }));
    return copies(row, f);
  };

type Direction = (honest: readonly Float32Array[], mean: Float64Array) => Float64Array;
type Parameter = (line: {
  readonly honest: readonly Float32Array[];
  readonly f: number;
  readonly mean: Float64Array;
  readonly direction: Float64Array;
  readonly context: OmniscientContext;
}) => number;

/** Against the mean: the parameter 1 + epsilon sends -epsilon times the mean. */
const againstMean: Direction = (_honest, mean) => mean.map((value) => -value);
/** Down the standard deviation of every coordinate. */
const downDeviation: Direction = (honest, mean) =>
  deviationRow(honest, mean).map((value) => -value);

/** The parameter that moves the pipeline's result farthest from the honest mean. */
const mostDamage: Parameter = ({ f, mean, direction, context }) =>
  strongest((parameter) => {
    const result = context.aggregate(copies(along(mean, direction, parameter), f));
    return result === undefined ? 0 : squaredApart(result, mean);
  });

/** ALIE's z: so many deviations that, with s honest rows beyond them, the liars are a majority on that side. */
const alieDeviations: Parameter = ({ honest, f }) => {
  const n = honest.length + f;
  const needed = Math.floor(n / 2 + 1) - f;
  const share = (honest.length - needed) / honest.length;
  return share <= 0 || share >= 1 ? 1 : Math.max(0, normalQuantile(share));
};

/** The greatest parameter at which `cost` of the squared distances to the honest rows is not above that of any honest row. */
const hiddenAmong =
  (cost: (squared: Float64Array) => number): Parameter =>
  ({ honest, mean, direction }) => {
    const allowed = honest
      .map((row) => cost(Float64Array.from(honest, (other) => squaredApart(row, other))))
      .reduce((a, b) => Math.max(a, b), 0);
    const away = honest.map((row) => along(mean, Float64Array.from(row), -1));
    const slope = away.map((row) => 2 * inner(row, direction));
    const bend = inner(direction, direction);
    const start = away.map((row) => inner(row, row));
    const fits = (t: number): boolean =>
      cost(Float64Array.from(start, (s, i) => s + t * (slope[i] as number) + t * t * bend)) <=
      allowed;
    return greatest(fits);
  };

function greatest(fits: (parameter: number) => boolean): number {
  let low = 0;
  let high = 1;
  while (high < 2 ** 20 && fits(high)) {
    low = high;
    high *= 2;
  }
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

const gaussian: OmniscientAttack = (honest, f, { random }) => {
  const mean = meanRow(honest);
  const sigma = GAUSSIAN_FACTOR * Math.sqrt(inner(mean, mean) / Math.max(1, mean.length));
  return Array.from({ length: f }, () => Float32Array.from(mean, () => sigma * random.normal()));
};

const constant =
  (value: number): OmniscientAttack =>
  (honest, f) =>
    copies(new Float32Array(honest[0]?.length ?? 0).fill(value), f);

const signFlip = onLine(againstMean, () => 2);

/** Sends again and again what the mean of the first round was. */
function replay(): OmniscientAttack {
  let first: Float32Array | undefined;
  return (honest, f) => {
    first ??= Float32Array.from(meanRow(honest));
    return copies(first, f);
  };
}

const attacks = {
  "sign-flip": () => ({ flags: {}, rows: signFlip }),
  ipm: () => ({ flags: {}, rows: onLine(againstMean, () => 1 + IPM_STEALTHY) }),
  "ipm-optimal": () => ({ flags: {}, rows: onLine(againstMean, mostDamage) }),
  alie: () => ({ flags: {}, rows: onLine(downDeviation, alieDeviations) }),
  "alie-optimal": () => ({ flags: {}, rows: onLine(downDeviation, mostDamage) }),
  "min-max": () => ({
    flags: {},
    rows: onLine(
      downDeviation,
      hiddenAmong((squared) => squared.reduce((a, b) => Math.max(a, b), 0)),
    ),
  }),
  "min-sum": () => ({
    flags: {},
    rows: onLine(
      downDeviation,
      hiddenAmong((squared) => squared.reduce((a, b) => a + b, 0)),
    ),
  }),
  mimic: () => ({ flags: {}, rows: mimic() }),
  "label-flip": () => ({ flags: { flipsLabels: true }, rows: () => [] }),
  gaussian: () => ({ flags: {}, rows: gaussian }),
  infinite: () => ({ flags: {}, rows: constant(Number.POSITIVE_INFINITY) }),
  "not-a-number": () => ({ flags: {}, rows: constant(Number.NaN) }),
  zero: () => ({ flags: {}, rows: constant(0) }),
  "huge-samples": () => ({ flags: { claimedSamples: 2 ** 40 }, rows: signFlip }),
  equivocation: () => ({ flags: { equivocates: true }, rows: signFlip }),
  withholding: () => ({ flags: { withholds: true }, rows: () => [] }),
  "stale-replay": () => ({ flags: { replays: true }, rows: replay() }),
} satisfies Record<string, () => Attack>;

/** One of the attacks. */
export type OmniscientAttackName = keyof typeof attacks;

/** The attacks there are. */
export const omniscientAttackNames = Object.keys(attacks) as readonly OmniscientAttackName[];

/** An attack of that name, its state fresh. */
export function omniscientAttack(name: OmniscientAttackName): Attack {
  return attacks[name]();
}
