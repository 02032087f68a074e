// The simulator is replayable: one seed, one history, bit for bit, with the production machines inside.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createNobleEngine } from "../../src/crypto/index.ts";
import { createSimEngine, SeededRandom, Swarm, type SwarmOptions } from "../../src/sim/index.ts";
import { nativeSha256 } from "./native-sha256.ts";

const RUN_MS = 30_000;

/** A rough half minute of twelve nodes. */
function digestOf(seed: number, change: Partial<SwarmOptions> = {}): string {
  const swarm = new Swarm({
    nodes: 12,
    seed,
    network: { lossRatio: 0.1, duplicateRatio: 0.05, jitterMs: 30 },
    engine: createSimEngine(nativeSha256),
    ...change,
  });
  swarm.startAll();
  swarm.world.plan(12_000, "crash", () => swarm.crash(3));
  swarm.world.plan(15_000, "stall", () => swarm.stall(5, 2_000));
  swarm.world.plan(20_000, "restart", () => swarm.restart(3));
  swarm.run(RUN_MS);
  assert.ok(swarm.world.counts.accepted > 1_000, "gossip flowed");
  return swarm.world.trace.digest();
}

test("the same seed gives the same trace digest", () => {
  assert.equal(digestOf(1), digestOf(1));
});

test("another seed gives another trace digest", () => {
  assert.notEqual(digestOf(1), digestOf(2));
});

test("any option of the swarm gives another trace digest", () => {
  assert.notEqual(digestOf(1), digestOf(1, { meshPeers: 3 }));
});

test("the pure and the native SHA-256 give one history", () => {
  assert.equal(digestOf(1, { engine: createSimEngine() }), digestOf(1));
});

test("four nodes with real ML-DSA-65 signatures converge, and replay as well", () => {
  const run = (seed: number): { digest: string; convergedMs: number | undefined } => {
    const engine = createNobleEngine(SeededRandom.fromSeed(seed).fork("engine"));
    const swarm = new Swarm({ nodes: 4, seed, engine, startWithinMs: 1_000 });
    swarm.startAll();
    const convergedMs = swarm.runUntilConverged(10_000);
    return { digest: swarm.world.trace.digest(), convergedMs };
  };
  const first = run(3);
  assert.notEqual(first.convergedMs, undefined);
  assert.deepEqual(run(3), first);
});
