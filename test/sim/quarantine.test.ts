// Quarantine in a whole swarm: the equivocator is shut out by all, stays so for a node that restarts, and comes back
// everywhere after one node's release, though not to its old ways.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshMachine, type MeshAction, type MeshProtocol } from "../../src/mesh/index.ts";
import { createSimEngine, Swarm } from "../../src/sim/index.ts";
import { Liar } from "../../src/sim/injectors/liar.ts";
import { nativeSha256 } from "./native-sha256.ts";

const LIAR = 0;
const OPERATOR = 5;
const SEED = 23;

test("an equivocator is out everywhere, across a restart, until one release lets it back in", () => {
  const machines = new Map<number, MeshMachine>();
  let honest = false;
  const swarm: Swarm = new Swarm({
    nodes: 12,
    seed: SEED,
    network: { lossRatio: 0.05, duplicateRatio: 0.02, jitterMs: 15 },
    engine: createSimEngine(nativeSha256),
    makeIntruder: ({ node, ...parts }) =>
      node === LIAR && !honest
        ? new Liar({
            ...parts,
            nodeId: () => liar,
            rate: (trick) => (trick === "equivocate" ? 1 : 0),
            did: () => undefined,
          })
        : undefined,
    makeMachine: (deps, options, node): MeshProtocol => {
      const machine = new ReleasingMachine(deps, options);
      machines.set(node, machine);
      return machine;
    },
  });
  const liar = swarm.census.at(LIAR).identity.nodeId;
  const all = (expected: boolean): boolean =>
    swarm
      .healthy()
      .every((node) => node === LIAR || machines.get(node)?.isQuarantined(liar) === expected);
  const wait = (what: string, done: () => boolean): void => {
    for (let s = 0; s < 120 && !done(); s++) swarm.run(1_000);
    assert.ok(done(), `seed ${SEED}: ${what} at ${swarm.nowMs} ms`);
  };

  swarm.startAll();
  wait("the liar is out everywhere", () => all(true));
  swarm.crash(7);
  swarm.crash(LIAR);
  swarm.run(5_000);
  swarm.restart(7);
  swarm.run(1);
  assert.ok(machines.get(7)?.isQuarantined(liar), "remembered before anybody could tell");

  // Its operator has mended it; without a release that helps nothing.
  honest = true;
  swarm.restart(LIAR);
  swarm.run(20_000);
  assert.ok(all(true));
  const operator = machines.get(OPERATOR);
  assert.ok(operator instanceof ReleasingMachine);
  operator.releaseSoon = liar;
  wait("it is released everywhere", () => all(false));
  wait("it is alive at everyone", () =>
    swarm.healthy().every((node) => new Map(swarm.states(node)).get(LIAR) === "alive"),
  );
  assert.deepEqual(swarm.violations, []);
  assert.ok(
    (machines.get(LIAR)?.epoch ?? 0) > 1_000_000,
    "the liar itself has heard of the release and went to its floor",
  );
});

/** Does at its next event what `meshctl quarantine release` would do. */
class ReleasingMachine extends MeshMachine {
  releaseSoon: Parameters<MeshMachine["release"]>[0] | undefined;

  override handle(...[event, now]: Parameters<MeshMachine["handle"]>): readonly MeshAction[] {
    const actions = super.handle(event, now);
    if (this.releaseSoon === undefined) return actions;
    const released = this.release(this.releaseSoon, "mended", now);
    assert.ok(released.ok);
    this.releaseSoon = undefined;
    return [...actions, ...released.value];
  }
}
