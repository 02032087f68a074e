// Membership: the transition table, suspicion arithmetic, local health, and the detector on both sides of each time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HashChain } from "../../../src/crypto/index.ts";
import {
  chainContext,
  encodeHeartbeat,
  type MemberCause,
  type MemberState,
  type MeshAction,
  type StateBeacon,
  suspicionTimeoutMs,
} from "../../../src/mesh/index.ts";
import { decodeStateBeacon } from "../../../src/mesh/beacons/state-beacon.ts";
import { LinkEstimate, SAMPLES_VALID_MS } from "../../../src/mesh/links/link-estimate.ts";
import { advance, placeAfterBeacon } from "../../../src/mesh/membership/chain-place.ts";
import { directTimeoutMs, indirectTimeoutMs } from "../../../src/mesh/membership/probe-timeout.ts";
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
    const result = { kind: "indirect-probe-result", nodeId: peer.nodeId, answers: 2 } as const;
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
    const result = { kind: "indirect-probe-result", nodeId: peer.nodeId, answers: 2 } as const;
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
});

describe("a suspicion of the own node", () => {
  const vote = (bench: Bench) => ({
    nodeId: bench.self.nodeId,
    rttMs: 1,
    lossRatio: 0,
    suspect: true,
  });
  function accuse(bench: Bench, sequence: number, ms: number) {
    const bytes = beacon({ sequence, neighbours: [vote(bench)] });
    const verdict = bench.machine.receive(bytes, peer.nodeId, at(ms));
    assert.ok(verdict.verdict === "accept", JSON.stringify(verdict));
    return verdict.actions;
  }
  const states = (actions: readonly MeshAction[]) =>
    only(actions, "publish").filter(({ topic }) => topic === "state");

  test("is refuted at once with the next sequence, and costs trust in itself", () => {
    const bench = withPeer(true);
    bench.tick("beacon", 3000);
    const before = bench.machine.sequence;
    assert.equal(states(accuse(bench, 2, 3200)).length, 1);
    assert.equal(bench.machine.sequence, before + 1);
  });

  test("is refuted by the beacon that is still under way, if that is fresh enough", () => {
    for (const [sinceMs, count] of [
      [199, 0],
      [200, 1],
    ] as const) {
      const bench = withPeer(true);
      bench.tick("beacon", 3000);
      assert.equal(states(accuse(bench, 2, 3000 + sinceMs)).length, count, `${sinceMs} ms`);
    }
  });

  test("is refuted no more often than others let beacons pass, and then when that allows it", () => {
    const bench = withPeer(true);
    const at0 = 60_000;
    const said = [0, 1, 2, 3, 4].map((n) => accuse(bench, n + 2, at0 + n * 250));
    assert.deepEqual(
      said.map((actions) => states(actions).length),
      [1, 1, 1, 0, 0],
      "half of a burst of six",
    );
    const [timer] = only(said[3]!, "set-timer");
    assert.deepEqual([timer?.id, timer?.delayMs], ["beacon", 1750]);
  });

  test("is heard from a probe of who suspects it, but of no stranger", () => {
    const bench = withPeer(true);
    const told = (number: number, ms: number) =>
      bench.machine.handle({ kind: "suspected-by", nodeId: testNode(number).nodeId }, at(ms));
    assert.deepEqual(told(2, 9000), []);
    assert.equal(states(told(1, 9000)).length, 1);
  });

  test("lowers the trust in itself with each refutation that went out", () => {
    const bench = new Bench();
    bench.know(1);
    bench.start();
    bench.machine.receive(beacon(), peer.nodeId, at(0));
    for (let n = 0; n < 5; n++) accuse(bench, n + 2, 60_000 + n);
    bench.tick("detector", 60_100);
    // One was published, the others met it under way; the late timer counts as a stall.
    assert.equal(bench.meter.value("meshd_mesh_local_health_score"), 1 + 1);
  });
});

describe("probes", () => {
  /** The probe of node 1 that its silence leads to. */
  function probeOf(bench: Bench, fromMs: number) {
    for (let ms = fromMs; ms < fromMs + 10_000; ms += 500) {
      const found = only(bench.tick("detector", ms), "probe").find((p) => p.nodeId === peer.nodeId);
      if (found !== undefined) return { ...found, ms };
    }
    return assert.fail("no probe");
  }
  const answer = (bench: Bench, rttMs: number, ms: number) =>
    bench.machine.handle({ kind: "rtt", nodeId: peer.nodeId, rttMs }, at(ms));
  const fail = (bench: Bench, ms: number) =>
    bench.machine.handle({ kind: "probe-failed", nodeId: peer.nodeId }, at(ms));

  test("wait the default at first, then what the round trips ask for, within bounds", () => {
    const options = { probeTimeoutMs: 500, probeTimeoutMinMs: 250, probeTimeoutMaxMs: 2000 };
    const timeout = (rtts: number[], probesMissed = 0): number => {
      const link = new LinkEstimate();
      for (const [n, rttMs] of rtts.entries()) link.answered(rttMs, at(n).monoMs);
      return directTimeoutMs({ link, probesMissed }, options);
    };
    assert.equal(directTimeoutMs({ link: undefined, probesMissed: 0 }, options), 500);
    assert.equal(timeout([]), 500);
    assert.equal(timeout([1]), 250);
    assert.equal(timeout([83]), 250); // 83 + 4 · 41.5 = 249
    assert.equal(timeout([84]), 252);
    assert.equal(timeout([666]), 1998);
    assert.equal(timeout([668]), 2000);
    assert.deepEqual(
      [1, 2, 3].map((missed) => timeout([100], missed)),
      [600, 1200, 2000],
    );
    const helper = { link: undefined, probesMissed: 0 };
    assert.equal(indirectTimeoutMs([helper, { ...helper, probesMissed: 1 }], options), 400 + 1000);
  });

  test("begin with the default again when the link was away for longer than its samples are valid", () => {
    for (const [awayMs, timeoutMs] of [
      [SAMPLES_VALID_MS - 1, 600],
      [SAMPLES_VALID_MS, 500],
    ] as const) {
      const bench = withPeer(true);
      answer(bench, 200, 100);
      bench.disconnect(1, 200);
      bench.connect(1, 100 + awayMs);
      bench.tick("detector", 100 + awayMs); // late: the silence is this node's own
      assert.equal(probeOf(bench, 600 + awayMs).timeoutMs, timeoutMs);
    }
  });

  test("are stretched by the local health, and doubled when one was missed", () => {
    const bench = withPeer(true);
    answer(bench, 200, 100);
    const first = probeOf(bench, 500);
    assert.deepEqual([first.timeoutMs, first.suspect], [600, false]);
    fail(bench, first.ms + 400); // nobody to ask: suspect
    assert.equal(bench.state(1), "suspect");
    const second = probeOf(bench, first.ms + 500);
    assert.equal(second.timeoutMs, 1200);
    bench.disconnect(1, second.ms);
    bench.connect(1, second.ms);
    assert.equal(probeOf(bench, second.ms + 500).timeoutMs, 600, "its new handshake was an answer");

    const slow = new Bench();
    slow.know(1);
    slow.start();
    slow.connect(1, 0);
    slow.machine.receive(beacon(), peer.nodeId, at(0));
    slow.tick("detector", 5000); // late: the own node is slow
    assert.equal(probeOf(slow, 5500).timeoutMs, 500 * 2);
  });

  test("of a suspect tell it so, once an interval until it answers or is dead", () => {
    const bench = withPeer(true);
    const first = probeOf(bench, 500);
    fail(bench, first.ms);
    const told: number[] = [];
    for (let ms = first.ms + 500; bench.state(1) === "suspect" && told.length < 9; ms += 500) {
      for (const probe of only(bench.tick("detector", ms), "probe")) {
        assert.equal(probe.suspect, true);
        told.push(ms - first.ms);
        fail(bench, ms + 100);
      }
    }
    assert.deepEqual(told, [500, 1500]);
    assert.equal(bench.state(1), "dead");

    const saved = withPeer(true);
    const again = probeOf(saved, 500);
    fail(saved, again.ms);
    answer(saved, 20, again.ms + 600);
    assert.equal(saved.state(1), "alive");
  });

  test("go through helpers, whose silence counts against the own network: one for each", () => {
    for (const [answers, score] of [
      [2, 0],
      [1, 1],
      [0, 2],
    ] as const) {
      const bench = new Bench();
      bench.know(1, 2, 3);
      bench.start();
      for (const number of [2, 3]) {
        bench.connect(number, 0);
        bench.machine.receive(signedBeacon(testNode(number)), testNode(number).nodeId, at(0));
      }
      bench.connect(1, 0);
      bench.machine.receive(beacon(), peer.nodeId, at(0));
      const [asked] = only(bench.disconnect(1, 100), "probe-via");
      assert.deepEqual([asked?.via.length, asked?.timeoutMs], [2, 400 + 500]);
      const result = { kind: "indirect-probe-result", nodeId: peer.nodeId, alive: false } as const;
      bench.machine.handle({ ...result, answers }, at(600));
      assert.equal(bench.state(1), "suspect");
      bench.tick("detector", 600);
      assert.equal(bench.meter.value("meshd_mesh_local_health_score"), score, `${answers} answers`);
    }
  });

  test("take an answer that only helpers got as a sign of a fault here", () => {
    const bench = new Bench();
    bench.know(1, 2);
    bench.start();
    for (const number of [1, 2]) {
      bench.connect(number, 0);
      bench.machine.receive(signedBeacon(testNode(number)), testNode(number).nodeId, at(0));
    }
    const { ms } = probeOf(bench, 500);
    fail(bench, ms);
    const result = { kind: "indirect-probe-result", nodeId: peer.nodeId, alive: true } as const;
    bench.machine.handle({ ...result, answers: 1 }, at(ms + 50));
    assert.equal(bench.state(1), "alive");
    bench.tick("detector", ms + 100);
    assert.equal(bench.meter.value("meshd_mesh_local_health_score"), 1);
  });

  test("of a neighbour begin after two silent intervals, however slow this node is; others get more time", () => {
    const bench = new Bench({ probeIntervalMs: 60_000 });
    bench.know(1, 2);
    bench.start();
    bench.connect(2, 0);
    for (const number of [1, 2]) {
      const bytes = number === 1 ? beacon() : signedBeacon(testNode(number));
      bench.machine.receive(bytes, testNode(number).nodeId, at(0));
    }
    bench.machine.receive(beat(1), testNode(2).nodeId, at(0));
    bench.tick("detector", 0);
    const { nodeId } = testNode(2);
    const reached = { kind: "indirect-probe-result", nodeId, alive: true, answers: 1 } as const;
    bench.machine.handle(reached, at(0)); // only helpers reach node 2: health 1
    assert.deepEqual(only(bench.tick("detector", 2000), "probe"), []);
    assert.deepEqual(
      only(bench.tick("detector", 2001), "probe").map((probe) => probe.nodeId),
      [nodeId],
    );
    bench.machine.handle(reached, at(2001)); // health 2
    assert.deepEqual(only(bench.tick("detector", 6000), "probe-via"), []);
    assert.deepEqual(
      only(bench.tick("detector", 6001), "probe-via").map((probe) => probe.nodeId),
      [peer.nodeId],
    );
  });
});

test("neighbours that suspected a member before this node did count as confirmations", () => {
  const bench = withPeer(true, 2, 3, 4);
  const near = [2, 3, 4].map((number) => ({
    ...{ nodeId: testNode(number).nodeId, rttMs: 1, lossRatio: 0, suspect: false },
  }));
  near.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  bench.machine.receive(beacon({ sequence: 2, neighbours: near }), peer.nodeId, at(900));
  const vote = { nodeId: peer.nodeId, rttMs: 1, lossRatio: 0, suspect: true };
  for (const number of [2, 3, 4]) {
    const bytes = signedBeacon(testNode(number), { sequence: 2, neighbours: [vote] });
    bench.machine.receive(bytes, testNode(number).nodeId, at(950));
  }
  bench.tick("detector", 1000);
  bench.disconnect(1, 1000);
  const result = { kind: "indirect-probe-result", nodeId: peer.nodeId, answers: 3 } as const;
  bench.machine.handle({ ...result, alive: false }, at(1000));
  tickUntil(bench, 1500, 2500);
  assert.equal(bench.state(1), "suspect");
  bench.tick("detector", 3000); // the minimum of 2000 ms
  assert.equal(bench.state(1), "dead");
});

test("a member that comes back from the dead is counted as a flap, one that was suspected is not", () => {
  for (const [untilMs, flaps] of [
    [2500, 0],
    [5000, 1],
  ] as const) {
    const bench = withPeer(false);
    tickUntil(bench, 500, untilMs);
    bench.machine.receive(beat(3), testNode(2).nodeId, at(untilMs + 1));
    assert.equal(bench.state(1), "alive");
    assert.equal(bench.meter.value("meshd_mesh_flaps_total"), flaps);
  }
});

test("links that follow are no part of the beacon they follow: nodes of a simulation share it", () => {
  const decoded = decodeStateBeacon(signedBeacon(peer));
  assert.ok(decoded.ok);
  const { beacon } = decoded.value;
  const anchor = beacon.chain.anchor.slice();
  const place = placeAfterBeacon(undefined, beacon, false);
  const link = new Uint8Array(32).fill(7);
  advance(place, { position: 1, link }, at(1000).monoMs, 3);
  assert.deepEqual(place.lastLink, link);
  assert.deepEqual(beacon.chain.anchor, anchor);
});
