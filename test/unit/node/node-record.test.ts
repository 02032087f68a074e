import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isMeshError } from "../../../src/foundation/index.ts";
import { ChainVerifier, type NodeId, type PeerIdentity } from "../../../src/identity/index.ts";
import {
  type NodeFacts,
  NodeRecords,
  RECORD_BYTES_MAX,
  RECORD_LIFE_MS,
} from "../../../src/node/node-record.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import {
  after,
  DAY_MS,
  type Domain,
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
} from "../identity/support.ts";

const domain = makeDomain();
const SKEW_MS = 1_000;
const keys = nodeKeys("far");
const facts: NodeFacts = {
  epoch: 7,
  sequence: 3,
  zone: "tokyo",
  addresses: ["/ip4/10.0.0.1/tcp/4001", `/dns4/${"a".repeat(113)}/tcp/1`],
};

/** Records as a node of `of` sees them, at a moment that the test moves. */
function setUp(of: Domain = domain) {
  const time = { wallMs: NOW, monoMs: 0 as MonoMs };
  const verifier = new ChainVerifier({ engine, meter: memoryMeter() }, of.bundle, {
    clockSkewMs: SKEW_MS,
  });
  const verify = (chain: readonly Uint8Array[], ed25519: Uint8Array) =>
    verifier.verify({ chain, ed25519, now: time.wallMs });
  const records = new NodeRecords({
    engine,
    verify,
    clock: { now: () => time },
    clockSkewMs: SKEW_MS,
  });
  return { records, time, verify };
}

function identityOf(of: Domain, name = "far", ofKeys = keys): PeerIdentity {
  const chain = issue(of, name, ofKeys);
  const verified = setUp(of).verify(chain, ofKeys.ed25519.publicKey);
  assert.ok(verified.ok);
  return verified.value;
}

const far = identityOf(domain);
const { records: maker } = setUp();
const make = (more: Partial<NodeFacts> = {}): Uint8Array =>
  maker.make(keys.mldsa65, far, { ...facts, ...more });
const KEY = maker.keyOfNode(far.nodeId);

function codeOf(work: () => unknown): string {
  try {
    work();
    return "ok";
  } catch (error) {
    assert.ok(isMeshError(error), String(error));
    return error.code;
  }
}

describe("a node's record", () => {
  test("says under its NodeId and its SPIFFE id what the node said, and under no other key", () => {
    const { records } = setUp();
    for (const key of [KEY, records.keyOfSpiffeId(far.spiffeId)]) {
      const { identity, expiresAtMs, ...said } = records.open(key, make());
      assert.deepEqual(said, facts);
      assert.deepEqual([identity.nodeId, expiresAtMs], [far.nodeId, NOW + RECORD_LIFE_MS]);
    }
    for (const key of [
      records.keyOfNode("0".repeat(64) as NodeId),
      records.keyOfSpiffeId("spiffe://mesh.example/node/other"),
    ])
      assert.equal(
        codeOf(() => records.open(key, make())),
        "node/record-misplaced",
      );
  });

  test("is refused when another key has signed it, or a byte of it was changed", () => {
    const { records } = setUp();
    const forged = records.make(nodeKeys("liar").mldsa65, far, facts);
    assert.equal(
      codeOf(() => records.open(KEY, forged)),
      "node/record-forged",
    );
    const moved = make();
    const zoneAt = Buffer.from(moved).indexOf("tokyo");
    moved[zoneAt] = "k".charCodeAt(0);
    assert.equal(
      codeOf(() => records.open(KEY, moved)),
      "node/record-forged",
    );
  });

  test("is refused when it is older than one that was seen, and taken when it is the same or newer", () => {
    const { records } = setUp();
    const admit = (more: Partial<NodeFacts>): string =>
      codeOf(() => records.admit(KEY, make(more)));
    assert.deepEqual(
      [
        {},
        {},
        { sequence: 2 },
        { epoch: 6, sequence: 99 },
        { sequence: 4 },
        {},
        { epoch: 8, sequence: 0 },
      ].map(admit),
      ["ok", "ok", "node/record-stale", "node/record-stale", "ok", "node/record-stale", "ok"],
    );
    assert.equal(
      records.select(KEY, [make(), make({ epoch: 8 }), Uint8Array.of(1), make({ sequence: 9 })]),
      1,
    );
    assert.equal(records.select(KEY, [Uint8Array.of(1)]), 0);
  });

  test("is refused after its end and before its time, and with an SVID that has expired", () => {
    const { records, time } = setUp();
    const record = make();
    const at = (deltaMs: number, bytes = record): string => {
      time.wallMs = after(deltaMs);
      return codeOf(() => records.open(KEY, bytes));
    };
    assert.equal(at(RECORD_LIFE_MS + SKEW_MS), "ok");
    assert.equal(at(RECORD_LIFE_MS + SKEW_MS + 1), "node/record-expired");
    assert.equal(at(-SKEW_MS), "ok");
    assert.equal(at(-SKEW_MS - 1), "node/record-expired");
    time.wallMs = after(30 * DAY_MS);
    const late = records.make(keys.mldsa65, far, facts);
    assert.equal(at(30 * DAY_MS, late), "node/record-untrusted");
  });

  test("is refused from another trust domain", () => {
    const { records } = setUp();
    for (const other of [
      makeDomain({ seed: "elsewhere", trustDomain: "other.example" }),
      makeDomain({ seed: "impostor" }),
    ]) {
      const foreign = identityOf(other);
      const record = records.make(keys.mldsa65, foreign, facts);
      assert.equal(
        codeOf(() => records.open(KEY, record)),
        "node/record-untrusted",
      );
    }
  });

  test("is refused when it is too long, or one field or byte is too many", () => {
    const { records } = setUp();
    const tooLong = new Uint8Array(RECORD_BYTES_MAX + 1);
    assert.equal(
      codeOf(() => records.open(KEY, tooLong)),
      "node/record-too-large",
    );
    const open = (bytes: Uint8Array): string => codeOf(() => records.open(KEY, bytes));
    assert.equal(open(tooLong.subarray(1)), "node/record-malformed");
    const full = Array.from({ length: 8 }, (_, at) => `/ip4/10.0.0.${at}/tcp/1`);
    assert.equal(open(make({ addresses: full })), "ok");
    for (const bad of [
      { addresses: [...full, "/ip4/10.0.0.9/tcp/1"] },
      { addresses: ["x".repeat(129)] },
      { addresses: ["two words"] },
      { zone: "z".repeat(65) },
    ])
      assert.equal(open(make(bad)), "node/record-malformed", JSON.stringify(bad));
    assert.equal(open(Uint8Array.of(...make(), 0)), "node/record-malformed");
  });

  test("never ends in anything but a refusal, whatever bytes come", () => {
    const { records } = setUp();
    const good = make();
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length))
        .map(([at, byte, length]) => good.with(at, byte).subarray(0, length)),
    );
    fc.assert(
      fc.property(damaged, (bytes) => {
        const code = codeOf(() => records.open(KEY, bytes));
        return code.startsWith("node/record-") || Buffer.from(bytes).equals(good);
      }),
      { numRuns: 300 },
    );
  });
});
