// Membership: the transition table, suspicion arithmetic, local health, and the detector on both sides of each time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HashChain } from "../../../src/crypto/index.ts";
import {
  chainContext,
  encodeHeartbeat,
  type MemberCause,
  type MemberState,
  type StateBeacon,
  suspicionTimeoutMs,
} from "../../../src/mesh/index.ts";
import { LocalHealth } from "../../../src/mesh/membership/suspicion.ts";
import { transition } from "../../../src/mesh/membership/transitions.ts";
import { at, Bench, engine, only, signedBeacon, testNode } from "./fixture.ts";

describe("the transition table", () => {
  const states: MemberState[] = ["joining", "alive", "suspect", "dead", "left", "quarantined"];
  const rows: [MemberCause, ...(MemberState | "gone" | "-")[]][] = [
    // cause                joining        alive          suspect        dead           left           quarantined
    ["beacon", "-", "-", "alive", "joining", "-", "-"],
    ["heartbeat", "alive", "-", "alive", "alive", "-", "-"],
    ["connected", "alive", "-", "alive", "alive", "-", "-"],
    ["probe-answered", "alive", "-", "alive", "alive", "-", "-"],
    ["probe-failed", "suspect", "suspect", "-", "-", "-", "-"],
    ["silence", "suspect", "suspect", "-", "-", "-", "-"],
    ["suspicion-timeout", "-", "-", "dead", "-", "-", "-"],
    ["leaving", "left", "left", "left", "left", "-", "-"],
    ["new-epoch", "alive", "-", "alive", "alive", "alive", "-"],
    [
      "equivocation",
      "quarantined",
      "quarantined",
      "quarantined",
      "quarantined",
      "quarantined",
      "-",
    ],
    ["released", "-", "-", "-", "-", "-", "gone"],
    ["forgotten", "gone", "-", "-", "gone", "gone", "-"],
  ];
  for (const [cause, ...expected] of rows) {
    test(`${cause} leads where the table says`, () => {
      assert.deepEqual(
        states.map((state) => transition(state, cause) ?? "-"),
        expected,
      );
    });
  }
});

describe("the suspicion's time", () => {
  const options = {
    suspicionMult: 2,
    suspicionMaxMult: 3,
    suspicionConfirmations: 3,
    probeIntervalMs: 1000,
  };
  const table: [members: number, confirmations: number, expectedMs: number][] = [
    [1, 0, 2000],
    [2, 0, 2000], // nobody else to ask
    [3, 0, 6000],
    [3, 1, 2000], // k = 1: the only other one agrees
    [10, 0, 6000],
    [10, 1, 4000], // 6000 - 4000 · log 2 / log 4
    [10, 3, 2000],
    [10, 9, 2000],
    [100, 0, 12_000],
    [100, 3, 4000],
  ];
  for (const [members, confirmations, expectedMs] of table) {
    test(`is ${expectedMs} ms for ${members} members and ${confirmations} confirmations`, () => {
      assert.ok(Math.abs(suspicionTimeoutMs(members, confirmations, options) - expectedMs) < 1e-6);
    });
  }
});

test("local health stays between 0 and its limit", () => {
  const health = new LocalHealth(2);
  health.better();
  assert.equal(health.multiplier, 1);
  for (let i = 0; i < 5; i++) health.worse();
  assert.equal(health.score, 2);
  health.better();
  assert.equal(health.multiplier, 2);
});

const peer = testNode(1);
const chain = new HashChain(engine, {
  ...{ seed: new Uint8Array(32), length: 64, context: chainContext(peer.nodeId, 1, 0) },
});

function beacon(change: Partial<StateBeacon> = {}): Uint8Array {
  const anchored = { base: 0, length: 64, position: 0, anchor: chain.anchor, intervalMs: 1000 };
  return signedBeacon(peer, { chain: anchored, ...change });
}

function beat(index: number): Uint8Array {
  return encodeHeartbeat({ nodeId: peer.nodeId, epoch: 1, index, link: chain.link(index) });
}

/** Node 1 is alive since 0 ms; detector ticks follow by hand. */
function withPeer(connected: boolean, ...others: number[]): Bench {
  const bench = new Bench({ localHealthMax: 0 });
  bench.know(1, ...others);
  bench.start();
  for (const other of others) {
    bench.connect(other, 0);
    const { nodeId } = testNode(other);
    bench.machine.receive(signedBeacon(testNode(other)), nodeId, at(0));
  }
  if (connected) bench.connect(1, 0);
  bench.machine.receive(beacon(), peer.nodeId, at(0));
  assert.equal(bench.state(1), "alive");
  return bench;
}

function tickUntil(bench: Bench, fromMs: number, toMs: number) {
  const actions = [];
  for (let ms = fromMs; ms <= toMs; ms += 500) actions.push(...bench.tick("detector", ms));
  return actions;
}

describe("the detector", () => {
  test("suspects a silent member that nobody can probe only after two intervals, and kills it in time", () => {
    const bench = withPeer(false);
    tickUntil(bench, 500, 2000);
    assert.equal(bench.state(1), "alive");
    tickUntil(bench, 2500, 2500);
    assert.equal(bench.state(1), "suspect");
    tickUntil(bench, 3000, 4000); // two members: the suspicion lasts 2000 ms
    assert.equal(bench.state(1), "suspect");
    tickUntil(bench, 4500, 4500);
    assert.equal(bench.state(1), "dead");
  });

  test("takes a fresh heartbeat as refutation, from suspect and from dead", () => {
    for (const untilMs of [2500, 5000]) {
      const bench = withPeer(false);
      tickUntil(bench, 500, untilMs);
      assert.equal(bench.state(1), untilMs === 2500 ? "suspect" : "dead");
      assert.equal(
        bench.machine.receive(beat(3), testNode(2).nodeId, at(untilMs + 1)).verdict,
        "accept",
      );
      assert.equal(bench.state(1), "alive");
    }
  });

  test("takes a higher sequence as refutation of a suspicion, but lets the dead only join anew", () => {
    const suspect = withPeer(false);
    tickUntil(suspect, 500, 2500);
    suspect.machine.receive(beacon({ sequence: 2 }), testNode(2).nodeId, at(2501));
    assert.equal(suspect.state(1), "alive");
    const dead = withPeer(false);
    tickUntil(dead, 500, 5000);
    dead.machine.receive(beacon({ sequence: 2 }), testNode(2).nodeId, at(5001));
    assert.equal(dead.state(1), "joining");
    const reborn = withPeer(false);
    tickUntil(reborn, 500, 5000);
    reborn.machine.receive(beacon({ epoch: 2 }), testNode(2).nodeId, at(5001));
    assert.equal(reborn.state(1), "alive");
  });

  test("probes a connected member directly, then through helpers, then suspects it", () => {
    const bench = withPeer(true, 2, 3);
    let ms = 0;
    let probes;
    do probes = only(bench.tick("detector", (ms += 500)), "probe");
    while (!probes.some((probe) => probe.nodeId === peer.nodeId) && ms < 5000);
    assert.ok(ms < 5000);
    const failed = bench.machine.handle({ kind: "probe-failed", nodeId: peer.nodeId }, at(ms));
    const [via] = only(failed, "probe-via");
    assert.equal(via?.nodeId, peer.nodeId);
    assert.deepEqual([...via.via].sort(), [testNode(2).nodeId, testNode(3).nodeId].sort());
    assert.equal(bench.state(1), "alive");
    const result = { kind: "indirect-probe-result", nodeId: peer.nodeId } as const;
    bench.machine.handle({ ...result, alive: false }, at(ms + 1));
    assert.equal(bench.state(1), "suspect");
    bench.machine.handle({ ...result, alive: true }, at(ms + 2));
    assert.equal(bench.state(1), "alive");
  });

  test("looks at once when the connection is lost", () => {
    const alone = withPeer(true);
    alone.disconnect(1, 100);
    assert.equal(alone.state(1), "suspect");
    const helped = withPeer(true, 2);
    const [via] = only(helped.disconnect(1, 100), "probe-via");
    assert.deepEqual(via?.via, [testNode(2).nodeId]);
    assert.equal(helped.state(1), "alive");
  });

  test("does not hold a stall of the own node against others", () => {
    const bench = withPeer(false);
    bench.tick("detector", 500);
    bench.tick("detector", 60_000);
    assert.equal(bench.state(1), "alive");
    assert.equal(bench.meter.value("meshd_mesh_own_stalls_total"), 1);
    tickUntil(bench, 60_500, 62_000);
    assert.equal(bench.state(1), "suspect");
  });

  test("shortens a suspicion with confirmations of others", () => {
    const bench = withPeer(true, 2, 3, 4);
    tickUntil(bench, 500, 1000);
    bench.disconnect(1, 1000);
    const result = { kind: "indirect-probe-result", nodeId: peer.nodeId } as const;
    bench.machine.handle({ ...result, alive: false }, at(1000));
    assert.equal(bench.state(1), "suspect");
    const vote = { nodeId: peer.nodeId, rttMs: 1, lossRatio: 0, suspect: true };
    for (const number of [2, 3, 4]) {
      const bytes = signedBeacon(testNode(number), { sequence: 2, neighbours: [vote] });
      bench.machine.receive(bytes, testNode(number).nodeId, at(1100));
    }
    tickUntil(bench, 1500, 2500);
    assert.equal(bench.state(1), "suspect");
    bench.tick("detector", 3000); // the minimum: 2000 ms for few members
    assert.equal(bench.state(1), "dead");
  });

  test("tells leaving from dying, and needs a new epoch to come back", () => {
    const bench = withPeer(false);
    bench.machine.receive(beacon({ sequence: 2, status: "leaving" }), testNode(2).nodeId, at(10));
    assert.equal(bench.state(1), "left");
    bench.machine.receive(beacon({ sequence: 3 }), testNode(2).nodeId, at(20));
    assert.equal(bench.state(1), "left");
    bench.machine.receive(beacon({ epoch: 2 }), testNode(2).nodeId, at(30));
    assert.equal(bench.state(1), "alive");
  });

  test("forgets left and dead members after the retention time, not before", () => {
    const bench = new Bench({ retentionMs: 10_000 });
    bench.know(1);
    bench.start();
    bench.machine.receive(beacon({ status: "leaving" }), peer.nodeId, at(0));
    tickUntil(bench, 500, 9500);
    assert.equal(bench.state(1), "left");
    bench.tick("detector", 10_000);
    assert.equal(bench.state(1), undefined);
    assert.equal(bench.meter.value("meshd_mesh_peers", { state: "left" }), 0);
  });

  test("speaks up when others suspect the own node", () => {
    const bench = withPeer(true);
    bench.tick("beacon", 3000);
    const vote = { nodeId: bench.self.nodeId, rttMs: 1, lossRatio: 0, suspect: true };
    const verdict = bench.machine.receive(
      beacon({ sequence: 2, neighbours: [vote] }),
      peer.nodeId,
      at(9000),
    );
    assert.ok(verdict.verdict === "accept");
    assert.deepEqual(
      only(verdict.actions, "set-timer").map((timer) => timer.id),
      ["beacon"],
    );
  });
});
