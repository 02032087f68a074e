// The documentation of the tables, made from the kept rows: the heat-map beside the file, and the tables of a Markdown file of the
// same name, between the marks `<!-- table X -->` and `<!-- end -->`.

import { readFileSync, writeFileSync } from "node:fs";
import { type AggregatorName, aggregatorNames, CERTIFIED_RULE } from "../../src/learning/index.ts";
import { type Cell, columns, type Grid, gridOf, worstCell } from "./grid.ts";
import { heatMap } from "./heat-map.ts";
import type { KeptRow } from "./kept.ts";
import type { Heterogeneity } from "./task.ts";

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

/** How unlike the data is, by how many lie: table B3. */
const shares = {
  kinds: [
    ["iid", "even"],
    ["dir1", "Dirichlet 1"],
    ["dir0.5", "Dirichlet 0.5"],
    ["dir0.1", "Dirichlet 0.1"],
    ["sorted", "sorted by label"],
  ] as const satisfies readonly (readonly [Heterogeneity, string])[],
  percents: [0, 10, 20, 30, 40],
};

/** @param file of the kept rows, as `docs/robustness.json` */
export function writeDocuments(file: string, rows: ReadonlyMap<string, KeptRow>): void {
  const base = file.replace(/\.json$/, "");
  const grids = kinds.map((kind) => gridOf(rows, kind, lines));
  const title = "Accuracy on the test points after 500 rounds, mean over the seeds, per cent";
  writeFileSync(`${base}.svg`, heatMap(title, grids));
  const tables = new Map<string, string>([
    ...kinds.map(({ heterogeneity }, i) => [heterogeneity, tableOf(grids[i] as Grid)] as const),
    ["shares", sharesTable(rows)],
  ]);
  const text = readFileSync(`${base}.md`, "utf8").replaceAll(
    /(<!-- table (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, head: string, name: string, end: string) => {
      const table = tables.get(name);
      return table === undefined ? whole : `${head}\n${table}\n\n${end}`;
    },
  );
  writeFileSync(`${base}.md`, text);
}

/** A line a rule, a column an attack. */
function tableOf({ lines }: Grid): string {
  const heads = ["rule", ...columns.map((column) => (column === "none" ? "no liars" : column))];
  return markdown(
    heads,
    lines.map(({ name, cells }) => ({ name: `\`${name}\``, cells })),
  );
}

/** A line a kind of data, a column a share of liars: the default rule under each seed's own worst attack. */
function sharesTable(rows: ReadonlyMap<string, KeptRow>): string {
  const { kinds, percents } = shares;
  return markdown(
    ["data", ...percents.map((percent) => (percent === 0 ? "no liars" : `${percent} %`))],
    kinds.map(([kind, name]) => ({
      name,
      cells: percents.map((percent) =>
        worstCell(rows, `robustness/${CERTIFIED_RULE}/int8/${kind}`, percent),
      ),
    })),
  );
}

/** In brackets how many seeds there are where others have more. */
function markdown(
  heads: readonly string[],
  lines: readonly { readonly name: string; readonly cells: readonly (Cell | undefined)[] }[],
): string {
  const most = Math.max(...lines.flatMap(({ cells }) => cells.map((cell) => cell?.seeds ?? 0)));
  const text = (cell: Cell | undefined): string => {
    if (cell === undefined) return "–";
    const accuracy = cell.accuracy.toFixed(1);
    return cell.seeds === most ? accuracy : `${accuracy} (${cell.seeds})`;
  };
  const rows = [
    heads,
    ["---", ...heads.slice(1).map(() => "---:")],
    ...lines.map(({ name, cells }) => [name, ...cells.map(text)]),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
