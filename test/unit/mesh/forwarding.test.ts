// Whom a heartbeat is passed on to: not those that its origin says it is connected to, but for every third.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import { encodeHeartbeat, type Forwarding, type StateBeacon } from "../../../src/mesh/index.ts";
import { at, Bench, signedBeacon, testNode } from "./fixture.ts";

const HEARTBEATS = 12;
const origin = testNode(1);
const others = [2, 3, 4, 5, 6].map((number) => testNode(number).nodeId).sort();
const first = others[0] as NodeId;
const middle = others[2] as NodeId;
const last = others[4] as NodeId;

function heartbeat(index: number): Uint8Array {
  const link = new Uint8Array(32);
  return encodeHeartbeat({ nodeId: origin.nodeId, epoch: 1, index, link });
}

/** A machine that knows the origin by a beacon with `neighbours`. */
function benchWith(neighbours: StateBeacon["neighbours"]): Bench {
  const bench = new Bench();
  bench.know(1);
  bench.start();
  const { verdict } = bench.machine.receive(
    signedBeacon(origin, { neighbours }),
    origin.nodeId,
    at(0),
  );
  assert.equal(verdict, "accept");
  return bench;
}

/** Which of the first heartbeats go on to `to`, at once or as spare copies. */
function passedOn({ machine }: Bench, to: NodeId, when: Forwarding): number[] {
  const indices = Array.from({ length: HEARTBEATS }, (_, before) => before + 1);
  return indices.filter((index) => machine.forwarding(heartbeat(index), to) === when);
}

const neighbour = (nodeId: NodeId, suspect = false): StateBeacon["neighbours"][number] => ({
  ...{ nodeId, rttMs: 1, lossRatio: 0, suspect },
});

void test("to the origin's neighbours goes every third as a spare copy, to all others each", () => {
  const bench = benchWith([neighbour(first), neighbour(middle), neighbour(last)]);
  for (const to of [first, middle, last]) {
    const indices = passedOn(bench, to, "spare");
    assert.equal(indices.length, HEARTBEATS / 3);
    assert.equal(passedOn(bench, to, "now").length, 0);
    assert.deepEqual(
      indices.map((index) => index - (indices[0] ?? 0)),
      [0, 3, 6, 9],
    );
  }
  for (const to of [others[1], others[3]])
    assert.equal(passedOn(bench, to as NodeId, "now").length, HEARTBEATS);
});

void test("a neighbour that the origin suspects gets each", () => {
  const bench = benchWith([neighbour(first, true), neighbour(middle)]);
  assert.equal(passedOn(bench, first, "now").length, HEARTBEATS);
  assert.equal(passedOn(bench, middle, "spare").length, HEARTBEATS / 3);
});

void test("an origin without a beacon or without neighbours leaves nothing out", () => {
  assert.equal(passedOn(benchWith([]), first, "now").length, HEARTBEATS);
  const bench = new Bench();
  bench.start();
  assert.equal(passedOn(bench, first, "now").length, HEARTBEATS);
});

void test("what is no heartbeat is passed on", () => {
  const { machine } = benchWith([neighbour(first)]);
  const beacon = signedBeacon(origin, { neighbours: [neighbour(first)] });
  const other = heartbeat(1);
  other[0] = 9;
  for (const bytes of [beacon, other, new Uint8Array(0)])
    assert.equal(machine.forwarding(bytes, first), "now");
});
