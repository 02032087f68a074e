// What is held against a node: by whose fault, how much, how long, and for how many nodes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex, uint32be } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import { encodeProof } from "../../../src/mesh/index.ts";
import {
  offences,
  REPUTATION_HALF_TIME_MS,
  Reputation,
  REPUTATIONS_MAX,
} from "../../../src/mesh/reputation.ts";
import { at, Bench, flipped, MemoryMeter, signedBeacon, testNode } from "./fixture.ts";

const origin = testNode(1);
const forwarder = testNode(2).nodeId;

describe("a reputation", () => {
  const nodeId = origin.nodeId;

  test("is 0 at first, sums up, and ends at -100", () => {
    const reputation = new Reputation(new MemoryMeter());
    assert.equal(reputation.of(nodeId, at(0).monoMs), 0);
    reputation.penalise(nodeId, "forgery", at(0).monoMs);
    reputation.penalise(nodeId, "flap", at(0).monoMs);
    assert.equal(reputation.of(nodeId, at(0).monoMs), -15);
    for (let n = 0; n < 3; n++) reputation.penalise(nodeId, "false-evidence", at(0).monoMs);
    assert.equal(reputation.of(nodeId, at(0).monoMs), -100);
  });

  test("halves in ten minutes, and what is less than a half is forgotten", () => {
    const reputation = new Reputation(new MemoryMeter());
    reputation.penalise(nodeId, "rate", at(0).monoMs);
    assert.equal(reputation.of(nodeId, at(REPUTATION_HALF_TIME_MS).monoMs), -0.5);
    assert.equal(reputation.size, 1);
    assert.equal(reputation.of(nodeId, at(REPUTATION_HALF_TIME_MS + 1).monoMs), 0);
    assert.equal(reputation.size, 0);
    reputation.penalise(nodeId, "forgery", at(0).monoMs);
    reputation.penalise(nodeId, "forgery", at(2 * REPUTATION_HALF_TIME_MS).monoMs);
    assert.equal(reputation.of(nodeId, at(2 * REPUTATION_HALF_TIME_MS).monoMs), -12.5);
  });

  test("is kept for as many nodes as the limit; one more, and who was penalised longest ago is forgotten", () => {
    const reputation = new Reputation(new MemoryMeter());
    const node = (n: number) => toHex(uint32be(n)) as NodeId;
    for (let n = 0; n < REPUTATIONS_MAX; n++) reputation.penalise(node(n), "flap", at(0).monoMs);
    reputation.penalise(node(0), "flap", at(0).monoMs);
    assert.equal(reputation.of(node(1), at(0).monoMs), -5);
    reputation.penalise(node(REPUTATIONS_MAX), "flap", at(0).monoMs);
    assert.equal(reputation.size, REPUTATIONS_MAX);
    const left = [0, 1, 2, REPUTATIONS_MAX].map((n) => reputation.of(node(n), at(0).monoMs));
    assert.deepEqual(left, [-10, 0, -5, -5]);
  });
});

describe("the machine holds", () => {
  function judge(options = {}): Bench {
    const bench = new Bench(options);
    bench.know(1, 2);
    bench.start();
    return bench;
  }
  const scores = (bench: Bench) =>
    [origin.nodeId, forwarder].map((nodeId) => bench.machine.reputation(nodeId));
  const hear = (bench: Bench, bytes: Uint8Array) => bench.machine.receive(bytes, forwarder, at(1));

  test("forgeries against who brought them, not against whose name they bear", () => {
    const bench = judge();
    hear(bench, flipped(signedBeacon(origin), -1));
    hear(bench, new Uint8Array(5));
    assert.deepEqual(scores(bench), [0, -2 * offences.forgery]);
    assert.equal(bench.meter.value("meshd_mesh_offences_total", { offence: "forgery" }), 2);
  });

  test("false evidence against who brought it, and more of it", () => {
    const bench = judge();
    const beacons = [0, 1].map((load) => signedBeacon(origin, { load }));
    hear(bench, encodeProof(beacons[0]!, flipped(beacons[1]!, -1)));
    assert.deepEqual(scores(bench), [0, -offences["false-evidence"]]);
    hear(bench, encodeProof(beacons[0]!, beacons[0]!));
    assert.deepEqual(scores(bench), [0, -100]);
  });

  test("each message beyond a forwarder's rate against it", () => {
    const bench = judge({ forwarderBurst: 1, forwarderPerSecond: 0.001 });
    for (let n = 0; n < 4; n++) hear(bench, flipped(signedBeacon(origin), -1));
    assert.deepEqual(scores(bench), [0, -offences.forgery - 3 * offences.rate]);
  });

  test("nothing against anybody for echoes, old news, or what the policy forbids here", () => {
    const bench = judge();
    const beacon = signedBeacon(origin, { epoch: 2 });
    for (const bytes of [beacon, beacon, signedBeacon(origin)]) hear(bench, bytes);
    bench.denied.add(origin.identity.spiffeId);
    hear(bench, signedBeacon(origin, { epoch: 3 }));
    assert.deepEqual(scores(bench), [0, 0]);
  });

  test("everything against who was proven to lie, and shows it", () => {
    const bench = judge();
    const beacons = [0, 1].map((load) => signedBeacon(origin, { load }));
    hear(bench, encodeProof(beacons[0]!, beacons[1]!));
    assert.deepEqual(scores(bench), [-100, 0]);
    assert.deepEqual(
      bench.machine.members().map(({ reputation }) => reputation),
      [-100],
    );
  });

  test("a return from the dead against who was away", () => {
    const bench = judge();
    hear(bench, signedBeacon(origin));
    for (let ms = 500; ms < 10_000; ms += 500) bench.tick("detector", ms);
    assert.equal(bench.state(1), "dead");
    bench.machine.receive(signedBeacon(origin, { epoch: 2 }), forwarder, at(10_000));
    assert.deepEqual(scores(bench), [-offences.flap, 0]);
    bench.tick("detector", 10_000 + REPUTATION_HALF_TIME_MS);
    assert.deepEqual(scores(bench), [-offences.flap / 2, 0]);
  });
});
