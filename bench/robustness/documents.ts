// The documentation of the tables, made from the kept rows: the heat-map beside the file, and the tables of a Markdown file of the
// same name, between the marks `<!-- table X -->` and `<!-- end -->`.

import { readFileSync, writeFileSync } from "node:fs";
import { type AggregatorName, aggregatorNames, CERTIFIED_RULE } from "../../src/learning/index.ts";
import { type Cell, columns, type Grid, gridOf } from "./grid.ts";
import { heatMap } from "./heat-map.ts";
import type { KeptRow } from "./kept.ts";

/** The default first, the means last, the others between them as they are listed. */
const first: readonly AggregatorName[] = [CERTIFIED_RULE, "arc+nnm+geometric-median"];
const lines = [
  ...[...first, ...aggregatorNames.filter((name) => !first.includes(name) && name !== "mean")].map(
    (rule) => ({ rule, compression: "int8" }),
  ),
  { rule: "mean", compression: "int8" },
  { rule: "mean", compression: "none" },
] as const;

const kinds = [
  { heterogeneity: "iid", title: "Even data, 6 of 20 lie" },
  { heterogeneity: "dir0.5", title: "Dirichlet 0.5, 6 of 20 lie" },
] as const;

/** @param file of the kept rows, as `docs/robustness.json` */
export function writeDocuments(file: string, rows: ReadonlyMap<string, KeptRow>): void {
  const base = file.replace(/\.json$/, "");
  const grids = kinds.map((kind) => gridOf(rows, kind, lines));
  const title = "Accuracy on the test points after 500 rounds, mean over the seeds, per cent";
  writeFileSync(`${base}.svg`, heatMap(title, grids));
  const tables = new Map(kinds.map(({ heterogeneity }, i) => [heterogeneity, grids[i] as Grid]));
  const text = readFileSync(`${base}.md`, "utf8").replaceAll(
    /(<!-- table (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, head: string, name: (typeof kinds)[number]["heterogeneity"], end: string) => {
      const grid = tables.get(name);
      return grid === undefined ? whole : `${head}\n${tableOf(grid)}\n\n${end}`;
    },
  );
  writeFileSync(`${base}.md`, text);
}

/** A line a rule, a column an attack; in brackets how many seeds there are where others have more. */
function tableOf({ lines }: Grid): string {
  const most = Math.max(...lines.flatMap(({ cells }) => cells.map((cell) => cell?.seeds ?? 0)));
  const text = (cell: Cell | undefined): string => {
    if (cell === undefined) return "–";
    const accuracy = cell.accuracy.toFixed(1);
    return cell.seeds === most ? accuracy : `${accuracy} (${cell.seeds})`;
  };
  const rows = [
    ["rule", ...columns.map((column) => (column === "none" ? "no liars" : column))],
    ["---", ...columns.map(() => "---:")],
    ...lines.map(({ name, cells }) => [`\`${name}\``, ...cells.map(text)]),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
