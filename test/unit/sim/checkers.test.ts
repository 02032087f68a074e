// Each checker on hand-made histories: quiet on good ones, red on each kind of bad one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, uint32be } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import type { MemberState } from "../../../src/mesh/index.ts";
import { readBeaconHeader } from "../../../src/sim/beacon-header.ts";
import { CrashDetected } from "../../../src/sim/checkers/crash-detected.ts";
import { type DeathWatch, NoFalseDeath } from "../../../src/sim/checkers/no-false-death.ts";
import { SequenceRises } from "../../../src/sim/checkers/sequence-rises.ts";
import type { SwarmView } from "../../../src/sim/checkers/swarm-view.ts";
import { describeViolation, VIOLATIONS_MAX } from "../../../src/sim/checkers/violation.ts";

const REFUTE_MS = 1000;

/** Three nodes in a line 0 - 1 - 2, where 0 sees 2 in some state. */
function watch(state: MemberState, change: Partial<DeathWatch> = {}): DeathWatch {
  const line = (a: number, b: number): boolean => Math.abs(a - b) === 1;
  return {
    nowMs: REFUTE_MS,
    size: 3,
    isHealthy: () => true,
    isConnected: line,
    peers: (node) => [0, 1, 2].filter((peer) => line(node, peer)),
    states: (observer) => (observer === 0 ? [[2, state]] : []),
    ...change,
  };
}

function deaths(...watches: readonly DeathWatch[]): number {
  const checker = new NoFalseDeath(REFUTE_MS);
  checker.disturbed(0);
  for (const one of watches) checker.check(one);
  return checker.violations.length;
}

test("a reachable, healthy node that is held dead is a violation from the bound on, not before", () => {
  assert.equal(deaths(watch("dead", { nowMs: REFUTE_MS - 1 })), 0);
  assert.equal(deaths(watch("dead", { nowMs: REFUTE_MS })), 1);
});

test("any other state is none", () => {
  for (const state of ["alive", "suspect", "joining", "left", "quarantined"] as const) {
    assert.equal(deaths(watch(state)), 0, state);
  }
});

test("an unhealthy subject or observer, or one that is cut off, is none", () => {
  assert.equal(deaths(watch("dead", { isHealthy: (node) => node !== 2 })), 0, "subject down");
  assert.equal(deaths(watch("dead", { isHealthy: (node) => node !== 0 })), 0, "observer down");
  assert.equal(deaths(watch("dead", { isHealthy: (node) => node !== 1 })), 0, "no way between");
  assert.equal(deaths(watch("dead", { isConnected: () => false })), 0, "links are down");
});

test("a new disturbance starts the time to refute again", () => {
  const checker = new NoFalseDeath(REFUTE_MS);
  checker.disturbed(500);
  checker.check(watch("dead", { nowMs: 1499 }));
  assert.equal(checker.checks, 0);
  checker.check(watch("dead", { nowMs: 1500 }));
  assert.equal(checker.violations.length, 1);
  assert.match(
    describeViolation(checker.violations[0]!),
    /1\.500 s: node 0 about node 2: .*1000 ms/,
  );
});

test("violations are kept up to the limit", () => {
  const many = Array.from({ length: VIOLATIONS_MAX + 1 }, () => watch("dead"));
  assert.equal(deaths(...many), VIOLATIONS_MAX);
});

test("a crashed node that is still held alive is a violation at the bound, but not of who came back shortly before its crash", () => {
  const seen = (backMs: number, nowMs: number): number => {
    const checker = new CrashDetected(20_000);
    const swarm = {
      nowMs: 30_000,
      healthy: () => [0],
      states: () => [[2, "alive"]],
    } as unknown as SwarmView;
    checker.disturbed(backMs, 0);
    checker.crashed(2, swarm);
    checker.check({ ...swarm, nowMs });
    return checker.violations.length;
  };
  assert.equal(seen(25_000, 49_999), 0);
  assert.equal(seen(25_000, 50_000), 1);
  assert.equal(seen(25_001, 50_000), 0);
});

const ORIGIN = "ab".repeat(32) as NodeId;

function beacon(kind: number, epoch: number, number: number): Uint8Array {
  const nodeId = new Uint8Array(32).fill(0xab);
  return concatBytes(Uint8Array.of(kind, 1), nodeId, uint32be(epoch), uint32be(number));
}

function sequences(): SequenceRises {
  return new SequenceRises((nodeId) => (nodeId === ORIGIN ? 7 : undefined));
}

test("the head of a beacon is read, and nothing else is", () => {
  assert.deepEqual(readBeaconHeader(beacon(2, 3, 4)), {
    kind: "heartbeat",
    nodeId: ORIGIN,
    epoch: 3,
    number: 4,
  });
  assert.equal(readBeaconHeader(beacon(3, 3, 4)), undefined);
  assert.equal(readBeaconHeader(beacon(1, 3, 4).subarray(0, 41)), undefined);
});

test("rising numbers and epochs are fine, for each kind and observer apart", () => {
  const checker = sequences();
  for (const [epoch, number] of [
    [1, 1],
    [1, 2],
    [1, 9],
    [2, 1],
  ] as const) {
    for (const observer of [0, 1]) checker.accepted(observer, beacon(1, epoch, number), 0);
    checker.accepted(0, beacon(2, epoch, number), 0);
  }
  assert.deepEqual(checker.violations, []);
  assert.equal(checker.checks, 12);
});

test("an equal number, a falling number and a falling epoch are violations", () => {
  for (const [epoch, number] of [
    [2, 5],
    [2, 4],
    [1, 9],
  ] as const) {
    const checker = sequences();
    checker.accepted(0, beacon(1, 2, 5), 0);
    checker.accepted(0, beacon(1, epoch, number), 10);
    assert.deepEqual(checker.violations, [
      {
        checker: "sequence-rises",
        atMs: 10,
        observer: 0,
        subject: 7,
        what: `accepted state ${epoch}/${number} after 2/5`,
      },
    ]);
  }
});

test("an observer that has forgotten a member may accept again what it says, nobody else may", () => {
  const checker = sequences();
  const changed = { subject: 7, from: "dead", atMs: 5 } as const;
  for (const observer of [0, 1]) checker.accepted(observer, beacon(1, 2, 5), 0);
  checker.memberChanged({ ...changed, observer: 0, to: undefined });
  checker.memberChanged({ ...changed, observer: 1, to: "alive" });
  checker.accepted(0, beacon(1, 2, 4), 10);
  assert.deepEqual(checker.violations, []);
  checker.accepted(1, beacon(1, 2, 4), 10);
  assert.equal(checker.violations.length, 1);
});

test("an observer that restarts may accept again, an origin that restarts must not repeat", () => {
  const checker = sequences();
  checker.accepted(0, beacon(1, 2, 5), 0);
  checker.published(7, beacon(1, 2, 5), 0);
  checker.restarted(0);
  checker.restarted(7);
  checker.accepted(0, beacon(1, 2, 5), 0);
  assert.deepEqual(checker.violations, []);
  checker.published(7, beacon(1, 2, 5), 0);
  assert.equal(checker.violations.length, 1);
});
