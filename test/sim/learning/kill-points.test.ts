// The round machine is dropped at every boundary there is, and resumed from what it had persisted: it never signs two things for one slot
// (the network watches), loses no certificate, and the rounds go on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { RoundAction } from "../../../src/learning/index.ts";
import { RoundNetwork, type SimulatedNode } from "./round-network.ts";

const ROUNDS = 2;
const FOUR = { participants: 4, byzantine: 1, rounds: ROUNDS };
const RESTART_MS = 120;
/** Virtual: a view of the agreement takes 200 ms and more, a repetition comes after 500 ms. */
const PATIENCE_MS = 300_000;

/** Runs to the end; whoever is down comes back after a while. */
function finish(network: RoundNetwork, what: string): void {
  const done = (): boolean => {
    for (const node of network.nodes) if (!node.up) revive(network, node);
    return network.nodes.every(({ finished }) => finished);
  };
  assert.ok(network.run(PATIENCE_MS, done), `${what}: ends`);
  const [first, ...others] = network.nodes.map(({ disk }) => [...disk.certificates.keys()].sort());
  assert.deepEqual(first, [1, 2], what);
  for (const other of others) assert.deepEqual(other, first, what);
}

const waking = new WeakSet<SimulatedNode>();

function revive(network: RoundNetwork, node: SimulatedNode): void {
  if (waking.has(node)) return;
  waking.add(node);
  network.later(RESTART_MS, () => {
    waking.delete(node);
    network.restart(node);
  });
}

/** Actions that a node carries out in a run without faults. */
function actionsOf(seed: number, index: number): number {
  let count = 0;
  const killAfter = (node: SimulatedNode): boolean => {
    if (node.index === index) count++;
    return false;
  };
  finish(new RoundNetwork({ ...FOUR, seed, killAfter }), "without faults");
  return count;
}

describe("a round machine that is dropped", () => {
  for (const seed of [1, 2])
    it(`after any single action comes back and contradicts nothing (seed ${seed})`, () => {
      const total = actionsOf(seed, 0);
      assert.ok(total > 30, `${total} actions`);
      for (let at = 0; at < total; at++) {
        const network = new RoundNetwork({ ...FOUR, seed });
        const [victim] = network.nodes;
        assert.ok(victim !== undefined);
        victim.actionsLeft = at;
        finish(network, `killed after ${at} actions`);
      }
    });

  it("after every single thing that it persists, again and again, still gets through every round", () => {
    const victims = fc.subarray([0, 1, 2, 3], { minLength: 1 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), victims, (seed, killed) => {
        let kills = 0;
        const killAfter = (node: SimulatedNode, { kind }: RoundAction): boolean => {
          const isBoundary = kind === "persist" && killed.includes(node.index);
          if (isBoundary) kills++;
          return isBoundary;
        };
        finish(new RoundNetwork({ ...FOUR, seed, killAfter }), `seed ${seed}, ${killed.join()}`);
        assert.ok(kills >= ROUNDS * killed.length, `${kills} kills`);
      }),
      { seed: 20_261_121, numRuns: 60 },
    );
  });

  for (const kind of ["publish", "certified", "aggregate", "fetch-update"] as const)
    it(`right after the first ${kind} of each round gets through all of them`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const killed = new Set<string>();
        const killAfter = (node: SimulatedNode, action: RoundAction): boolean => {
          const round = Math.max(0, ...node.disk.certificates.keys());
          const point = `${round}/${action.kind}`;
          if (node.index !== 2 || action.kind !== kind || killed.has(point)) return false;
          killed.add(point);
          return true;
        };
        finish(new RoundNetwork({ ...FOUR, seed, killAfter }), `${kind}, seed ${seed}`);
        assert.ok(killed.size > 0, "it was killed");
      }
    });
});
