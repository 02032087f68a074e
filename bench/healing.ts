// npm run bench -- healing [--seeds N] [--nodes N] [--rules single,pairs,large,thousand,sweep,memory]: what healing is worth and whether it
// ever harms, in the simulator. Every fault alone and in pairs with healing off and on; large meshes; a leak that comes again, with
// memory of the first and without. Prints tables in Markdown; `--rules` chooses which.

import { benchFaults, type BenchFault, pairedFaults } from "./healing/faults.ts";
import { benchRun, secondsAt, type Summary, summaryOf } from "./healing/runs.ts";
import type { BenchSuite } from "./measure.ts";

const SMALL = 12;
const LARGE = 100;
const HUGE = 1_000;
const MINUTES = 1.25;
const HEAD =
  "| what | runs | whole again off p50, p99 s | on p50, p99 s | availability off, on % | actions with healing on | harm | broken |\n|---|---|---|---|---|---|---|---|";
/** Something is always wrong somewhere, of what a fleet sees every day. */
const STANDING =
  "chaos: { faults: 12, kinds: [crash, loss, latency, slow, renewal_stuck, store_grows], longest: 15s }";
/** Further apart than the cooldown of what ends it. */
const LEAKS: readonly BenchFault[] = ["30s", "36m"].map((at) => ({
  name: "leak",
  line: `{ inject: leak, at: ${at}, for: 9m, nodes: [1], full_after: 9m }`,
}));

export const suite: BenchSuite = (_report, { slice }) => {
  const seeds = Number(slice["seeds"] ?? 5);
  const chosen = (slice["rules"] ?? "single,pairs,large,memory").split(",");
  const tables: Readonly<Record<string, () => void>> = {
    single: () => {
      for (const fault of benchFaults)
        row(fault.name + (fault.mendable === true ? " (mendable)" : ""), [fault], SMALL, seeds);
    },
    pairs: () => {
      for (const [a, b] of pairs()) row(`${a.name} + ${b.name}`, [a, b], SMALL, seeds);
    },
    large: () => {
      for (const fault of benchFaults.filter(({ mendable }) => mendable))
        row(`${fault.name}, ${LARGE} nodes`, [fault], LARGE, seeds);
    },
    thousand: () => {
      const more = `zones: auto\n${STANDING}`;
      line(
        `standing chaos, ${HUGE} nodes`,
        (healing, seed) =>
          benchRun({ ...{ seed, healing, more }, nodes: HUGE, minutes: MINUTES, faults: [] }),
        seeds,
      );
    },
    memory: () => memory(seeds),
    sweep: () => sweep(seeds),
  };
  for (const name of chosen) {
    console.log(`\n${name}, ${seeds} seeds\n${name === "memory" ? "" : HEAD}`);
    tables[name]?.();
  }
  return Promise.resolve();
};

function* pairs(): Generator<readonly [BenchFault, BenchFault]> {
  const paired = benchFaults.filter(({ name }) => pairedFaults.includes(name));
  for (const [at, a] of paired.entries()) for (const b of paired.slice(at + 1)) yield [a, b];
}

function row(name: string, faults: readonly BenchFault[], nodes: number, seeds: number): void {
  line(
    name,
    (healing, seed) => benchRun({ ...{ seed, healing, nodes, faults }, minutes: MINUTES }),
    seeds,
  );
}

function line(
  name: string,
  run: (healing: "on" | "off", seed: number) => ReturnType<typeof benchRun>,
  seeds: number,
): void {
  const each = Array.from({ length: seeds }, (_, at) => at + 1);
  const [off, on] = (["off", "on"] as const).map((healing) =>
    summaryOf(each.map((seed) => run(healing, seed))),
  ) as [Summary, Summary];
  const times = ({ recoveryMs }: Summary): string =>
    `${secondsAt(recoveryMs, 0.5)}, ${secondsAt(recoveryMs, 0.99)}`;
  const share = ({ availability }: Summary): string => (100 * availability).toFixed(3);
  const actions = Object.entries(on.actions).map(([what, count]) => `${what} ${count}`);
  const broken = [off, on].map(({ violations }) => violations.length).join(", ");
  console.log(
    `| ${name} | ${off.runs} + ${on.runs} | ${times(off)} | ${times(on)} | ${share(off)}, ${share(on)} | ${actions.join(", ") || "none"} | ${on.harmful} | ${broken} |`,
  );
  for (const what of new Set(on.violations))
    if (!off.violations.includes(what)) console.log(`    with healing alone: ${what}`);
}

/** Four faults of any kind in each seed, with healing on: is there one in which it harms, or passes a guard? */
function sweep(seeds: number): void {
  const kinds = [...new Set(benchFaults.map(({ name }) => name.split(" ")[0]))].join(", ");
  const more = `chaos: { faults: 4, kinds: [${kinds}], longest: 30s }`;
  const outcomes = Array.from({ length: seeds }, (_, at) =>
    benchRun({
      ...{ seed: at + 1, nodes: SMALL, healing: "on", more },
      minutes: MINUTES,
      faults: [],
    }),
  );
  const { actions, harmful, violations } = summaryOf(outcomes);
  const count = Object.values(actions).reduce((sum, one) => sum + one, 0);
  console.log(
    `${seeds} seeds of four random faults: ${count} actions, ${harmful} harmful, ${violations.length} broken`,
  );
  console.log(`${JSON.stringify(actions)}\n${[...new Set(violations)].join("\n")}`);
}

/** A leak of the same part twice: what the memory of the first is worth for the second. */
function memory(seeds: number): void {
  for (const remembers of [false, true]) {
    const outcomes = Array.from({ length: seeds }, (_, at) =>
      benchRun(
        { seed: at + 1, nodes: 4, minutes: 46, healing: "on", faults: LEAKS },
        { healing: { remembers } },
      ),
    );
    const { mendMs, actions } = summaryOf(outcomes);
    console.log(
      `a leak twice, ${remembers ? "remembered" : "forgotten each time"}: mended after p50 ${secondsAt(mendMs, 0.5)} s, p99 ${secondsAt(mendMs, 0.99)} s; ${JSON.stringify(actions)}`,
    );
  }
}
