// Crash and restart: some nodes lose power. Everyone must hold them dead within a bound, and none of the
// others; then they boot again with the next epoch, and must be alive everywhere again.

import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { converge, stayCalm, waitFor } from "./phases.ts";
import type { Scenario, ScenarioOutcome } from "./scenario.ts";

const BOOT_LIMIT_MS = 60_000;
/** Every healthy node holds a crashed one dead by then. */
const DETECT_LIMIT_MS = 60_000;
/** The crashed nodes stay away so long after that. */
const AWAY_MS = 30_000;
const RETURN_LIMIT_MS = 60_000;
const CALM_MS = 45_000;
const CRASHED_SHARE = 0.1;

export const crashRestart: Scenario = {
  name: "crash-restart",
  summary: "One node in ten loses power, is found dead by all, and comes back with the next epoch.",
  nodes: 30,
  swarm: ({ seed, nodes, lossRatio = 0.02 }) => ({
    seed,
    nodes,
    network: { lossRatio, jitterMs: 15, tailRatio: 0.01, tailMs: 300 },
  }),
  script,
};

function script(swarm: Swarm): ScenarioOutcome {
  const failures: string[] = [];
  swarm.startAll();
  const booted = converge(swarm, "start", BOOT_LIMIT_MS, failures);
  const count = Math.max(1, Math.floor(swarm.size * CRASHED_SHARE));
  const crashed = swarm.world.random.fork("crashed").sample(swarm.healthy(), count);
  for (const node of crashed) swarm.crash(node);
  const detected = waitFor(swarm, () => allDead(swarm, crashed), DETECT_LIMIT_MS);
  if (detected === undefined) {
    failures.push(`Not all of the crashed nodes ${crashed.join(", ")} were found dead by all.`);
  }
  swarm.run(AWAY_MS);
  for (const node of crashed) swarm.restart(node);
  swarm.run(1);
  const returned = converge(swarm, "return", RETURN_LIMIT_MS, failures);
  stayCalm(swarm, CALM_MS, failures);
  return {
    findings: [booted, { name: "crash known to all", value: detected, unit: "ms" }, returned],
    failures,
  };
}

function allDead(swarm: Swarm, crashed: readonly NodeIndex[]): boolean {
  return swarm.healthy().every((observer) => {
    const states = new Map(swarm.states(observer));
    return crashed.every((subject) => states.get(subject) === "dead");
  });
}
