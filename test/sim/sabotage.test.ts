// A checker that cannot go red proves nothing: each is run against a swarm that is broken on purpose, and
// against the same swarm unbroken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshMachine, type MeshProtocol } from "../../src/mesh/index.ts";
import {
  createSimEngine,
  type MachineMaker,
  runScenario,
  Swarm,
  type SwarmOptions,
  type Violation,
} from "../../src/sim/index.ts";
import { readBeaconHeader } from "../../src/sim/beacon-header.ts";
import { nativeSha256 } from "./native-sha256.ts";

const SEED = 11;
/** In the middle of every partition: it begins within 65 s and lasts 180 s. */
const STOP_MS = 150_000;

function swarmOf(change: Partial<SwarmOptions> = {}): Swarm {
  const swarm = new Swarm({
    nodes: 8,
    seed: SEED,
    network: { lossRatio: 0.02, duplicateRatio: 0.1, jitterMs: 60 },
    refuteMs: 10_000,
    engine: createSimEngine(nativeSha256),
    ...change,
  });
  swarm.startAll();
  assert.notEqual(swarm.runUntilConverged(20_000), undefined, "converged before the sabotage");
  return swarm;
}

/** The production machine, but for what `sabotage` replaces. */
function sabotaged(
  sabotage: (real: MeshMachine, node: number) => Partial<MeshProtocol>,
): MachineMaker {
  return (deps, options, node) => {
    const real = new MeshMachine(deps, options);
    const changed = sabotage(real, node);
    return {
      handle: (event, now) => real.handle(event, now),
      receive: (bytes, from, now) => real.receive(bytes, from, now),
      get zone() {
        return real.zone;
      },
      zones: () => real.zones(),
      zoneRoute: (zone) => real.zoneRoute(zone),
      beaconDigest: () => real.beaconDigest(),
      beaconsMissingFrom: (digest) => real.beaconsMissingFrom(digest),
      members: () => real.members(),
      topology: () => real.topology(),
      routes: () => real.routes(),
      epoch: real.epoch,
      sequence: real.sequence,
      ...changed,
    };
  };
}

const seen = (violations: readonly Violation[], checker: string): Violation[] =>
  violations.filter((violation) => violation.checker === checker);

test("an unbroken swarm is green under both checkers", () => {
  const swarm = swarmOf();
  swarm.run(60_000);
  assert.deepEqual(swarm.violations, []);
  assert.ok(swarm.noFalseDeath.checks > 1_000);
  assert.ok(swarm.sequenceRises.checks > 1_000);
});

test("no-false-death goes red when one node is deaf to the life of another", () => {
  const [observer, victim] = [2, 5];
  const state: { deafTo: string | undefined } = { deafTo: undefined };
  const swarm = swarmOf({
    makeMachine: sabotaged((real, node) => ({
      receive: (bytes, from, now) => {
        const origin = readBeaconHeader(bytes)?.nodeId;
        if (node !== observer || origin !== state.deafTo) return real.receive(bytes, from, now);
        return { verdict: "ignore", code: "mesh/duplicate", actions: [] };
      },
      handle: (event, now) => {
        const about = "nodeId" in event ? event.nodeId : undefined;
        if (node !== observer || about === undefined || about !== state.deafTo) {
          return real.handle(event, now);
        }
        if (event.kind === "rtt") return real.handle({ kind: "probe-failed", nodeId: about }, now);
        const changed = event.kind === "indirect-probe-result" ? { ...event, alive: false } : event;
        return real.handle(changed, now);
      },
    })),
  });
  state.deafTo = swarm.census.at(victim).identity.nodeId;
  swarm.run(60_000);
  const deaths = seen(swarm.violations, "no-false-death");
  assert.ok(deaths.length > 0, "somebody saw it");
  assert.ok(deaths.every((death) => death.observer === observer && death.subject === victim));
});

test("no-false-death goes red when a detector gives no time to refute", () => {
  const swarm = swarmOf({
    mesh: { suspicionMult: 0.0001, silenceIntervals: 1, indirectProbes: 1 },
    meshPeers: 1,
    lazyPeers: 0,
    floodPublish: false,
  });
  swarm.world.network.configure({ lossRatio: 0.4 });
  swarm.run(60_000);
  assert.ok(seen(swarm.violations, "no-false-death").length > 0);
});

test("sequence-rises goes red when a machine accepts what it has seen", () => {
  const replays = new Set(["mesh/duplicate", "mesh/old-sequence", "mesh/heartbeat-replayed"]);
  const swarm = swarmOf({
    makeMachine: sabotaged((real, node) => ({
      receive: (bytes, from, now) => {
        const verdict = real.receive(bytes, from, now);
        if (node !== 4 || verdict.verdict !== "ignore" || !replays.has(verdict.code))
          return verdict;
        return { verdict: "accept", code: "state", actions: verdict.actions };
      },
    })),
  });
  swarm.run(20_000);
  const replayed = seen(swarm.violations, "sequence-rises");
  assert.ok(replayed.length > 0);
  assert.ok(replayed.every((violation) => violation.observer === 4));
});

test("sequence-rises goes red when a node forgets its boot counter, and not when it keeps it", () => {
  for (const staleDisk of [false, true]) {
    const swarm = swarmOf();
    swarm.crash(6);
    swarm.run(15_000);
    swarm.restart(6, staleDisk);
    swarm.run(15_000);
    const violations = seen(swarm.violations, "sequence-rises");
    assert.equal(violations.length > 0, staleDisk, `stale disk: ${staleDisk}`);
    assert.ok(violations.every((violation) => violation.what.startsWith("published")));
  }
});

test("partition-heal fails when one machine stands still from the middle of the partition on", () => {
  for (const seed of [SEED, SEED + 1, SEED + 2]) {
    const report = runScenario("partition-heal", {
      seed,
      nodes: 8,
      engine: createSimEngine(nativeSha256),
      swarm: {
        makeMachine: sabotaged((real, node) =>
          node !== 3
            ? {}
            : {
                handle: (event, now) => (now.monoMs > STOP_MS ? [] : real.handle(event, now)),
                receive: (bytes, from, now) =>
                  now.monoMs > STOP_MS
                    ? { verdict: "ignore", code: "mesh/not-running", actions: [] }
                    : real.receive(bytes, from, now),
              },
        ),
      },
    });
    assert.equal(report.passed, false, `seed ${seed}`);
    assert.match(report.failures.join(), /node (3 sees node \d|\d sees node 3) dead/);
  }
});
