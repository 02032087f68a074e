// Kept rows as a grid of rules and attacks: what the tables and the heat-map of docs/robustness.md show.

import type { AggregatorName } from "../../src/learning/index.ts";
import type { KeptRow } from "./kept.ts";
import { eightAttacks } from "./slice.ts";
import type { Heterogeneity } from "./task.ts";

/** What stands over the columns: nobody lies, the attacks, and each seed's own worst of them. */
export const columns = ["none", ...eightAttacks, "worst"] as const;

/** The share of liars that the documentation is about. */
const LIARS_PERCENT = 30;

export interface Cell {
  /** Per cent, the mean over the seeds. */
  readonly accuracy: number;
  readonly seeds: number;
}

/** One kind of data. */
export interface Grid {
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    readonly cells: readonly (Cell | undefined)[];
  }[];
}

/** A rule, and how updates travel. */
interface Line {
  readonly rule: AggregatorName;
  readonly compression: string;
}

/** The lines of which some cell is there, in the order given. */
export function gridOf(
  rows: ReadonlyMap<string, KeptRow>,
  { title, heterogeneity }: { readonly title: string; readonly heterogeneity: Heterogeneity },
  lines: readonly Line[],
): Grid {
  const found = lines.map(({ rule, compression }) => {
    const prefix = `robustness/${rule}/${compression}/${heterogeneity}`;
    const cells = columns.map((column) => {
      if (column === "worst") return worstCell(rows, prefix, LIARS_PERCENT);
      if (column === "none") return worstCell(rows, prefix, 0);
      return cellOf(rows.get(`${prefix}/f${LIARS_PERCENT}/${column}`)?.accuracies ?? []);
    });
    return {
      name:
        compression === "int8"
          ? rule
          : `${rule}, ${compression === "none" ? "float32" : compression}`,
      cells,
    };
  });
  return { title, lines: found.filter(({ cells }) => cells.some((cell) => cell !== undefined)) };
}

/** Each seed's own worst of the eight attacks when so many per cent lie; of nobody lying what there is. */
export function worstCell(
  rows: ReadonlyMap<string, KeptRow>,
  prefix: string,
  percent: number,
): Cell | undefined {
  const of = (attack: string): readonly number[] =>
    rows.get(`${prefix}/f${percent}/${attack}`)?.accuracies ?? [];
  return cellOf(percent === 0 ? of("none") : worst(eightAttacks.map(of)));
}

/** Seed by seed the least, over the seeds that all have; nothing unless all are there. */
function worst(lists: readonly (readonly number[])[]): number[] {
  const seeds = Math.min(...lists.map(({ length }) => length));
  return Array.from({ length: seeds }, (_, seed) =>
    Math.min(...lists.map((list) => list[seed] ?? 0)),
  );
}

function cellOf(accuracies: readonly number[]): Cell | undefined {
  if (accuracies.length === 0) return undefined;
  const sum = accuracies.reduce((a, b) => a + b, 0);
  return { accuracy: sum / accuracies.length, seeds: accuracies.length };
}
