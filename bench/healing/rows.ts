// Rows of the tables of the healing bench, in Markdown.

import type { Case } from "./cases.ts";
import type { Kept, KeptOutcome } from "./kept.ts";
import type { Mode } from "./runs.ts";

export const HEAD = `| what | runs | whole again, p50, p99 s | mended, p50, p99 s | availability: all, joined, settled % | actions with healing on | harm | broken |
|---|---|---|---|---|---|---|---|`;

/** One case: its first mode before its second. */
export function rowOf(table: string, { name, modes }: Case, kept: Kept): string {
  const groups = modes.map((mode) => kept.of(table, name, mode));
  const each = (show: (runs: readonly KeptOutcome[]) => string): string =>
    groups.map(show).join(" → ");
  const last = groups.at(-1) ?? [];
  const cells = [
    name,
    each((runs) => String(runs.length)),
    each((runs) => secondsOf(runs.map(({ outcome }) => outcome.recoveryMs ?? 0))),
    each((runs) => secondsOf(runs.flatMap(({ outcome }) => outcome.mendMs))),
    each(availabilityOf),
    actionsOf(last),
    String(last.reduce((sum, { outcome }) => sum + outcome.harmful, 0)),
    each((runs) => String(runs.filter(isBroken).length)),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Runs to look at: harm, or an invariant that broke. */
export function troubles(table: string, { name, modes }: Case, kept: Kept): string[] {
  const runs = modes.flatMap((mode: Mode) => kept.of(table, name, mode));
  return runs
    .filter((run) => isBroken(run) || run.outcome.harmful > 0)
    .map(({ mode, seed, outcome: { harmful, violations } }) => {
      const [first = "", ...more] = violations;
      return `${name}, ${mode}, seed ${seed}: ${harmful} harmful; ${first}${more.length > 0 ? ` and ${more.length} more` : ""}`;
    });
}

function isBroken({ outcome }: KeptOutcome): boolean {
  return outcome.violations.length > 0;
}

const shares = ["availability", "joinedAvailability", "settledAvailability"] as const;

function availabilityOf(runs: readonly KeptOutcome[]): string {
  const share = (of: (typeof shares)[number]): string =>
    ((100 * runs.reduce((sum, { outcome }) => sum + outcome[of], 0)) / runs.length).toFixed(3);
  return runs.length === 0 ? "-" : shares.map(share).join(", ");
}

function actionsOf(runs: readonly KeptOutcome[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of runs)
    for (const [what, times] of Object.entries(outcome.byKind))
      counts.set(what, (counts.get(what) ?? 0) + times);
  return [...counts].map(([what, times]) => `${what} ${times}`).join(", ") || "none";
}

function secondsOf(samplesMs: readonly number[]): string {
  return [0.5, 0.99].map((share) => secondsAt(samplesMs, share)).join(", ");
}

/** Nearest rank, in seconds with a decimal. */
function secondsAt(samplesMs: readonly number[], share: number): string {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const ms = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return ms === undefined ? "-" : (ms / 1_000).toFixed(1);
}
