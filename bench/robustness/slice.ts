// Which cells of the robustness tables to measure: a preset, narrowed or widened by lists.

import {
  aggregatorNames,
  type AggregatorName,
  CERTIFIED_RULE,
  omniscientAttackNames,
  type OmniscientAttackName,
} from "../../src/learning/index.ts";
import { type BenchResult, summarize } from "../measure.ts";
import { heterogeneities, type Heterogeneity } from "./task.ts";
import type { WireSpec } from "./wire.ts";

/** The attacks of the table. */
export const eightAttacks = [
  "sign-flip",
  "ipm",
  "ipm-optimal",
  "alie-optimal",
  "label-flip",
  "mimic",
  "min-max",
  "gaussian",
] as const;

const compressions = ["none", "int8", "int4", "top-k", "own-top-k"] as const;

const presets: Readonly<
  Record<"quick" | "targets" | "full", Omit<Slice, "chosenRules" | "table" | "keep">>
> = {
  /** Does the defence hold at all? */
  quick: {
    ...{ rules: [CERTIFIED_RULE, "arc+nnm+geometric-median", "mean"], heterogeneity: ["iid"] },
    ...{ byzantine: [0, 30], attacks: eightAttacks, compression: ["int8"], seeds: 1, rounds: 150 },
  },
  /** What the project's numbers are held to. */
  targets: {
    ...{ rules: [CERTIFIED_RULE, "arc+nnm+geometric-median", "mean"] },
    ...{ heterogeneity: ["iid", "dir0.5"], byzantine: [0, 30], attacks: eightAttacks },
    ...{ compression: ["int8"], seeds: 5, rounds: 500 },
  },
  /** The whole table. */
  full: {
    ...{ rules: aggregatorNames, heterogeneity: heterogeneities, byzantine: [0, 10, 20, 30, 40] },
    ...{ attacks: eightAttacks, compression: ["int8"], seeds: 5, rounds: 500 },
  },
};

/** The cells: every combination. */
export interface Slice {
  readonly rules: readonly AggregatorName[];
  /** Those that were named, none of a preset. */
  readonly chosenRules: readonly AggregatorName[] | undefined;
  readonly heterogeneity: readonly Heterogeneity[];
  /** Liars, per cent of the nodes. */
  readonly byzantine: readonly number[];
  readonly attacks: readonly OmniscientAttackName[];
  readonly compression: readonly WireSpec["kind"][];
  readonly seeds: number;
  readonly rounds: number;
  /**
   * Accuracies; whom the detector names; how many peers gossip must pull; what an honest minority keeps; or nothing: `documents` draws
   * again what was kept.
   */
  readonly table: (typeof tables)[number];
  /** Where to keep accuracies, to make the documentation from. */
  readonly keep: string | undefined;
}

const tables = ["accuracy", "detector", "gossip", "minority", "documents"] as const;

/** @throws RangeError for a name that is none */
export function sliceOf(options: Readonly<Record<string, string | undefined>>): Slice {
  const chosen = options["preset"] ?? "quick";
  if (!(chosen in presets))
    throw new RangeError(`No preset '${chosen}': there are ${Object.keys(presets).join(", ")}.`);
  const preset = presets[chosen as keyof typeof presets];
  const table = one(options["table"] ?? "accuracy", tables);
  const isKept = table === "accuracy" || table === "documents";
  if (options["keep"] !== undefined && (!isKept || preset.rounds !== 500))
    throw new RangeError("--keep is for accuracies of --preset targets or full.");
  const rules = listOf(options["rules"], aggregatorNames, preset.rules);
  return {
    rules,
    chosenRules: options["rules"] === undefined ? undefined : rules,
    heterogeneity: listOf(options["heterogeneity"], heterogeneities, preset.heterogeneity),
    byzantine: numbersOf(options["byzantine"], preset.byzantine),
    attacks: listOf(options["attacks"], omniscientAttackNames, preset.attacks),
    compression: listOf(options["compression"], compressions, preset.compression),
    seeds: numbersOf(options["seeds"], [preset.seeds])[0] ?? 1,
    rounds: preset.rounds,
    table,
    keep: options["keep"],
  };
}

function listOf<Name extends string>(
  text: string | undefined,
  names: readonly Name[],
  preset: readonly Name[],
): readonly Name[] {
  return text?.split(",").map((name) => one(name, names)) ?? preset;
}

function one<Name extends string>(text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new RangeError(`No '${text}': there are ${names.join(", ")}.`);
  return found;
}

function numbersOf(text: string | undefined, preset: readonly number[]): readonly number[] {
  const numbers = text?.split(",").map(Number) ?? preset;
  const bad = numbers.find((number) => !Number.isSafeInteger(number) || number < 0);
  if (bad !== undefined) throw new RangeError(`Must be whole numbers from 0: ${text ?? ""}`);
  return numbers;
}

/** The mean over seeds; the quantiles are those of the seeds, the samples in their order. */
export function row(name: string, samples: readonly number[], unit = "%"): BenchResult {
  const value = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  return { ...summarize(name, unit, samples), value, samples };
}
