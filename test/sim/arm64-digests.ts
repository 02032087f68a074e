// Trace digests of short rough runs, one with modelled and one with real crypto: the same on every machine.

import { createNobleEngine } from "../../src/crypto/index.ts";
import { createSimEngine, SeededRandom, Swarm, type SwarmOptions } from "../../src/sim/index.ts";
import { nativeSha256 } from "./native-sha256.ts";

/** Loss, doubles, a crash, a stall, a partition and drifting clocks within a few seconds. */
function roughRun(options: Partial<SwarmOptions> & { readonly nodes: number }): string {
  const swarm = new Swarm({
    seed: 4,
    startWithinMs: 1_000,
    network: { lossRatio: 0.1, duplicateRatio: 0.05, jitterMs: 30 },
    clockError: (node) => ({ driftPpm: node * 30 - 50 }),
    ...options,
  });
  const all = swarm.census.all.map(({ index }) => index);
  swarm.startAll();
  swarm.world.plan(2_000, "crash", () => swarm.crash(1));
  swarm.world.plan(3_000, "stall", () => swarm.stall(2, 1_000));
  swarm.world.plan(4_000, "cut", () => swarm.partition([all.slice(0, 2), all.slice(2)]));
  swarm.world.plan(5_000, "heal", () => swarm.heal());
  swarm.world.plan(6_000, "restart", () => swarm.restart(1));
  swarm.run(9_000);
  return swarm.world.trace.digest();
}

/** One line for each run, to be compared as a whole. */
export function traceDigests(): string {
  const real = createNobleEngine(SeededRandom.fromSeed(4).fork("engine"));
  return [
    `modelled ${roughRun({ nodes: 8, engine: createSimEngine(nativeSha256) })}`,
    `zones ${roughRun({ nodes: 8, engine: createSimEngine(nativeSha256), zoneOf: (n) => `z${n % 2}` })}`,
    `real ${roughRun({ nodes: 3, engine: { ...real, sha256: nativeSha256 } })}`,
  ].join("\n");
}
