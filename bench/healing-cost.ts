// What the healing loop costs an idle node with 50 peers: CPU of one look, which happens once a second, and the memory that it
// holds after an hour. Sensors, machine and metrics are the daemon's; the mesh that they look at is a list.

import { tmpdir } from "node:os";
import { performance } from "node:perf_hooks";
import { collectGarbage } from "../src/adapters/heap-size.ts";
import { systemClock } from "../src/adapters/clock.ts";
import { createPromMeter } from "../src/adapters/telemetry/prom-meter.ts";
import { KnowledgeBase, MemoryArchive } from "../src/healing/index.ts";
import type { MemberView } from "../src/mesh/index.ts";
import { HealingLoop } from "../src/node/healing/healing-loop.ts";
import { NodeSensors } from "../src/node/healing/sensors.ts";
import type { Member } from "../src/node/member.ts";
import { allMetrics } from "../src/node/metrics.ts";
import type { MonoMs, WallMs } from "../src/ports/index.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const PEERS = 50;
const WARM_UP_LOOKS = 600;
const HOUR_LOOKS = 3_600;
const BATCH_LOOKS = 60;

/** A member that is well, as far as sensors look. */
function memberOf(views: readonly MemberView[]): Member {
  const hour = 3_600_000;
  const now = systemClock.now().wallMs;
  const member = {
    mesh: { members: () => views.map((view) => ({ ...view })) },
    svid: {
      identity: { notBeforeMs: now - hour, notAfterMs: now + 23 * hour },
      renewAtMs: now + 11 * hour,
    },
    learning: { anomaly: undefined, voidRounds: 0 },
  };
  return member as unknown as Member;
}

function viewOf(index: number): MemberView {
  return {
    ...{ nodeId: index.toString(16).padStart(64, "0"), name: `node-${index}`, state: "alive" },
    ...{ connected: true, reputation: 0, epoch: 1, sequence: 1, heartbeatIndex: 1, load: 0 },
    lastBeaconAtMs: systemClock.now().monoMs,
    lastAliveAtMs: Infinity as MonoMs,
    ...{
      addresses: ["/ip4/10.0.0.1/tcp/4001"],
      zone: "default",
      roles: [],
      rttMs: 2,
      lossRatio: 0,
    },
    svidNotAfterMs: 0 as WallMs,
  } as unknown as MemberView;
}

export const suite: BenchSuite = (report) => {
  const prom = createPromMeter(allMetrics);
  const member = memberOf(Array.from({ length: PEERS }, (_, index) => viewOf(index)));
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const nothing = (): undefined => undefined;
  const loop = new HealingLoop(
    {
      ...{ self: "f".repeat(64), clock: systemClock, meter: prom.meter },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      audit: { record: nothing, note: nothing },
      sensors: new NodeSensors({
        ...{
          clock: systemClock,
          prom,
          stateDir: tmpdir(),
          connectionsTarget: 16,
          engines: { rank: 0, check: () => undefined },
        },
        ...{ member: () => member, raised: () => [] },
      }),
      actuators: { kinds: new Set(), begin: nothing, undo: nothing },
      knowledge: new KnowledgeBase(new MemoryArchive(), 0 as WallMs),
      freezer: { isHealingFrozen: false, saveHealingFrozen: nothing },
      claim: () => Promise.resolve(),
      ...{ remembered: () => [], closed: nothing },
    },
    {
      ...{ mode: "act", playbooks: null },
      guards: {
        ...{ actionsAtOnce: 2, actionsPerWindow: 12, meshShareMax: 0.1, haltShare: 0.3 },
        flapWindowMs: 300_000,
      },
    },
  );
  const samples: number[] = [];
  for (let looks = 0; looks < WARM_UP_LOOKS + HOUR_LOOKS; looks += BATCH_LOOKS) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let look = 0; look < BATCH_LOOKS; look++) loop.look();
    const { user, system } = process.cpuUsage(cpu);
    if (looks >= WARM_UP_LOOKS) samples.push((user + system) / 1_000 / BATCH_LOOKS);
    if (performance.now() - start > 60_000) throw new Error("a minute for sixty looks");
  }
  collectGarbage();
  const held = (process.memoryUsage().heapUsed - before) / 1e6;
  report(summarize("healing-cost/look/cpu", "ms", samples));
  report(
    summarize(
      "healing/core-share",
      "%",
      samples.map((ms) => ms / 10),
    ),
  );
  report(summarize("healing-cost/heap", "MB", [held]));
  return Promise.resolve();
};
