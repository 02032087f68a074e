// Rows of the robustness tables that were measured before: a file of them is what the documentation is made from. A row measured
// again takes the place of the one before.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { BenchResult } from "../measure.ts";

/** What one cell under one attack gave. */
export interface KeptRow {
  /** robustness / rule / compression / data / f and per cent of liars / attack, `none` where nobody lies. */
  readonly name: string;
  /** Per cent, seed by seed from the first. */
  readonly accuracies: readonly number[];
}

/** Rows by name, of the last measurement of each. */
export function readKept(file: string): Map<string, KeptRow> {
  if (!existsSync(file)) return new Map();
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as { readonly rows: readonly KeptRow[] };
  return new Map(rows.map((row) => [row.name, row]));
}

/** Adds what was measured of one; fewer seeds than were kept of it change nothing. */
export function keep(file: string, { name, samples = [] }: BenchResult): void {
  const rows = readKept(file);
  if (samples.length < (rows.get(name)?.accuracies.length ?? 0)) return;
  const accuracies = samples.map((accuracy) => Math.round(100 * accuracy) / 100);
  rows.set(name, { name, accuracies });
  const sorted = [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map((row) => `    ${JSON.stringify(row)}`);
  writeFileSync(file, `{\n  "schemaVersion": 1,\n  "rows": [\n${lines.join(",\n")}\n  ]\n}\n`);
}
