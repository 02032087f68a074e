// Twelve real daemons, each in a network namespace of its own, under the faults that the simulator claims to know; and the
// simulator under the same script. `npm run e2e:namespaces` prints both, docs/real-vs-simulated.md explains where they differ.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DaemonMesh } from "./namespaces/daemons.ts";
import { Namespaces } from "./namespaces/namespaces.ts";
import { type Figures, NODES, type Phase, phases } from "./namespaces/phases.ts";
import { libfaketime, RealMesh } from "./namespaces/real-mesh.ts";
import { SimulatedMesh } from "./namespaces/simulated-mesh.ts";
import { isConverged } from "./namespaces/views.ts";

const SEEDS = [1, 2, 3, 4, 5];
const START_LIMIT_MS = 60_000;
const missing = await Namespaces.missing();
const measured = new Map<Phase, Figures>();

test("twelve daemons in namespaces", { skip: missing ?? false }, async (t) => {
  const daemons = await DaemonMesh.start(NODES);
  t.after(() => daemons.close());
  const mesh = new RealMesh(daemons);
  await mesh.until("all to see all", () => isConverged(mesh), START_LIMIT_MS);
  t.diagnostic(`network: ${daemons.namespaces.fabric.kind}`);
  for (const phase of phases) {
    const skip =
      phase.skewed && libfaketime() === undefined ? "libfaketime is not installed" : false;
    await t.test(phase.name, { skip }, async () => {
      const figures = await phase.run(mesh);
      measured.set(phase, figures);
      // What healthy nodes must never be taken for, whatever the network does to their packets.
      assert.equal(figures.get("false deaths (count)") ?? 0, 0);
      assert.ok(isConverged(mesh));
    });
  }
});

after(async () => {
  if (measured.size === 0) return;
  const row = (cells: readonly string[]): void => console.log(`| ${cells.join(" | ")} |`);
  row(["fault", "what", "daemons", "simulator: median", "of seeds", "ratio"]);
  row(["---", "---", "---", "---", "---", "---"]);
  for (const [phase, figures] of measured) {
    const simulated = await Promise.all(
      SEEDS.map((seed) => phase.run(new SimulatedMesh(seed, phase))),
    );
    for (const [what, real] of figures) {
      const values = simulated.map((one) => one.get(what) ?? Number.NaN).sort((a, b) => a - b);
      const show = (value: number | undefined): string =>
        what.includes("count") ? String(value) : `${((value ?? Number.NaN) / 1_000).toFixed(2)} s`;
      const median = values[values.length >> 1];
      const ratio = what.includes("count") ? "" : (real / (median ?? Number.NaN)).toFixed(1);
      const range = `${show(values[0])} to ${show(values.at(-1))}`;
      row([phase.name, what, show(real), show(median), range, ratio]);
    }
  }
});
