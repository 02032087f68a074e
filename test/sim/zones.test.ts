// Zones in the simulator: what a node hears stays with its zone, gateways heal, automatic zones split and merge, and nobody
// is taken for dead because it moved.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MeshMachine } from "../../src/mesh/index.ts";
import { createSimEngine, Swarm, type SwarmOptions } from "../../src/sim/swarm.ts";
import { nativeSha256 } from "./native-sha256.ts";

const HEARTBEAT = 2;

/** A swarm that counts the heartbeats each node hears, and the deaths of others that its timers find. */
function zonedSwarm(options: SwarmOptions): { swarm: Swarm; heard: number[]; deaths: number[] } {
  const heard = new Array<number>(options.nodes).fill(0);
  const deaths = heard.slice();
  const swarm = new Swarm({
    engine: createSimEngine(nativeSha256),
    makeMachine: (deps, mesh, node) => {
      const machine = new MeshMachine(deps, mesh);
      const receive = machine.receive.bind(machine);
      machine.receive = (bytes, from, now) => {
        if (bytes[0] === HEARTBEAT) heard[node] = (heard[node] ?? 0) + 1;
        return receive(bytes, from, now);
      };
      const handle = machine.handle.bind(machine);
      machine.handle = (event, now) => {
        const actions = handle(event, now);
        const found = actions.filter((one) => one.kind === "member-changed" && one.to === "dead");
        deaths[node] = (deaths[node] ?? 0) + found.length;
        return actions;
      };
      return machine;
    },
    ...options,
  });
  return { swarm, heard, deaths };
}

const zoneOf = (swarm: Swarm, node: number): string => swarm.node(node)?.machine.zone ?? "";

/** How many nodes each zone has. */
function population(swarm: Swarm): Map<string, number> {
  const zones = new Map<string, number>();
  for (const node of swarm.healthy()) {
    const zone = zoneOf(swarm, node);
    zones.set(zone, (zones.get(zone) ?? 0) + 1);
  }
  return zones;
}

/** Why the zones do not agree: each node must see its zone alive and every other zone by a summary with its true size. */
function disagreement(swarm: Swarm): string | undefined {
  const truth = population(swarm);
  for (const observer of swarm.healthy()) {
    const machine = swarm.node(observer)?.machine;
    if (machine === undefined) continue;
    const states = new Map(swarm.states(observer));
    for (const subject of swarm.healthy()) {
      const isHere = subject !== observer && zoneOf(swarm, subject) === machine.zone;
      if (isHere && states.get(subject) !== "alive")
        return `${observer} sees ${subject} of its zone ${states.get(subject) ?? "unknown"}`;
    }
    const views = new Map(machine.zones().map((view) => [view.zone, view.members]));
    for (const [zone, members] of truth)
      if (views.get(zone) !== members)
        return `${observer} sees ${views.get(zone) ?? "no"} members in ${zone}, not ${members}`;
  }
  return undefined;
}

function runUntil(swarm: Swarm, limitMs: number, done: () => boolean): number | undefined {
  const startMs = swarm.nowMs;
  while (swarm.nowMs - startMs < limitMs) {
    if (done()) return swarm.nowMs - startMs;
    swarm.run(1_000);
  }
  return done() ? swarm.nowMs - startMs : undefined;
}

describe("zones", () => {
  test("heartbeats stay in the zone, and every zone is known by its summary", () => {
    const { swarm, heard } = zonedSwarm({ nodes: 100, seed: 5, zoneOf: (node) => `z${node % 5}` });
    swarm.startAll();
    const routes = (): number =>
      (swarm.node(0)?.machine.zones() ?? []).filter(
        ({ zone }) => swarm.node(0)?.machine.zoneRoute(zone) !== undefined,
      ).length;
    const agreed = runUntil(
      swarm,
      90_000,
      () => disagreement(swarm) === undefined && routes() === 4,
    );
    assert.ok(agreed !== undefined, disagreement(swarm) ?? `${routes()} routes`);
    heard.fill(0);
    swarm.run(10_000);
    const perSecond = heard.map((count) => count / 10);
    // 19 others in the zone, one heartbeat a second each; the mesh has 99.
    for (const rate of perSecond) assert.ok(rate > 15 && rate < 23, `${rate} heartbeats a second`);
    const rosters = swarm.healthy().map((node) => swarm.states(node).length);
    assert.ok(Math.max(...rosters) < 60, `rosters of up to ${Math.max(...rosters)}`);
    const machine = swarm.node(0)?.machine;
    for (const { zone, own } of machine?.zones() ?? []) {
      const route = machine?.zoneRoute(zone);
      assert.equal(route === undefined, own, `a route to ${zone}`);
      if (!own) assert.ok((route?.via.length ?? 0) > 0);
    }
    assert.deepEqual(swarm.violations, []);
  });

  test("a zone whose gateway crashed is spoken for by the next, and the other zones hear of it", () => {
    const { swarm } = zonedSwarm({ nodes: 40, seed: 6, zoneOf: (node) => `z${node % 4}` });
    swarm.startAll();
    assert.notEqual(
      runUntil(swarm, 60_000, () => disagreement(swarm) === undefined),
      undefined,
    );
    const gateway = swarm
      .node(1)
      ?.machine.zones()
      .find(({ zone }) => zone === "z0")?.gateways[0];
    const index = gateway === undefined ? undefined : swarm.census.find(gateway)?.index;
    assert.ok(index !== undefined && index % 4 === 0);
    swarm.crash(index);
    const healed = runUntil(swarm, 45_000, () =>
      swarm.healthy().every((node) => {
        const view = swarm
          .node(node)
          ?.machine.zones()
          .find(({ zone }) => zone === "z0");
        return view?.members === 9 && !view.gateways.includes(gateway as never);
      }),
    );
    assert.ok(healed !== undefined, "the other zones still hear of the dead gateway");
    assert.deepEqual(swarm.violations, []);
  });

  test("automatic zones split as the mesh grows and merge as it shrinks, without false deaths", () => {
    const { swarm, deaths } = zonedSwarm({
      nodes: 48,
      seed: 7,
      zoneOf: () => "auto",
      // Zones without a member are forgotten with their last summary, and only then do the others merge.
      mesh: {
        ...{ zoneMembersMin: 4, retentionMs: 60_000 },
        ...{ summaryPeriodMs: 30_000, summaryTtlMs: 60_000 },
      },
    });
    swarm.startAll();
    const split = runUntil(
      swarm,
      180_000,
      () => population(swarm).size >= 4 && disagreement(swarm) === undefined,
    );
    assert.ok(split !== undefined, `${disagreement(swarm)}; ${[...population(swarm)].join(" ")}`);
    swarm.run(60_000);
    assert.deepEqual(swarm.violations, []);
    assert.ok(
      deaths.every((count) => count === 0),
      "somebody is dead who only moved",
    );
    for (let node = 6; node < 48; node++) {
      swarm.crash(node);
      if (node % 6 === 5) swarm.run(15_000);
    }
    const merged = runUntil(
      swarm,
      400_000,
      () =>
        [...population(swarm).keys()].every((zone) => zone.length <= "auto/0".length) &&
        disagreement(swarm) === undefined,
    );
    assert.ok(merged !== undefined, `${disagreement(swarm)}; ${[...population(swarm)].join(" ")}`);
    assert.deepEqual(swarm.violations, []);
  });
});
