// Partition and heal: a swarm on a lossy network comes up, is cut in two for minutes, and is joined again.
// Within each half life goes on; across, members are declared dead; after the heal everyone must be alive
// everywhere again within a bound, and stay so.

import type { Swarm } from "../swarm.ts";
import { converge, stayCalm } from "./phases.ts";
import type { Scenario, ScenarioOutcome } from "./scenario.ts";

/** Everyone must know everyone this long after the start. */
const BOOT_LIMIT_MS = 60_000;
const PARTITION_MS = 180_000;
/** Everyone must see everyone alive this long after the heal. */
const HEAL_LIMIT_MS = 120_000;
/** And go on so for this long, under the same loss. */
const CALM_MS = 60_000;
/** The smaller side's share. */
const MINOR_SHARE = 0.4;

export const partitionHeal: Scenario = {
  name: "partition-heal",
  summary: "A lossy swarm is cut in two for three minutes, then healed, and must converge.",
  nodes: 50,
  swarm: ({ seed, nodes, lossRatio = 0.07 }) => ({
    seed,
    nodes,
    network: { lossRatio, duplicateRatio: 0.01, jitterMs: 15, tailRatio: 0.01, tailMs: 300 },
    clockError: (node) => ({ monoOffsetMs: node * 1_000, driftPpm: (node % 5) * 20 - 40 }),
  }),
  script,
};

function script(swarm: Swarm): ScenarioOutcome {
  const failures: string[] = [];
  swarm.startAll();
  const booted = converge(swarm, "start", BOOT_LIMIT_MS, failures);
  const [minor, major] = halves(swarm);
  swarm.partition([minor, major]);
  swarm.run(PARTITION_MS);
  const dead = deadAcross(swarm, minor, major);
  if (dead < 1)
    failures.push(`Only ${dead} of the views across the partition were dead at its end.`);
  swarm.heal();
  const healed = converge(swarm, "heal", HEAL_LIMIT_MS, failures);
  stayCalm(swarm, CALM_MS, failures);
  return {
    findings: [booted, { name: "dead across the partition", value: dead, unit: "ratio" }, healed],
    failures,
  };
}

/** Two random sets of nodes. */
function halves(swarm: Swarm): [number[], number[]] {
  const all = swarm.census.all.map(({ index }) => index);
  const mixed = swarm.world.random.fork("halves").sample(all, all.length);
  const cut = Math.max(1, Math.floor(all.length * MINOR_SHARE));
  return [mixed.slice(0, cut), mixed.slice(cut)];
}

/** Share of the views from one side on the other that are dead or unknown. */
function deadAcross(swarm: Swarm, minor: readonly number[], major: readonly number[]): number {
  let dead = 0;
  for (const [from, to] of [
    [minor, major],
    [major, minor],
  ] as const) {
    for (const observer of from) {
      const states = new Map(swarm.states(observer));
      dead += to.filter((subject) => (states.get(subject) ?? "dead") === "dead").length;
    }
  }
  return dead / (2 * minor.length * major.length);
}
