// Quarantine for good, its end by a release and by nothing else, and false evidence, which hurts only who brings it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, toHex } from "../../../src/foundation/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import {
  decodeProof,
  decodeRelease,
  encodeProof,
  encodeRelease,
  EVIDENCE_MAX,
  type GossipVerdict,
  type MeshAction,
  type Release,
  type StoredEvidence,
} from "../../../src/mesh/index.ts";
import { at, Bench, beaconOf, engine, flipped, only, signedBeacon, testNode } from "./fixture.ts";

const ACCUSED = 1;
const FORWARDER = 2;
const OPERATOR = 3;
const accused = testNode(ACCUSED);
const forwarder = testNode(FORWARDER).nodeId;
const operator = testNode(OPERATOR);
const EPOCH = 7;
const proof = proofOf(EPOCH);

function proofOf(epoch: number): Uint8Array {
  const beacons = [0, 1].map((load) => signedBeacon(accused, { epoch, load }));
  return encodeProof(beacons[0]!, beacons[1]!);
}

function releaseOf(change: Partial<Release> = {}, signer = operator.signer): Uint8Array {
  const release: Release = {
    nodeId: accused.nodeId,
    proofDigest: toHex(engine.sha256(proof)),
    epochFloor: EPOCH + 1,
    issuer: operator.nodeId,
    issuedAtMs: 1_800_000_000_000 as WallMs,
    reason: "the copy of the disk is gone",
    ...change,
  };
  return encodeRelease(release, signer);
}

/** Knows everybody; node 3 may release. */
function judge(evidence: readonly StoredEvidence[] = [], options = {}): Bench {
  const bench = new Bench(options, {}, evidence);
  bench.know(ACCUSED, FORWARDER, OPERATOR);
  bench.releasers.add(operator.identity.spiffeId);
  bench.start();
  return bench;
}

function codeOf(verdict: GossipVerdict): string {
  return verdict.verdict === "need-identity"
    ? `need-identity ${verdict.nodeId}`
    : `${verdict.verdict} ${verdict.code}`;
}

function hear(bench: Bench, bytes: Uint8Array, ms = 1): string {
  return codeOf(bench.machine.receive(bytes, forwarder, at(ms)));
}

function kept(verdict: GossipVerdict): StoredEvidence[] {
  assert.ok(verdict.verdict !== "need-identity");
  return only(verdict.actions, "evidence").flatMap(({ statement }) => statement ?? []);
}

describe("a quarantine", () => {
  test("has no end by itself: not by time, epochs, connections or leaving", () => {
    const bench = judge();
    bench.connect(ACCUSED, 0);
    assert.equal(hear(bench, proof), "accept proof");
    bench.disconnect(ACCUSED, 2);
    bench.tick("detector", 100 * 86_400_000);
    assert.equal(bench.state(ACCUSED), "quarantined");
    for (const change of [{ epoch: 99 }, { epoch: 100, status: "leaving" as const }])
      assert.equal(hear(bench, signedBeacon(accused, change)), "ignore mesh/quarantined");
    assert.equal(only(bench.connect(ACCUSED, 5), "disconnect").length, 1);
    assert.ok(bench.machine.isQuarantined(accused.nodeId));
  });

  test("outlives the machine by the evidence that it gave out, from before the start on", () => {
    const first = judge();
    const evidence = kept(first.machine.receive(proof, forwarder, at(5)));
    assert.deepEqual(
      evidence.map(({ atMs }) => atMs),
      [at(5).wallMs],
    );
    const again = new Bench({}, {}, evidence);
    assert.ok(again.machine.isQuarantined(accused.nodeId));
    again.start();
    assert.equal(again.state(ACCUSED), "quarantined");
    assert.equal(again.meter.value("meshd_mesh_peers", { state: "quarantined" }), 1);
    assert.equal(again.meter.value("meshd_mesh_equivocations_total"), 0);
    again.know(ACCUSED);
    assert.equal(hear(again, signedBeacon(accused, { epoch: 99 })), "ignore mesh/quarantined");
  });

  test("does not start on a statement that cannot be read", () => {
    for (const bytes of [new Uint8Array(0), proof.subarray(1), releaseOf().subarray(0, -1)]) {
      assert.throws(() => new Bench({}, {}, [{ bytes, atMs: 0 as WallMs }]), {
        code: "mesh/bad-evidence",
        message: /Restore a backup/,
      });
    }
  });

  test("shows what was contradicted and where the two are", () => {
    const bench = judge();
    const twice = ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"].map((address) =>
      signedBeacon(accused, { epoch: EPOCH, addresses: [address] }),
    );
    hear(bench, encodeProof(twice[0]!, twice[1]!));
    const [view] = bench.machine.quarantine();
    assert.deepEqual(
      [view?.state, view?.proof?.epoch, view?.proof?.sequence],
      ["quarantined", EPOCH, 1],
    );
    assert.deepEqual(view?.proof?.addresses.flat().sort(), [
      "/ip4/192.0.2.1/tcp/1",
      "/ip4/192.0.2.2/tcp/1",
    ]);
  });
});

describe("a release", () => {
  test("lets the node come back with an epoch of the floor, not of one less", () => {
    const bench = judge();
    hear(bench, proof);
    assert.equal(hear(bench, releaseOf()), "accept release");
    assert.equal(bench.state(ACCUSED), undefined);
    assert.equal(bench.machine.isQuarantined(accused.nodeId), false);
    assert.equal(hear(bench, signedBeacon(accused, { epoch: EPOCH })), "ignore mesh/stale-epoch");
    assert.equal(bench.state(ACCUSED), undefined);
    assert.equal(hear(bench, signedBeacon(accused, { epoch: EPOCH + 1 })), "accept state");
    assert.deepEqual(only(bench.connect(ACCUSED, 3), "disconnect"), []);
    assert.equal(bench.state(ACCUSED), "alive");
  });

  test("ends the old proofs, and a contradiction after it is a new quarantine", () => {
    const bench = judge();
    hear(bench, proof);
    hear(bench, releaseOf({ epochFloor: EPOCH + 5 }));
    assert.equal(hear(bench, proof), "ignore mesh/released");
    assert.equal(hear(bench, proofOf(EPOCH + 4)), "ignore mesh/released");
    assert.equal(hear(bench, proofOf(EPOCH + 5)), "accept proof");
    assert.equal(bench.state(ACCUSED), "quarantined");
    assert.equal(hear(bench, releaseOf({ epochFloor: EPOCH + 5 })), "ignore mesh/outdated-release");
    assert.equal(hear(bench, releaseOf({ epochFloor: EPOCH + 6 })), "accept release");
  });

  test("may come before the proof that it is about", () => {
    const bench = judge();
    assert.equal(hear(bench, releaseOf()), "accept release");
    assert.equal(hear(bench, proof), "ignore mesh/released");
    assert.equal(bench.state(ACCUSED), undefined);
  });

  test("is taken once, and an older one never", () => {
    const bench = judge();
    hear(bench, proof);
    const release = releaseOf({ epochFloor: EPOCH + 2 });
    assert.equal(hear(bench, release), "accept release");
    assert.equal(hear(bench, release), "ignore mesh/duplicate");
    assert.equal(hear(bench, releaseOf({ epochFloor: EPOCH + 1 })), "ignore mesh/duplicate");
    assert.equal(hear(bench, releaseOf({ epochFloor: EPOCH + 3 })), "accept release");
  });

  test("counts from those alone whom the policy gives mesh.release, and bars nobody from anything else", () => {
    const bench = judge();
    hear(bench, proof);
    bench.releasers.clear();
    assert.equal(hear(bench, releaseOf()), "ignore mesh/not-allowed");
    assert.equal(bench.state(ACCUSED), "quarantined");
    assert.equal(hear(bench, signedBeacon(operator)), "accept state");
    bench.releasers.add(operator.identity.spiffeId);
    assert.equal(hear(bench, releaseOf()), "accept release");
  });

  test("asks for the issuer's identity, and wants it unexpired and out of quarantine", () => {
    const bench = judge();
    hear(bench, proof);
    bench.directory.delete(operator.nodeId);
    assert.equal(hear(bench, releaseOf()), `need-identity ${operator.nodeId}`);
    bench.know(OPERATOR);
    assert.equal(hear(bench, releaseOf(), 3_600_000), "ignore mesh/identity-expired");
    const lies = [0, 1].map((load) => signedBeacon(operator, { load }));
    assert.equal(hear(bench, encodeProof(lies[0]!, lies[1]!)), "accept proof");
    assert.equal(hear(bench, releaseOf()), "ignore mesh/quarantined");
  });

  test("with a changed byte, or signed by another, is rejected", () => {
    const bench = judge();
    hear(bench, proof);
    assert.equal(hear(bench, releaseOf({}, accused.signer)), "reject mesh/bad-signature");
    const release = releaseOf();
    const floorLowByte = 2 + 32 + 32 + 3;
    for (const offset of [floorLowByte, -1])
      assert.equal(hear(bench, flipped(release, offset)), "reject mesh/bad-signature");
    assert.equal(bench.state(ACCUSED), "quarantined");
    // A beacon's signature is no release's, whoever signed it: the context differs.
    const beacon = signedBeacon(operator);
    const stolen = concatBytes(release.subarray(0, -3309), beacon.subarray(-3309));
    assert.equal(hear(bench, stolen), "reject mesh/bad-signature");
  });

  test("cannot be one's own", () => {
    const { nodeId } = accused;
    assert.throws(() => releaseOf({ issuer: nodeId }, accused.signer), {
      code: "mesh/bad-release",
    });
    const own = releaseOf();
    own.set(Uint8Array.fromHex(nodeId), 2 + 32 + 32 + 4);
    assert.equal(hear(judge(), own), "reject mesh/malformed");
  });

  test("is signed for a node in quarantine alone, with a floor above its epochs and the time", () => {
    const bench = judge();
    const { machine } = bench;
    const refused = (nodeId = accused.nodeId, reason = "checked") =>
      machine.release(nodeId, reason, at(10));
    assert.deepEqual(refused(), { ok: false, code: "mesh/not-quarantined" });
    hear(bench, proof);
    for (const reason of ["", " led by a space", "two\nlines", "r".repeat(201), "ü"])
      assert.deepEqual(refused(accused.nodeId, reason), { ok: false, code: "mesh/bad-release" });
    const released = machine.release(accused.nodeId, "r".repeat(200), at(10));
    assert.ok(released.ok);
    assert.equal(bench.state(ACCUSED), undefined);
    const [published] = only(released.value, "publish");
    const decoded = decodeRelease(published!.bytes);
    assert.ok(decoded.ok);
    const { epochFloor, proofDigest, issuer } = decoded.value.release;
    assert.equal(epochFloor, Math.floor(at(10).wallMs / 1000) + 1);
    assert.equal(proofDigest, toHex(engine.sha256(proof)));
    assert.equal(issuer, bench.self.nodeId);
    assert.deepEqual(refused(), { ok: false, code: "mesh/not-quarantined" });

    const third = judge();
    third.directory.set(bench.self.nodeId, bench.self.identity);
    third.releasers.add(bench.self.identity.spiffeId);
    hear(third, proof);
    assert.equal(hear(third, published!.bytes), "accept release");
  });

  test("is impossible for a node that used its last epoch", () => {
    const bench = judge();
    hear(bench, proofOf(0xffff_ffff));
    const outcome = bench.machine.release(accused.nodeId, "checked", at(1));
    assert.deepEqual(outcome, { ok: false, code: "mesh/epochs-used-up" });
  });

  test("of the own node lifts its epoch to the floor", () => {
    const bench = judge();
    const own = releaseOf({ nodeId: bench.self.nodeId, epochFloor: 9 });
    const verdict = bench.machine.receive(own, forwarder, at(1));
    assert.equal(codeOf(verdict), "accept release");
    assert.ok(verdict.verdict === "accept");
    assert.deepEqual(only(verdict.actions, "epoch-raised"), [{ kind: "epoch-raised", epoch: 9 }]);
    assert.equal(bench.machine.epoch, 9);
    hear(bench, releaseOf({ nodeId: bench.self.nodeId, epochFloor: 9 }));
    assert.equal(bench.machine.epoch, 9);
  });

  test("outlives the machine, too", () => {
    const first = judge();
    hear(first, proof);
    const evidence = kept(first.machine.receive(releaseOf(), forwarder, at(2)));
    const again = judge(evidence);
    assert.equal(hear(again, proof), "ignore mesh/released");
    const [view] = again.machine.quarantine();
    assert.deepEqual(
      [view?.state, view?.release?.reason],
      ["released", "the copy of the disk is gone"],
    );
  });

  test("that is behind the proof is answered with the proof", () => {
    const bench = judge();
    const later = proofOf(EPOCH + 3);
    hear(bench, later);
    const verdict = bench.machine.receive(releaseOf(), forwarder, at(2));
    assert.equal(codeOf(verdict), "ignore mesh/outdated-release");
    assert.ok(verdict.verdict !== "need-identity");
    assert.deepEqual(only(verdict.actions, "publish")[0]?.bytes, later);
  });
});

describe("pulling evidence", () => {
  /** What the second lacks of the first, heard by the second. */
  function sync(from: Bench, to: Bench): number {
    const missing = from.machine.beaconsMissingFrom(to.machine.beaconDigest());
    const statements = missing.filter((bytes) => bytes[0] === 3 || bytes[0] === 4);
    for (const bytes of statements) to.machine.receive(bytes, forwarder, at(9));
    return statements.length;
  }
  const states = (bench: Bench): string[] => bench.machine.quarantine().map(({ state }) => state);

  test("brings proofs and releases to newcomers, once", () => {
    const source = judge();
    hear(source, proof);
    const newcomer = judge();
    assert.deepEqual([sync(source, newcomer), sync(source, newcomer)], [1, 0]);
    assert.deepEqual(states(newcomer), ["quarantined"]);
    hear(source, releaseOf());
    assert.equal(sync(newcomer, source), 0, "the released one takes no older proof");
    assert.deepEqual([sync(source, newcomer), sync(source, newcomer)], [1, 0]);
    assert.deepEqual(states(newcomer), ["released"]);
    const later = judge();
    assert.deepEqual([sync(source, later), sync(source, later)], [1, 0]);
    assert.deepEqual(states(later), ["released"]);
  });

  test("lets views that differ agree, whichever way it goes", () => {
    const one = judge();
    const other = judge();
    hear(one, proof);
    hear(one, releaseOf({ epochFloor: EPOCH + 1 }));
    hear(other, proofOf(EPOCH + 3));
    assert.deepEqual([sync(one, other), sync(other, one)], [0, 1]);
    assert.deepEqual([states(one), states(other)], [["quarantined"], ["quarantined"]]);
    hear(one, releaseOf({ epochFloor: EPOCH + 9 }));
    assert.equal(sync(one, other), 1);
    assert.deepEqual(states(other), ["released"]);
  });

  test("tells who knew a node that it left, and nobody else", () => {
    const source = judge();
    const witness = judge();
    for (const bench of [source, witness]) hear(bench, signedBeacon(accused));
    hear(source, signedBeacon(accused, { sequence: 2, status: "leaving" }));
    const missing = source.machine.beaconsMissingFrom(witness.machine.beaconDigest());
    assert.equal(missing.length, 1);
    for (const bytes of missing) witness.machine.receive(bytes, forwarder, at(9));
    assert.equal(witness.state(ACCUSED), "left");
    assert.deepEqual(source.machine.beaconsMissingFrom(judge().machine.beaconDigest()), []);
  });
});

describe("false evidence", () => {
  const first = signedBeacon(accused, { epoch: EPOCH, load: 0 });
  const second = signedBeacon(accused, { epoch: EPOCH, load: 1 });
  const cases: [what: string, bytes: Uint8Array, code: string][] = [
    ["one beacon twice", encodeProof(first, first), "reject mesh/not-a-proof"],
    [
      "one content signed twice",
      encodeProof(first, signedBeacon(accused, { epoch: EPOCH, load: 0 })),
      "reject mesh/not-a-proof",
    ],
    [
      "two sequences",
      encodeProof(first, signedBeacon(accused, { epoch: EPOCH, sequence: 2 })),
      "reject mesh/not-a-proof",
    ],
    [
      "two epochs",
      encodeProof(first, signedBeacon(accused, { epoch: EPOCH + 1 })),
      "reject mesh/not-a-proof",
    ],
    [
      "beacons of two nodes",
      encodeProof(first, signedBeacon(testNode(5), { epoch: EPOCH })),
      "reject mesh/not-a-proof",
    ],
    ["a forged first", encodeProof(flipped(first, -1), second), "reject mesh/bad-signature"],
    ["a forged second", encodeProof(first, flipped(second, -1)), "reject mesh/bad-signature"],
    [
      "a beacon signed by its accuser",
      encodeProof(
        first,
        signedBeacon({ ...accused, signer: testNode(FORWARDER).signer }, { epoch: EPOCH, load: 1 }),
      ),
      "reject mesh/bad-signature",
    ],
    ["nonsense", concatBytes(Uint8Array.of(3, 1), new Uint8Array(9000)), "reject mesh/malformed"],
    ["a proof and a byte", concatBytes(proof, Uint8Array.of(0)), "reject mesh/malformed"],
  ];
  for (const [what, bytes, code] of cases) {
    test(`of ${what} is rejected, and nothing is held against the accused`, () => {
      const bench = judge();
      bench.connect(ACCUSED, 0);
      hear(bench, signedBeacon(accused, { epoch: EPOCH - 1 }));
      const before = bench.state(ACCUSED);
      const verdict = bench.machine.receive(bytes, forwarder, at(1));
      assert.equal(codeOf(verdict), code);
      const actions: readonly MeshAction[] =
        verdict.verdict === "need-identity" ? [] : verdict.actions;
      assert.deepEqual(actions, []);
      assert.equal(bench.state(ACCUSED), before);
      assert.deepEqual(bench.machine.quarantine(), []);
    });
  }

  test("against the own node is nobody's business here", () => {
    const bench = judge();
    const lies = [0, 1].map((load) => signedBeacon(bench.self, { load }));
    assert.equal(hear(bench, encodeProof(lies[0]!, lies[1]!)), "ignore mesh/own");
  });
});

describe("the room for evidence", () => {
  /** A statement that was verified in an earlier life; nobody looks at its signatures again. */
  function stored(number: number, kind: "proof" | "release"): StoredEvidence {
    const nodeId = toHex(
      engine.sha256(Uint8Array.of(number & 255, number >> 8)),
    ) as typeof accused.nodeId;
    const signer = { ...operator.signer, sign: () => new Uint8Array(3309) };
    if (kind === "release") return { bytes: releaseOf({ nodeId }, signer), atMs: 0 as WallMs };
    const [one, other] = [0, 1].map((load) => {
      const node = { ...accused, nodeId, signer };
      return signedBeacon(node, { ...beaconOf(node), load });
    });
    return { bytes: encodeProof(one!, other!), atMs: 0 as WallMs };
  }
  const many = (count: number): StoredEvidence[] =>
    Array.from({ length: count }, (_, number) => stored(number, "proof"));

  test("takes one more up to the limit", () => {
    const bench = judge(many(EVIDENCE_MAX - 1));
    assert.equal(hear(bench, proof), "accept proof");
    assert.ok(bench.machine.isQuarantined(accused.nodeId));
  });

  test("when full keeps every quarantine, and refuses the next", () => {
    const bench = judge(many(EVIDENCE_MAX));
    assert.equal(hear(bench, proof), "ignore mesh/evidence-full");
    assert.equal(hear(bench, releaseOf()), "ignore mesh/evidence-full");
    assert.equal(bench.machine.quarantine().length, EVIDENCE_MAX);
  });

  test("when full gives up the longest released for the next", () => {
    const released = stored(9999, "release");
    const bench = judge([released, ...many(EVIDENCE_MAX - 1)]);
    const verdict = bench.machine.receive(proof, forwarder, at(1));
    assert.equal(codeOf(verdict), "accept proof");
    assert.ok(verdict.verdict !== "need-identity");
    const dropped = only(verdict.actions, "evidence").filter(({ statement }) => !statement);
    assert.equal(dropped.length, 1);
    assert.equal(bench.machine.quarantine().length, EVIDENCE_MAX);
  });
});

test("a proof as published decodes to what was contradicted", () => {
  const decoded = decodeProof(proof);
  assert.ok(decoded.ok);
  assert.deepEqual(
    [decoded.value.proof.nodeId, decoded.value.proof.epoch],
    [accused.nodeId, EPOCH],
  );
});
