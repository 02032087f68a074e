// Every refusal code once, with the verdict it leads to, and what is accepted right beside it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HashChain } from "../../../src/crypto/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import {
  beaconRejectCodes,
  chainContext,
  decodeProof,
  encodeHeartbeat,
  encodeProof,
  type GossipVerdict,
  type StateBeacon,
} from "../../../src/mesh/index.ts";
import { at, Bench, engine, flipped, only, signedBeacon, testNode } from "./fixture.ts";

const origin = testNode(1);
const forwarder = testNode(2).nodeId;

/** A bench that knows node 1's identity and has started. */
function started(options = {}): Bench {
  const bench = new Bench(options);
  bench.know(1, 2);
  bench.start();
  return bench;
}

function chainOf(epoch = 1, base = 0) {
  const context = chainContext(origin.nodeId, epoch, base);
  return new HashChain(engine, { seed: new Uint8Array(32).fill(base + 1), length: 64, context });
}

function withChain(chain: HashChain, change: Partial<StateBeacon> = {}, base = 0): Uint8Array {
  const anchored = { base, length: 64, position: 0, anchor: chain.anchor, intervalMs: 1000 };
  return signedBeacon(origin, { chain: anchored, ...change });
}

function heartbeat(chain: HashChain, index: number, epoch = 1, base = 0): Uint8Array {
  const link = chain.link(index - base);
  return encodeHeartbeat({ nodeId: origin.nodeId, epoch, index, link });
}

const seen = new Set<string>();

function refused(verdict: GossipVerdict, expected: "reject" | "ignore", code: string): void {
  assert.notEqual(verdict.verdict, "need-identity");
  if (verdict.verdict === "need-identity") return;
  assert.deepEqual([verdict.verdict, verdict.code], [expected, code]);
  seen.add(code);
}

function accepted(verdict: GossipVerdict): void {
  assert.equal(verdict.verdict, "accept", JSON.stringify(verdict));
}

describe("the beacon validator", () => {
  test("counts each refusal under its code", () => {
    const bench = started();
    bench.machine.receive(Uint8Array.of(9), forwarder, at(1));
    const name = "meshd_mesh_beacons_rejected_total";
    assert.equal(bench.meter.value(name, { code: "mesh/malformed" }), 1);
  });

  test("ignores messages before it runs and after it stopped", () => {
    const bench = new Bench();
    bench.know(1);
    refused(
      bench.machine.receive(signedBeacon(origin), forwarder, at(0)),
      "ignore",
      "mesh/not-running",
    );
    bench.start();
    bench.machine.handle({ kind: "stopping" }, at(1));
    refused(
      bench.machine.receive(signedBeacon(origin), forwarder, at(2)),
      "ignore",
      "mesh/not-running",
    );
  });

  test("rejects what is too large and takes 16 KiB as malformed at most", () => {
    const bench = started();
    const large = new Uint8Array(16_385).fill(1);
    refused(bench.machine.receive(large, forwarder, at(0)), "reject", "mesh/too-large");
    refused(bench.machine.receive(large.subarray(1), forwarder, at(0)), "reject", "mesh/malformed");
    const longHeartbeat = new Uint8Array(75).fill(2);
    refused(bench.machine.receive(longHeartbeat, forwarder, at(0)), "reject", "mesh/too-large");
    const proof = new Uint8Array(2 * 16_384 + 7).fill(3);
    refused(bench.machine.receive(proof, forwarder, at(0)), "reject", "mesh/too-large");
  });

  test("rejects an empty message, an unknown kind and a truncated beacon", () => {
    const bench = started();
    for (const bytes of [new Uint8Array(0), Uint8Array.of(4), signedBeacon(origin).subarray(1)]) {
      refused(bench.machine.receive(bytes, forwarder, at(0)), "reject", "mesh/malformed");
    }
  });

  test("asks for an unknown identity and accepts once the directory has it", () => {
    const bench = new Bench();
    bench.start();
    const bytes = signedBeacon(origin);
    const verdict = bench.machine.receive(bytes, forwarder, at(0));
    assert.deepEqual(verdict, { verdict: "need-identity", nodeId: origin.nodeId });
    bench.know(1);
    accepted(bench.machine.receive(bytes, forwarder, at(1)));
  });

  test("rejects a wrong signature, whichever byte was changed", () => {
    const bytes = signedBeacon(origin);
    for (const offset of [38, -1]) {
      const bench = started();
      refused(
        bench.machine.receive(flipped(bytes, offset), forwarder, at(0)),
        "reject",
        "mesh/bad-signature",
      );
      assert.equal(bench.state(1), undefined);
    }
  });

  test("ignores an identity from the moment it expires", () => {
    const bytes = signedBeacon(origin);
    const expiry = 3_600_000;
    accepted(started().machine.receive(bytes, forwarder, at(expiry - 1)));
    refused(
      started().machine.receive(bytes, forwarder, at(expiry)),
      "ignore",
      "mesh/identity-expired",
    );
  });

  test("hears an expired identity for the grace, and no longer", () => {
    const bytes = signedBeacon(origin);
    const end = 3_600_000 + 60_000;
    const patient = { svidGraceMs: 60_000 };
    accepted(started(patient).machine.receive(bytes, forwarder, at(end - 1)));
    const late = started(patient).machine.receive(bytes, forwarder, at(end));
    refused(late, "ignore", "mesh/identity-expired");
  });

  test("ignores whom policy does not let publish, and then also its heartbeats", () => {
    const bench = started();
    const chain = chainOf();
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    bench.denied.add(origin.identity.spiffeId);
    const later = withChain(chain, { sequence: 2 });
    refused(bench.machine.receive(later, forwarder, at(1)), "ignore", "mesh/not-allowed");
    refused(
      bench.machine.receive(heartbeat(chain, 1), forwarder, at(2)),
      "ignore",
      "mesh/not-allowed",
    );
    bench.denied.clear();
    accepted(bench.machine.receive(later, forwarder, at(3)));
    accepted(bench.machine.receive(heartbeat(chain, 1), forwarder, at(4)));
  });

  test("ignores duplicates, old sequences and old epochs", () => {
    const bench = started();
    const receive = (epoch: number, sequence: number): GossipVerdict =>
      bench.machine.receive(signedBeacon(origin, { epoch, sequence }), forwarder, at(0));
    accepted(receive(2, 5));
    refused(receive(2, 5), "ignore", "mesh/duplicate");
    refused(receive(2, 4), "ignore", "mesh/old-sequence");
    refused(receive(1, 9), "ignore", "mesh/stale-epoch");
    accepted(receive(2, 6));
    accepted(receive(3, 1));
  });

  test("limits state beacons per origin: as many as the burst, not one more, and one again in time", () => {
    const bench = started({ stateBurst: 3, statePerSecond: 0.5 });
    const receive = (sequence: number, ms: number): GossipVerdict =>
      bench.machine.receive(signedBeacon(origin, { sequence }), forwarder, at(ms));
    for (const sequence of [1, 2, 3]) accepted(receive(sequence, 0));
    refused(receive(4, 0), "ignore", "mesh/origin-rate");
    refused(receive(4, 1999), "ignore", "mesh/origin-rate");
    accepted(receive(4, 2000));
  });

  test("limits heartbeats per origin", () => {
    const bench = started({ heartbeatBurst: 2, heartbeatsPerInterval: 1 });
    const chain = chainOf();
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    accepted(bench.machine.receive(heartbeat(chain, 1), forwarder, at(0)));
    accepted(bench.machine.receive(heartbeat(chain, 2), forwarder, at(0)));
    refused(
      bench.machine.receive(heartbeat(chain, 3), forwarder, at(999)),
      "ignore",
      "mesh/origin-rate",
    );
    accepted(bench.machine.receive(heartbeat(chain, 3), forwarder, at(1000)));
  });

  test("charges forgeries to the forwarder: it is silenced, and the origin's rate is untouched", () => {
    const bench = started({ forwarderBurst: 2, forwarderPerSecond: 1, stateBurst: 1 });
    const forged = flipped(signedBeacon(origin), -1);
    refused(bench.machine.receive(forged, forwarder, at(0)), "reject", "mesh/bad-signature");
    refused(bench.machine.receive(forged, forwarder, at(0)), "reject", "mesh/bad-signature");
    refused(bench.machine.receive(forged, forwarder, at(0)), "ignore", "mesh/forwarder-rate");
    accepted(bench.machine.receive(signedBeacon(origin), testNode(3).nodeId, at(0)));
  });

  test("refuses one member more than the limit, unless a dead or left one can go", () => {
    const bench = started({ membersMax: 1 });
    accepted(bench.machine.receive(signedBeacon(origin), forwarder, at(0)));
    const second = signedBeacon(testNode(2));
    refused(bench.machine.receive(second, forwarder, at(1)), "ignore", "mesh/members-full");
    accepted(
      bench.machine.receive(
        signedBeacon(origin, { sequence: 2, status: "leaving" }),
        forwarder,
        at(2),
      ),
    );
    accepted(bench.machine.receive(second, forwarder, at(3)));
    assert.equal(bench.state(1), undefined);
  });

  test("ignores its own echo, and raises its epoch when a later life of its own shows up", () => {
    const bench = started();
    const own = (epoch: number, sequence: number): Uint8Array =>
      signedBeacon(bench.self, { epoch, sequence });
    refused(bench.machine.receive(own(4, 9), forwarder, at(0)), "ignore", "mesh/own");
    const verdict = bench.machine.receive(own(7, 1), forwarder, at(1));
    refused(verdict, "ignore", "mesh/own-ahead");
    assert.ok(verdict.verdict !== "need-identity");
    assert.deepEqual(only(verdict.actions, "epoch-raised"), [{ kind: "epoch-raised", epoch: 8 }]);
    assert.equal(only(verdict.actions, "publish").length, 1);
    assert.equal(bench.machine.epoch, 8);
    const forged = flipped(own(99, 1), -1);
    refused(bench.machine.receive(forged, forwarder, at(2)), "reject", "mesh/bad-signature");
    assert.equal(bench.machine.epoch, 8);
  });
});

describe("equivocation", () => {
  const first = signedBeacon(origin, { load: 0.1 });
  const second = signedBeacon(origin, { load: 0.2 });

  test("is proven by two different beacons of one sequence; the proof convinces a third node", () => {
    const bench = started();
    bench.connect(1, 0);
    accepted(bench.machine.receive(first, forwarder, at(0)));
    const verdict = bench.machine.receive(second, forwarder, at(1));
    refused(verdict, "ignore", "mesh/equivocation");
    assert.ok(verdict.verdict !== "need-identity");
    assert.equal(bench.state(1), "quarantined");
    assert.equal(only(verdict.actions, "disconnect")[0]?.nodeId, origin.nodeId);
    const [published] = only(verdict.actions, "publish");
    assert.ok(published !== undefined && decodeProof(published.bytes).ok);
    refused(bench.machine.receive(published.bytes, forwarder, at(2)), "ignore", "mesh/quarantined");
    refused(
      bench.machine.receive(signedBeacon(origin, { epoch: 9 }), forwarder, at(3)),
      "ignore",
      "mesh/quarantined",
    );

    const third = started();
    accepted(third.machine.receive(published.bytes, forwarder, at(0)));
    assert.equal(third.state(1), "quarantined");
    assert.equal(only(third.connect(1, 1), "disconnect").length, 1);
  });

  test("is also found against the beacon before the newest", () => {
    const bench = started();
    accepted(bench.machine.receive(first, forwarder, at(0)));
    accepted(bench.machine.receive(signedBeacon(origin, { sequence: 2 }), forwarder, at(1)));
    refused(bench.machine.receive(second, forwarder, at(2)), "ignore", "mesh/equivocation");
    assert.equal(bench.state(1), "quarantined");
  });

  test("is not proven by a forged second beacon", () => {
    const bench = started();
    accepted(bench.machine.receive(first, forwarder, at(0)));
    refused(
      bench.machine.receive(flipped(second, -1), forwarder, at(1)),
      "reject",
      "mesh/bad-signature",
    );
    assert.equal(bench.state(1), "joining");
  });

  test("is not the same content signed twice: signatures are hedged", () => {
    const bench = started();
    accepted(bench.machine.receive(first, forwarder, at(0)));
    const again = signedBeacon(origin, { load: 0.1 });
    refused(bench.machine.receive(again, forwarder, at(1)), "ignore", "mesh/duplicate");
    refused(
      bench.machine.receive(encodeProof(first, again), forwarder, at(2)),
      "reject",
      "mesh/not-a-proof",
    );
  });

  test("needs beacons that contradict each other, in the form's order, with valid signatures", () => {
    const other = signedBeacon(origin, { sequence: 2 });
    const bench = started();
    refused(
      bench.machine.receive(encodeProof(first, other), forwarder, at(0)),
      "reject",
      "mesh/not-a-proof",
    );
    const forged = encodeProof(first, flipped(second, -1));
    refused(bench.machine.receive(forged, forwarder, at(0)), "reject", "mesh/bad-signature");
    assert.equal(bench.state(1), undefined);
  });
});

describe("heartbeats", () => {
  test("are accepted once, in order, and prove life", () => {
    const bench = started();
    const chain = chainOf();
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    assert.equal(bench.state(1), "joining");
    accepted(bench.machine.receive(heartbeat(chain, 1), forwarder, at(1000)));
    assert.equal(bench.state(1), "alive");
    refused(
      bench.machine.receive(heartbeat(chain, 1), forwarder, at(1001)),
      "ignore",
      "mesh/heartbeat-replayed",
    );
    accepted(bench.machine.receive(heartbeat(chain, 3), forwarder, at(3000)));
    refused(
      bench.machine.receive(heartbeat(chain, 2), forwarder, at(3001)),
      "ignore",
      "mesh/heartbeat-replayed",
    );
  });

  test("of an unknown node or chain are ignored, and the peer that brought them is asked for more", () => {
    const bench = started();
    const chain = chainOf();
    bench.connect(2, 0);
    const verdict = bench.machine.receive(heartbeat(chain, 1), forwarder, at(2000));
    refused(verdict, "ignore", "mesh/unknown-origin");
    assert.ok(verdict.verdict !== "need-identity");
    assert.deepEqual(only(verdict.actions, "pull-beacons"), [
      { kind: "pull-beacons", nodeId: forwarder },
    ]);
    accepted(bench.machine.receive(withChain(chain), forwarder, at(2001)));
    refused(
      bench.machine.receive(heartbeat(chain, 1, 2), forwarder, at(2002)),
      "ignore",
      "mesh/unknown-chain",
    );
    const beyond = encodeHeartbeat({
      nodeId: origin.nodeId,
      epoch: 1,
      index: 65,
      link: chain.link(1),
    });
    refused(bench.machine.receive(beyond, forwarder, at(2003)), "ignore", "mesh/unknown-chain");
    accepted(bench.machine.receive(heartbeat(chain, 64), forwarder, at(2004)));
  });

  test("with a wrong link are rejected, also a link of another epoch", () => {
    const bench = started();
    const chain = chainOf();
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    const forged = encodeHeartbeat({
      nodeId: origin.nodeId,
      epoch: 1,
      index: 1,
      link: chain.link(2),
    });
    refused(bench.machine.receive(forged, forwarder, at(1)), "reject", "mesh/wrong-link");
    refused(
      bench.machine.receive(heartbeat(chainOf(2), 1), forwarder, at(1)),
      "reject",
      "mesh/wrong-link",
    );
    accepted(bench.machine.receive(heartbeat(chain, 1), forwarder, at(2)));
  });

  test("are followed across a gap of the limit, not of one more", () => {
    const limit = started({ chainStepsMax: 10 });
    const chain = chainOf();
    accepted(limit.machine.receive(withChain(chain), forwarder, at(0)));
    refused(
      limit.machine.receive(heartbeat(chain, 11), forwarder, at(1)),
      "ignore",
      "mesh/heartbeat-too-far",
    );
    accepted(limit.machine.receive(heartbeat(chain, 10), forwarder, at(1)));
  });

  test("later than three intervals move the chain but prove no life", () => {
    for (const [lateMs, life] of [
      [3000, true],
      [3001, false],
    ] as const) {
      const bench = started();
      const chain = chainOf();
      accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
      accepted(bench.machine.receive(heartbeat(chain, 1), forwarder, at(1000)));
      const arrival = 2000 + lateMs;
      accepted(bench.machine.receive(heartbeat(chain, 2), forwarder, at(arrival)));
      const [member] = bench.machine.members();
      assert.equal(member?.heartbeatIndex, 2);
      assert.equal(member.lastAliveAtMs, life ? arrival : 1000, `late by ${lateMs} ms`);
    }
  });

  test("go on in a new chain of the same epoch, and never back to the old one", () => {
    const bench = started();
    const chain = chainOf();
    const next = chainOf(1, 64);
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    accepted(bench.machine.receive(withChain(next, { sequence: 2 }, 64), forwarder, at(1)));
    refused(
      bench.machine.receive(heartbeat(chain, 5), forwarder, at(2)),
      "ignore",
      "mesh/heartbeat-replayed",
    );
    accepted(bench.machine.receive(heartbeat(next, 65, 1, 64), forwarder, at(3)));
  });

  test("of a left node or an old epoch count no more", () => {
    const bench = started();
    const chain = chainOf(2);
    accepted(bench.machine.receive(withChain(chain, { epoch: 2 }), forwarder, at(0)));
    refused(
      bench.machine.receive(heartbeat(chainOf(1), 1), forwarder, at(1)),
      "ignore",
      "mesh/stale-epoch",
    );
    const leaving = withChain(chain, { epoch: 2, sequence: 2, status: "leaving" });
    accepted(bench.machine.receive(leaving, forwarder, at(2)));
    refused(
      bench.machine.receive(heartbeat(chain, 1, 2), forwarder, at(3)),
      "ignore",
      "mesh/stale-epoch",
    );
    assert.equal(bench.state(1), "left");
  });

  test("in the own name are ignored, those of a quarantined node too, and an expired identity ends them", () => {
    const bench = started();
    const chain = chainOf();
    const own = encodeHeartbeat({
      nodeId: bench.self.nodeId,
      epoch: 5,
      index: 9,
      link: chain.link(1),
    });
    refused(bench.machine.receive(own, forwarder, at(0)), "ignore", "mesh/own");
    accepted(bench.machine.receive(withChain(chain), forwarder, at(0)));
    refused(
      bench.machine.receive(heartbeat(chain, 1), forwarder, at(3_600_000)),
      "ignore",
      "mesh/identity-expired",
    );
    bench.machine.receive(withChain(chain, { load: 0.9 }), forwarder, at(1));
    refused(
      bench.machine.receive(heartbeat(chain, 1), forwarder, at(2)),
      "ignore",
      "mesh/quarantined",
    );
  });
});

test("a newcomer of another zone is no concern of this node's, whoever brings its beacon", () => {
  const bench = started();
  const foreign = signedBeacon(origin, { zone: "elsewhere" });
  refused(bench.machine.receive(foreign, forwarder, at(0)), "ignore", "mesh/foreign-zone");
  assert.deepEqual(bench.machine.members(), []);
  bench.connect(1, 1);
  accepted(bench.machine.receive(foreign, forwarder, at(2)));
});

test("every refusal code was red once", () => {
  const inEvidenceTest = ["mesh/evidence-full", "mesh/released", "mesh/outdated-release"];
  const missing = beaconRejectCodes.filter(
    (code) => !seen.has(code) && !inEvidenceTest.includes(code),
  );
  assert.deepEqual(missing, []);
});

test("a forwarder's name is only a key: an unknown one is treated like any", () => {
  accepted(started().machine.receive(signedBeacon(origin), "ff".repeat(32) as NodeId, at(0)));
});
