// Learning bound: what a round makes of its updates is as near to the honest mean as the rule in use promises. A rule is
// (f, kappa)-robust when |F(x) - mean of S|^2 <= kappa * mean over S of |x_i - mean of S|^2 for every set S of n - f rows
// (Allouah et al. 2023); judged with S honest. And no update weighs more than the rule ever lets it.

import { type AggregatorName, stalenessWeight } from "../../learning/index.ts";
import type { ComputedSet, LearningListener } from "../learning/learning-types.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** What float32 and the 2^-24 of the weights may add, relative to the largest row. */
const ROUNDING = 1e-4;

/** kappa of a rule over n rows of which f may lie; undefined where none is proven. */
export function kappaOf(rule: AggregatorName, n: number, f: number): number | undefined {
  const r = f / (n - 2 * f);
  const bare: Partial<Record<string, number>> = {
    median: 4 * (1 + r) ** 2,
    "geometric-median": 4 * (1 + r) ** 2,
    "trimmed-mean": 6 * r * (1 + r),
    krum: 6 * (1 + r),
    "multi-krum": 6 * (1 + r),
    // Of the greatest variance in any direction, which is at most their sum: docs/robustness.md.
    caf: r * (1 + Math.SQRT2 + 2 * Math.sqrt(1 + r)) ** 2,
  };
  if (rule === "nearest-neighbour-mixing") return mixed(bare["trimmed-mean"], n, f);
  const [last = "", ...before] = rule.split("+").reverse();
  const inner = before.includes("nnm") ? mixed(bare[last], n, f) : bare[last];
  // Adaptive clipping keeps robustness and costs so much (Allouah et al. 2024, arXiv 2405.14432).
  return inner !== undefined && before.includes("arc") ? inner + 2 * r : inner;
}

/** Nearest-neighbour mixing before a rule. */
function mixed(kappa: number | undefined, n: number, f: number): number | undefined {
  return kappa === undefined ? undefined : ((8 * f) / (n - f)) * (kappa + 1);
}

/** The rows among which a rule spreads the weight at least: mixing means n - f, and n - 2f of n is what CAF keeps. */
function weighedLeast(rule: AggregatorName, n: number, f: number): number {
  if (rule.includes("nnm")) return n - f;
  return rule.endsWith("caf") ? n - 2 * f : 1;
}

/** Measures every round that an honest participant computed. */
export class LearningBound extends Checker implements LearningListener {
  readonly name = "learning-bound";
  readonly #swarm: Swarm;
  readonly #world: LearningWorld;

  constructor(swarm: Swarm, world: LearningWorld) {
    super();
    this.#swarm = swarm;
    this.#world = world;
  }

  roundComputed(node: NodeIndex, computed: ComputedSet): void {
    const { aggregator, byzantine: f } = this.#world.task.manifest;
    const { updates, influences, round } = computed;
    const n = updates.length;
    const kappa = kappaOf(aggregator, n, f);
    // Nothing was applied: the rule refused, and the model is kept.
    if (kappa === undefined || influences.length === 0) return;
    this.checks++;
    const say = (what: string): void => this.report(this.#swarm.nowMs, node, node, what);
    const { liarIds } = this.#world;
    const honest = updates.filter(({ nodeId }) => !liarIds.has(nodeId)).slice(0, n - f);
    const { away, spread, scale } = measure(honest, computed);
    if (away > kappa * spread + ROUNDING * scale) {
      say(`round ${round} is ${away} from the honest mean, the rule allows ${kappa * spread}`);
    }
    const most = Math.max(...influences.map(({ share }) => share));
    const allowed = 1 / weighedLeast(aggregator, n, f);
    if (most > allowed + ROUNDING) {
      say(`an update weighs ${most} in round ${round}, the rule allows ${allowed}`);
    }
  }
}

/** Squared: from the result to the mean of the rows; of the rows to their mean, on average; the longest row. Late ones as they are weighed. */
function measure(entries: ComputedSet["updates"], { round, before, after }: ComputedSet) {
  const rows = entries.map(({ row, baseRound }) => {
    const weight = stalenessWeight(round - 1 - baseRound);
    return weight === 1 ? row : row.map((value) => weight * value);
  });
  let [away, spread] = [0, 0];
  const lengths = new Float64Array(rows.length);
  for (let at = 0; at < after.length; at++) {
    const values = rows.map((row) => row[at] as number);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows.length;
    away += ((after[at] as number) - (before[at] as number) - mean) ** 2;
    for (const [i, value] of values.entries()) {
      spread += (value - mean) ** 2 / rows.length;
      lengths[i] = (lengths[i] as number) + value * value;
    }
  }
  return { away, spread, scale: Math.max(0, ...lengths) };
}
