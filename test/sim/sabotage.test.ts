// A checker that cannot go red proves nothing: each is run against a swarm that is broken on purpose, and
// against the same swarm unbroken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshMachine, type MeshProtocol, type RouteView } from "../../src/mesh/index.ts";
import {
  createSimEngine,
  type MachineMaker,
  parseScenario,
  type RunReport,
  Swarm,
  type SwarmOptions,
  type Violation,
} from "../../src/sim/index.ts";
import { readBeaconHeader } from "../../src/sim/beacon-header.ts";
import { nativeSha256 } from "./native-sha256.ts";
import { run } from "./scenario-runs.ts";

const SEED = 11;

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
      forwarding: (bytes, to) => real.forwarding(bytes, to),
      beaconDigest: () => real.beaconDigest(),
      beaconsMissingFrom: (digest) => real.beaconsMissingFrom(digest),
      members: () => real.members(),
      topology: () => real.topology(),
      links: () => real.links(),
      routes: () => real.routes(),
      route: (target) => real.route(target),
      disjointRoutes: (target, count) => real.disjointRoutes(target, count),
      relaysFor: (target) => real.relaysFor(target),
      reputation: (nodeId) => real.reputation(nodeId),
      quarantine: () => real.quarantine(),
      isQuarantined: (nodeId) => real.isQuarantined(nodeId),
      release: (nodeId, reason, now) => real.release(nodeId, reason, now),
      epoch: real.epoch,
      sequence: real.sequence,
      ...changed,
    };
  };
}

const seen = (violations: readonly Violation[], checker: string): Violation[] =>
  violations.filter((violation) => violation.checker === checker);

test("an unbroken swarm is green", () => {
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

test("sequence-rises goes red when a node begins every life with the same epoch", () => {
  const swarm = swarmOf({
    makeMachine: (deps, options, node) =>
      new MeshMachine(node === 6 ? { ...deps, self: { ...deps.self, epoch: 1 } } : deps, options),
  });
  swarm.crash(6);
  swarm.run(15_000);
  swarm.restart(6);
  swarm.run(15_000);
  const violations = seen(swarm.violations, "sequence-rises");
  assert.ok(violations.length > 0);
  assert.ok(violations.every((violation) => violation.what.startsWith("published")));
});

/** A run of a small scenario with one class of broken machines, and of the same without. */
function redWith(checker: string, faults: readonly string[], makeMachine: MachineMaker): RunReport {
  const text =
    "{ name: sabotage, summary: broken on purpose, nodes: 8, minutes: 1.4, " +
    "traffic: { changes_per_minute: 4 }, expect: { converge_within: 20s, calm: 5s }, " +
    `faults: [${faults.map((fault) => `{ ${fault} }`).join(", ")}] }`;
  const scenario = parseScenario(text, "sabotage");
  const whole = run(scenario);
  assert.equal(violationsOf(whole, checker), 0, "green with the production machine");
  const broken = run(scenario, {}, { swarm: { makeMachine } });
  assert.equal(broken.passed, false);
  assert.ok(violationsOf(broken, checker) > 0, `${checker} with the broken machine`);
  return whole;
}

function violationsOf(report: RunReport, checker: string): number {
  const result = report.invariants.find(({ name }) => name === checker);
  assert.ok(result !== undefined, `there is a checker ${checker}`);
  return result.violations;
}

/** Machines whose engine finds every signature good. */
const credulous: MachineMaker = (deps, options) => {
  const mlDsa65 = { ...deps.engine.mlDsa65, verify: () => true };
  const engine = { sha256: (data: Uint8Array) => deps.engine.sha256(data), mlDsa65 };
  return new MeshMachine({ ...deps, engine }, options);
};

test("valid-signatures goes red when machines believe a forger", () => {
  const whole = redWith("valid-signatures", ["inject: forge, at: 15s, nodes: 1"], credulous);
  assert.ok((whole.refused["mesh/bad-signature"] ?? 0) > 0);
});

test("evidence-holds goes red when machines believe made-up proofs", () => {
  redWith("evidence-holds", ["inject: false_evidence, at: 15s, nodes: 1"], credulous);
});

test("evidence-holds goes red when one machine does not see a quarantine", () => {
  redWith(
    "evidence-holds",
    ["inject: equivocate, at: 15s, nodes: [1]"],
    sabotaged((real, node) => ({
      members: () =>
        real.members().map((view) => {
          const blind = node === 2 && view.state === "quarantined";
          return blind ? { ...view, state: "alive" as const } : view;
        }),
    })),
  );
});

test("crash-detected goes red when one machine takes the dead for living", () => {
  redWith(
    "crash-detected",
    ["inject: crash, at: 20s, for: 40s, nodes: [5]"],
    sabotaged((real, node) => ({
      members: () =>
        real.members().map((view) => {
          const blind = node === 2 && view.state === "dead";
          return blind ? { ...view, state: "alive" as const } : view;
        }),
    })),
  );
});

test("views-equal goes red when one machine has lost a member for good", () => {
  redWith(
    "views-equal",
    [],
    sabotaged((real, node) => ({
      members: () => real.members().slice(node === 3 ? 1 : 0),
    })),
  );
});

test("routes-live goes red when machines send everything over a node that is gone", () => {
  let gone: RouteView["nextHop"] | undefined;
  redWith(
    "routes-live",
    ["inject: crash, at: 20s, for: 50s, nodes: [5]"],
    (deps, options, node) => {
      if (node === 5) gone = deps.self.nodeId;
      const stubborn = sabotaged((real) => ({
        routes: () => real.routes().map((route) => ({ ...route, nextHop: gone ?? route.nextHop })),
      }));
      return stubborn(deps, options, node);
    },
  );
});

test("no-expired-svid goes red when a machine takes every credential for eternal", () => {
  redWith(
    "no-expired-svid",
    ["inject: clock_step, at: 20s, for: 20s, nodes: [4], by_seconds: 86400"],
    (deps, options) => new MeshMachine(deps, { ...options, clockSkewMs: 2 * 86_400_000 }),
  );
});

test("bounded-state goes red when a machine has a member of whom nobody knows", () => {
  const stranger = "f".repeat(64);
  redWith(
    "bounded-state",
    ["inject: sybil_flood, at: 15s, nodes: 1"],
    sabotaged((real, node) => ({
      members: () => {
        const [first, ...rest] = real.members();
        if (node !== 2 || first === undefined) return real.members();
        return [first, ...rest, { ...first, nodeId: stranger as typeof first.nodeId }];
      },
    })),
  );
});

test("same-trace goes red when a machine draws on something that the seed does not know", () => {
  let made = 0;
  redWith("same-trace", [], (deps, options) => {
    const epoch = deps.self.epoch + made++;
    return new MeshMachine({ ...deps, self: { ...deps.self, epoch } }, options);
  });
});

test("restart-recovers goes red when a machine stays silent after a restart", () => {
  redWith(
    "restart-recovers",
    ["inject: crash, at: 25s, for: 20s, nodes: [5]"],
    sabotaged((real, node) => {
      // It starts again 45 s after the start of the run.
      let startedAtMs: number | undefined;
      return {
        handle: (event, now) => {
          startedAtMs ??= now.monoMs;
          return node === 5 && startedAtMs > 30_000 ? [] : real.handle(event, now);
        },
      };
    }),
  );
});
