// npm run bench -- healing [--rules single,pairs,large,fleet,thousand,storm,sweep,memory] [--seeds N] [--from SEED] [--modes off,on] [--cases BEGINNING,...] [--keep FILE]:
// what healing is worth and whether it ever harms, in the simulator. Every fault alone and in pairs with healing off and on; large meshes;
// random faults; a leak that comes again, with memory of the first and without. With a FILE each run is kept as it ends and not made again.
// Prints tables in Markdown.

import { tables } from "./healing/cases.ts";
import { Kept } from "./healing/kept.ts";
import { HEAD, rowOf, troubles } from "./healing/rows.ts";
import { benchRun } from "./healing/runs.ts";
import type { BenchSuite } from "./measure.ts";

export const suite: BenchSuite = (_report, { slice }) => {
  const seeds = Number(slice["seeds"] ?? 5);
  const from = Number(slice["from"] ?? 1);
  const chosen = slice["modes"]?.split(",");
  const named = slice["cases"]?.split(",");
  const kept = new Kept(slice["keep"]);
  for (const table of (slice["rules"] ?? "single,pairs,large,memory").split(",")) {
    const all = tables[table]?.();
    if (all === undefined)
      throw new RangeError(`No rule '${table}': there are ${Object.keys(tables).join(", ")}.`);
    const cases = all.filter(({ name }) => named?.some((one) => name.startsWith(one)) ?? true);
    if (cases.length === 0) throw new RangeError(`No case of '${table}' begins so.`);
    // Seed by seed, so that all rows have as many runs wherever it is stopped.
    for (let seed = from; seed < from + seeds; seed++)
      for (const { name, settingOf, modes } of cases)
        for (const mode of modes) {
          const key = { table, name, mode, seed };
          if (chosen?.includes(mode) === false || kept.has(key)) continue;
          kept.add({ ...key, outcome: benchRun({ ...settingOf(seed), seed, mode }) });
        }
    console.log(`\n${table}\n${HEAD}`);
    for (const one of cases) console.log(rowOf(table, one, kept));
    console.log(cases.flatMap((one) => troubles(table, one, kept)).join("\n"));
  }
  return Promise.resolve();
};
