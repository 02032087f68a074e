// How many peers gossip must pull: the exact bound against published values and against counting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pullsNeeded, riskOf, toleratedOf } from "../../../bench/robustness/gossip-bound.ts";

const mesh = (nodes: number, percent: number) => ({
  ...{ nodes, liars: (nodes * percent) / 100, rounds: 200 },
});

test("the pulls that keep liars in the minority are the known ones, with one and with ten times the nodes", () => {
  const needed = (nodes: number) =>
    [10, 20, 30].map((percent) => pullsNeeded(mesh(nodes, percent)));
  assert.deepEqual(needed(100), [16, 30, 52]);
  assert.deepEqual(needed(1000), [24, 56, 132]);
  assert.deepEqual(
    [100, 1000].map((nodes) => pullsNeeded(mesh(nodes, 30), 0.4)),
    [75, 367],
  );
});

test("the risk is that of drawing without replacement, summed over honest nodes and rounds", () => {
  // Two of four peers, two of which lie: both do in one draw of six.
  const three = { nodes: 5, liars: 2, rounds: 0.01 };
  assert.ok(Math.abs(riskOf(1, 2, three) - (3 * 0.01) / 6) < 1e-12);
  assert.equal(riskOf(2, 2, three), 0);
  assert.equal(riskOf(0, 4, { ...three, rounds: 100 }), 1);
});

test("a rule is told no more liars than it stands, and no more than there are", () => {
  assert.equal(toleratedOf(8, mesh(100, 30)), 4);
  assert.equal(toleratedOf(99, mesh(100, 30)), 30);
  assert.equal(pullsNeeded({ nodes: 10, liars: 5, rounds: 1 }), undefined);
});
