// One size of the scaling report: a swarm in the automatic zones of a mesh of that size comes up, settles, and is
// measured in steady state.

import type { SimEngine } from "../census.ts";
import { CHAIN_LENGTH } from "../../crypto/index.ts";
import { autoZone, depthOfSize, meshDefaults } from "../../mesh/index.ts";
import { Swarm } from "../swarm.ts";
import { type PerNode, perNode } from "../usage.ts";

/** How to measure one size. Milliseconds of virtual time. */
export interface SizeOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Share of messages lost on every hop. */
  readonly lossRatio: number;
  /** From the first start to the first reading. */
  readonly settleMs: number;
  readonly measureMs: number;
}

/** What the host lends. */
export interface SizeDeps {
  readonly engine: SimEngine;
  /** Microseconds of the wall's clock, from any zero. */
  readonly wallMicros: () => number;
  /** Microseconds of CPU that this thread has used. */
  readonly cpuMicros: () => number;
  /** Bytes in use after a collection. */
  readonly memoryBytes: () => number;
}

/** One row of the report. */
export interface SizeResult {
  readonly nodes: number;
  readonly zones: number;
  readonly virtualSeconds: number;
  /** From the first reading to the last. */
  readonly measuredSeconds: number;
  readonly wallSeconds: number;
  readonly hostCpuSeconds: number;
  readonly events: number;
  /** Share of the views on members of the own zone that are `alive` at the end. */
  readonly aliveShare: number;
  /** Healthy nodes held dead, as the checker counts them. */
  readonly falseDeaths: number;
  readonly perNode: PerNode & { readonly memoryBytes: number };
  readonly traceDigest: string;
}

const START_WITHIN_MS = 10_000;
/** A message is remembered for one to two of these; copies come within the three heartbeats of an offer. */
const SEEN_MS = 10_000;

/** Runs one size. */
export function measureSize(deps: SizeDeps, options: SizeOptions): SizeResult {
  const { nodes, seed, lossRatio, settleMs, measureMs } = options;
  const depth = depthOfSize(nodes, meshDefaults.zoneMembersMin);
  const started = { wall: deps.wallMicros(), cpu: deps.cpuMicros() };
  const emptyBytes = deps.memoryBytes();
  const swarm = new Swarm({
    nodes,
    seed,
    network: { lossRatio },
    // A chain that outlasts the run: what is beyond would only be memory.
    mesh: { chainLength: Math.max(CHAIN_LENGTH.min, Math.ceil((settleMs + measureMs) / 1000)) },
    engine: deps.engine,
    stopwatch: deps.cpuMicros,
    zoneOf: (_, nodeId) => autoZone(nodeId, depth),
    startWithinMs: Math.min(START_WITHIN_MS, settleMs),
    seenMs: SEEN_MS,
  });
  swarm.startAll();
  swarm.run(settleMs - swarm.nowMs);
  const before = swarm.world.usage;
  swarm.run(measureMs);
  const after = swarm.world.usage;
  const memoryBytes = (deps.memoryBytes() - emptyBytes) / nodes;
  return {
    nodes,
    zones: new Set(swarm.healthy().map((node) => swarm.zoneOf(node))).size,
    virtualSeconds: swarm.nowMs / 1000,
    measuredSeconds: measureMs / 1000,
    wallSeconds: (deps.wallMicros() - started.wall) / 1e6,
    hostCpuSeconds: (deps.cpuMicros() - started.cpu) / 1e6,
    events: swarm.world.counts.events,
    aliveShare: aliveShare(swarm),
    falseDeaths: swarm.noFalseDeath.violations.length,
    perNode: { ...perNode(before, after, nodes), memoryBytes },
    traceDigest: swarm.world.trace.digest(),
  };
}

function aliveShare(swarm: Swarm): number {
  const zones = Map.groupBy(swarm.healthy(), (node) => swarm.zoneOf(node));
  let [alive, all] = [0, 0];
  for (const members of zones.values()) {
    for (const observer of members) {
      const states = new Map(swarm.states(observer));
      for (const subject of members) {
        if (subject === observer) continue;
        all++;
        if (states.get(subject) === "alive") alive++;
      }
    }
  }
  return all === 0 ? 1 : alive / all;
}
