// The tables and the heat-map of docs/robustness.md are made from the rows kept beside it, and stay so.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { writeDocuments } from "../../../bench/robustness/documents.ts";
import { columns, gridOf } from "../../../bench/robustness/grid.ts";
import { heatMap } from "../../../bench/robustness/heat-map.ts";
import { keep, readKept } from "../../../bench/robustness/kept.ts";
import { eightAttacks } from "../../../bench/robustness/slice.ts";

const docs = fileURLToPath(new URL("../../../docs", import.meta.url));

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "robustness-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const row = (name: string, samples: readonly number[]) => ({
  ...{ name: `robustness/caf/int8/iid/${name}`, unit: "%", value: 0, p50: 0, p95: 0, p99: 0 },
  ...{ n: samples.length, samples },
});
const caf = [{ rule: "caf", compression: "int8" }] as const;
const iid = { title: "Even", heterogeneity: "iid" } as const;

test("the documents are what the kept rows make", (t) => {
  const directory = scratch(t);
  const file = join(directory, "robustness.json");
  for (const name of ["robustness.json", "robustness.md"]) {
    copyFileSync(join(docs, name), join(directory, name));
  }
  writeDocuments(file, readKept(file));
  for (const name of ["robustness.md", "robustness.svg"]) {
    const made = readFileSync(join(directory, name), "utf8");
    assert.equal(made, readFileSync(join(docs, name), "utf8"), `${name}: --table documents`);
  }
});

test("a row measured again takes the place of the one before, but not with fewer seeds", (t) => {
  const file = join(scratch(t), "rows.json");
  const kept = () => [...readKept(file).values()].map(({ accuracies }) => accuracies);
  keep(file, row("f30/mimic", [90, 91.004]));
  assert.deepEqual(kept(), [[90, 91]]);
  keep(file, row("f30/mimic", [80]));
  assert.deepEqual(kept(), [[90, 91]]);
  keep(file, row("f30/mimic", [80, 70]));
  keep(file, row("f0/none", [95]));
  assert.deepEqual(kept(), [[95], [80, 70]]);
});

test("the worst is each seed's own, and there when all attacks are", () => {
  const rows = eightAttacks.map((attack, i) => row(`f30/${attack}`, [90 - i, 50 + i, 99]));
  const gridFor = (list: typeof rows) =>
    gridOf(
      new Map(list.map(({ name, samples }) => [name, { name, accuracies: samples }])),
      iid,
      caf,
    );
  const worst = columns.indexOf("worst");
  const [line] = gridFor(rows).lines;
  assert.deepEqual(line?.cells[worst], { accuracy: (83 + 50 + 99) / 3, seeds: 3 });
  assert.equal(line.cells[columns.indexOf("none")], undefined);
  const [part] = gridFor(rows.slice(1)).lines;
  assert.equal(part?.cells[worst], undefined);
  assert.equal(gridFor([]).lines.length, 0);
  const picture = heatMap("Title", [gridFor(rows)]);
  assert.equal(picture, heatMap("Title", [gridFor(rows)]));
  assert.equal(picture.match(/class="none"/g)?.length, 1);
});
