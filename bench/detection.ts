// How fast a crash is noticed, in virtual time: 60 nodes with a loss of 5 % and 15 ms of jitter, one of which stops for 2 s in every 5 s;
// a node crashes every 20 s. What counts is the suspicion, because routes avoid a suspect. `--seconds` is virtual here.

import { hash } from "node:crypto";
import type { MemberState } from "../src/mesh/index.ts";
import { createSimEngine, Swarm } from "../src/sim/index.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const NODES = 60;
const SLOW = 1;
const FIRST_CRASH = 10;
const CRASHES_MAX = 10;
const CRASH_EVERY_MS = 20_000;
const STALL_MS = 2_000;
const STALL_EVERY_MS = 5_000;
const STEP_MS = 100;

interface Watch {
  readonly atMs: number;
  readonly victim: number;
  readonly unaware: Set<number>;
}

export const suite: BenchSuite = (report, { seconds }) => {
  const swarm = new Swarm({
    ...{ nodes: NODES, seed: 1, network: { lossRatio: 0.05, jitterMs: 15, tailMs: 300 } },
    engine: createSimEngine((data) => hash("sha256", data, "buffer")),
  });
  swarm.startAll();
  if (swarm.runUntilConverged(120_000) === undefined) throw new Error("the swarm did not converge");
  const stateAt = (observer: number, subject: number): MemberState | undefined =>
    new Map(swarm.states(observer)).get(subject);
  const startMs = swarm.nowMs;
  const watches: Watch[] = [];
  const samples: number[] = [];
  let falseDeaths = 0;
  for (let ms = 0; ms < seconds * 1_000; ms += STEP_MS) {
    if (ms % STALL_EVERY_MS === 0) swarm.stall(SLOW, STALL_MS);
    if (ms % CRASH_EVERY_MS === 0 && watches.length < CRASHES_MAX) {
      const victim = FIRST_CRASH + 3 * watches.length;
      const unaware = new Set(swarm.peers(victim).filter((peer) => peer !== SLOW));
      swarm.crash(victim);
      watches.push({ atMs: swarm.nowMs, victim, unaware });
    }
    swarm.world.runUntil(startMs + ms + STEP_MS);
    for (const { atMs, victim, unaware } of watches) {
      for (const peer of unaware) {
        if (swarm.isHealthy(peer) && stateAt(peer, victim) === "alive") continue;
        unaware.delete(peer);
        if (swarm.isHealthy(peer)) samples.push(swarm.nowMs - atMs);
      }
    }
    if (ms % 1_000 === 0) falseDeaths += healthyHeldForDead(swarm);
  }
  report(summarize("mesh/detection/crash-to-suspect", "ms", samples));
  report(summarize("mesh/detection/false-deaths-seen", "views", [falseDeaths]));
  return Promise.resolve();
};

/** Views of healthy nodes on healthy nodes in which these are dead. */
function healthyHeldForDead(swarm: Swarm): number {
  let views = 0;
  for (const observer of swarm.healthy())
    for (const [subject, state] of swarm.states(observer))
      if (state === "dead" && subject !== SLOW && swarm.isHealthy(subject)) views++;
  return views;
}
