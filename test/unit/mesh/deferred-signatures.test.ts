// The machine when its driver verifies signatures: the same verdicts as inline, and no more under way for one forwarding
// peer than it may forge.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import { encodeProof } from "../../../src/mesh/index.ts";
import { at, Bench, signedBeacon, testNode } from "./fixture.ts";

const origin = testNode(1);
const forwarder = testNode(2).nodeId;

function makeMachine(options = {}): Bench {
  const bench = new Bench(options);
  bench.know(1, 2);
  bench.start();
  return bench;
}

describe("deferred signatures", () => {
  test("a beacon that is good but for its signature asks for it, and is then decided by the outcome", () => {
    const bench = makeMachine();
    const bytes = signedBeacon(origin);
    const asked = bench.machine.receive(bytes, forwarder, at(0), "defer");
    assert.ok(asked.verdict === "need-signature");
    assert.equal(asked.jobs.length, 1);
    assert.deepEqual(asked.jobs[0]?.publicKey, origin.identity.mldsa65);
    assert.equal(bench.machine.members().length, 0, "nothing is believed yet");
    const refused = bench.machine.receive(bytes, forwarder, at(1), "invalid");
    assert.ok(refused.verdict === "reject" && refused.code === "mesh/bad-signature");
    assert.equal(bench.machine.receive(bytes, forwarder, at(2), "valid").verdict, "accept");
    const twice = bench.machine.receive(bytes, forwarder, at(3), "valid");
    assert.ok(twice.verdict === "ignore" && twice.code === "mesh/duplicate");
  });

  test("what is refused without a signature is refused at once", () => {
    const bench = makeMachine();
    const verdict = bench.machine.receive(Uint8Array.of(9), forwarder, at(0), "defer");
    assert.ok(verdict.verdict === "reject" && verdict.code === "mesh/malformed");
  });

  test("a proof asks for both signatures, and convicts when they are valid", () => {
    const bench = makeMachine();
    const proof = encodeProof(signedBeacon(origin, { load: 0 }), signedBeacon(origin, { load: 1 }));
    const asked = bench.machine.receive(proof, forwarder, at(0), "defer");
    assert.ok(asked.verdict === "need-signature" && asked.jobs.length === 2);
    assert.equal(bench.machine.receive(proof, forwarder, at(1), "valid").verdict, "accept");
    assert.equal(bench.machine.members()[0]?.state, "quarantined");
  });

  test("one peer has as many under way as it may forge and not one more; valid ones give the room back", () => {
    const bench = makeMachine({ forwarderBurst: 3, forwarderPerSecond: 0 });
    const beacons = [1, 2, 3, 4].map((sequence) => signedBeacon(origin, { sequence }));
    const ask = (index: number, from: NodeId = forwarder): string => {
      const verdict = bench.machine.receive(
        beacons[index] ?? new Uint8Array(0),
        from,
        at(0),
        "defer",
      );
      return "code" in verdict ? verdict.code : verdict.verdict;
    };
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => ask(index)),
      ["need-signature", "need-signature", "need-signature", "mesh/forwarder-rate"],
    );
    assert.equal(ask(3, testNode(3).nodeId), "need-signature", "another peer has its own");
    const [first = new Uint8Array(0)] = beacons;
    assert.equal(bench.machine.receive(first, forwarder, at(0), "valid").verdict, "accept");
    assert.equal(ask(3), "need-signature");
  });
});
