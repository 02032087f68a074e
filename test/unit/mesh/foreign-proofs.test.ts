// Proofs of another protocol: the mesh judges them by the same rules as its own, and they hurt only whom they convict or who made
// them up.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, utf8Bytes } from "../../../src/foundation/index.ts";
import {
  encodeForeignProof,
  encodeRelease,
  type ForeignProof,
  type GossipVerdict,
  type MeshAction,
  type StoredEvidence,
} from "../../../src/mesh/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import { at, Bench, flipped, only, testNode } from "./fixture.ts";

const [ACCUSED, FORWARDER, OPERATOR] = [1, 2, 3];
const accused = testNode(1);
const forwarder = testNode(2).nodeId;
const operator = testNode(3);
const CREATED_AT = 1_700_000_000;
const about = { message: "header", task: "ab".repeat(32), round: 3 };

/** A protocol whose proofs are a number: what each says stands here. */
const protocol = new Map<number, ForeignProof>();
const context = utf8Bytes("another protocol");

function proofOf(epoch: number, author = accused, signer = accused.signer): Uint8Array {
  const parts = [1, 2].map((content) => {
    const signed = Uint8Array.of(content, protocol.size);
    return { signed, signature: signer.sign(signed, context) };
  });
  const number = protocol.size;
  protocol.set(number, { nodeId: author.nodeId, epoch, parts, context, about });
  return encodeForeignProof(Uint8Array.of(number));
}

function judge(evidence: readonly StoredEvidence[] = []): Bench {
  const bench = new Bench({}, {}, evidence, ([number]) => protocol.get(number ?? -1));
  bench.know(ACCUSED, FORWARDER, OPERATOR);
  bench.releasers.add(operator.identity.spiffeId);
  bench.start();
  return bench;
}

function hear(bench: Bench, bytes: Uint8Array, actions: MeshAction[] = []): string {
  const verdict: GossipVerdict = bench.machine.receive(bytes, forwarder, at(1));
  if (verdict.verdict === "need-identity") return verdict.verdict;
  actions.push(...verdict.actions);
  return `${verdict.verdict} ${verdict.code}`;
}

const proof = proofOf(CREATED_AT);
const releaseFrom = (epochFloor: number): Uint8Array =>
  encodeRelease(
    {
      ...{ nodeId: accused.nodeId, proofDigest: "cd".repeat(32), epochFloor },
      ...{ issuer: operator.nodeId, issuedAtMs: 1 as WallMs, reason: "checked" },
    },
    operator.signer,
  );

describe("a proof of another protocol", () => {
  test("puts its subject into quarantine, hangs up, is kept and shown", () => {
    const bench = judge();
    bench.connect(ACCUSED, 0);
    const actions: MeshAction[] = [];
    assert.equal(hear(bench, proof, actions), "accept proof");
    assert.equal(bench.state(ACCUSED), "quarantined");
    assert.equal(only(actions, "disconnect").length, 1);
    const [kept] = only(actions, "evidence");
    assert.deepEqual(kept?.statement?.bytes, proof);
    const [view] = bench.machine.quarantine();
    assert.deepEqual(
      [view?.state, view?.proof, view?.roundProof],
      ["quarantined", undefined, about],
    );
    assert.equal(bench.meter.value("meshd_mesh_equivocations_total"), 1);
    const again = judge([{ bytes: proof, atMs: 0 as WallMs }]);
    assert.ok(again.machine.isQuarantined(accused.nodeId));
  });

  test("is taken once, and comes to newcomers with their first pull", () => {
    const [bench, newcomer] = [judge(), judge()];
    assert.equal(hear(bench, proof), "accept proof");
    assert.equal(hear(bench, proof), "ignore mesh/quarantined");
    const missing = bench.machine.beaconsMissingFrom(newcomer.machine.beaconDigest());
    const codes = missing.map((bytes) => hear(newcomer, bytes));
    assert.ok(codes.includes("accept proof"), codes.join());
    const rest = bench.machine.beaconsMissingFrom(newcomer.machine.beaconDigest());
    assert.ok(!rest.some((bytes) => bytes[0] === proof[0]), "it has it");
  });

  test("ends with a release above its age, not with one of its age", () => {
    const bench = judge();
    hear(bench, proof);
    assert.equal(hear(bench, releaseFrom(CREATED_AT)), "ignore mesh/outdated-release");
    assert.equal(hear(bench, releaseFrom(CREATED_AT + 1)), "accept release");
    assert.equal(hear(bench, proof), "ignore mesh/released");
    assert.equal(hear(bench, proofOf(CREATED_AT)), "ignore mesh/released", "of an older task, too");
    assert.equal(hear(bench, proofOf(CREATED_AT + 1)), "accept proof");
  });

  test("is released by an operator with a floor above it", () => {
    const bench = judge();
    hear(bench, proof);
    const released = bench.machine.release(accused.nodeId, "checked", at(10));
    assert.ok(released.ok);
    assert.equal(hear(bench, proof), "ignore mesh/released");
  });

  test("waits for the identity, and its signatures can be verified elsewhere", () => {
    const bench = judge();
    bench.directory.delete(accused.nodeId);
    assert.equal(hear(bench, proof), "need-identity");
    bench.know(ACCUSED);
    const deferred = bench.machine.receive(proof, forwarder, at(1), "defer");
    assert.ok(deferred.verdict === "need-signature");
    assert.deepEqual(
      deferred.jobs.map((job) => [job.publicKey, job.context]),
      [1, 2].map(() => [accused.identity.mldsa65, context]),
    );
    assert.equal(bench.state(ACCUSED), undefined, "nothing is believed yet");
  });
});

describe("a false proof of another protocol", () => {
  const cases: [what: string, bytes: Uint8Array, code: string][] = [
    [
      "signed by its author",
      proofOf(CREATED_AT, accused, testNode(FORWARDER).signer),
      "bad-signature",
    ],
    ["that its room cannot read", encodeForeignProof(Uint8Array.of(250)), "not-a-proof"],
    ["of another version", flipped(proof, 1), "malformed"],
    ["that is too large", encodeForeignProof(new Uint8Array(16 * 1024 - 1)), "too-large"],
    ["of nothing", encodeForeignProof(new Uint8Array(0)), "not-a-proof"],
  ];
  for (const [what, bytes, code] of cases)
    test(`${what} is rejected, and hurts who brought it alone`, () => {
      const bench = judge();
      const actions: MeshAction[] = [];
      assert.equal(hear(bench, bytes, actions), `reject mesh/${code}`);
      assert.deepEqual([actions, bench.machine.quarantine()], [[], []]);
      assert.equal(bench.machine.reputation(accused.nodeId), 0);
      assert.ok(bench.machine.reputation(forwarder) <= -49, "false evidence");
    });

  test("of the largest size is read, and proves nothing without a reader", () => {
    const largest = concatBytes(proof, new Uint8Array(16 * 1024 - proof.length));
    assert.equal(hear(judge(), largest), "accept proof");
    const deaf = new Bench();
    deaf.know(ACCUSED);
    deaf.start();
    assert.equal(hear(deaf, proof), "reject mesh/not-a-proof");
  });

  test("against the own node is nobody's business here", () => {
    const bench = judge();
    assert.equal(
      hear(bench, proofOf(CREATED_AT, bench.self, bench.self.signer)),
      "ignore mesh/own",
    );
  });
});
