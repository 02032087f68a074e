import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import { encodeIdentityRecord, NodeIdentities } from "../../../src/node/identity-directory.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

const node = (digit: string): NodeId => digit.repeat(64) as NodeId;
const self = node("0");

function identity(nodeId: NodeId, notAfterMs = 1_000): PeerIdentity {
  return {
    nodeId,
    spiffeId: "spiffe://a.mesh/node/n",
    trustDomain: "a.mesh",
    name: "n",
    ed25519: new Uint8Array(32).fill(7),
    mldsa65: new Uint8Array(1952),
    chain: [Uint8Array.of(1, 2, 3), Uint8Array.of(4)],
    notBeforeMs: 0 as WallMs,
    notAfterMs: notAfterMs as WallMs,
    serialNumber: "01",
  };
}

/** A directory whose sources and clock the test plays. */
function directory(
  sources: {
    asked?: (from: NodeId) => Promise<Uint8Array>;
    found?: () => Promise<PeerIdentity>;
    /** First byte of keys that do not verify. */
    distrusted?: number;
  } = {},
) {
  const time = { monoMs: 0 as MonoMs, wallMs: 0 as WallMs };
  const nothing = (): Promise<never> => Promise.reject(new Error("nothing"));
  const ignore = (): undefined => undefined;
  const asked: NodeId[] = [];
  const identities = new NodeIdentities({
    verify: (chain, ed25519) =>
      sources.distrusted === ed25519[0]
        ? { ok: false, code: "identity/untrusted" }
        : {
            ok: true,
            value: { ...identity(node(String(chain[0]?.[0] ?? 0))), chain, ed25519 },
          },
    request: (from) => {
      asked.push(from);
      return (sources.asked ?? nothing)(from);
    },
    find: sources.found ?? nothing,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    clock: { now: () => time },
    toleranceMs: 10,
    self,
  });
  return { identities, time, asked };
}

describe("the directory of verified identities", () => {
  test("answers with a record that opens to the same identity, under its own id only", () => {
    const { identities } = directory();
    const record = encodeIdentityRecord(identity(node("1")));
    assert.equal(identities.open(node("1"), record).nodeId, node("1"));
    assert.throws(() => identities.open(node("2"), record), { code: "node/identity-unknown" });
    assert.throws(() => identities.open(node("1"), record.subarray(0, -1)), {
      code: "bytes/truncated",
    });
  });

  test("fetches from the forwarder, and from the DHT when that has nothing", async () => {
    const record = encodeIdentityRecord(identity(node("1")));
    const near = directory({ asked: () => Promise.resolve(record) });
    assert.equal(await near.identities.fetch(node("1"), node("9")), true);
    assert.deepEqual(near.asked, [node("9")]);
    const far = directory({ found: () => Promise.resolve(identity(node("1"))) });
    assert.equal(await far.identities.fetch(node("1"), node("9")), true);
    assert.equal(far.identities.lookup(node("1"))?.nodeId, node("1"));
  });

  test("does not ask again for a node that could not be fetched until some time has passed", async () => {
    const { identities, time, asked } = directory();
    for (const [ms, requests] of [
      [0, 1],
      [9_999, 1],
      [10_000, 2],
    ] as const) {
      time.monoMs = ms as MonoMs;
      assert.equal(await identities.fetch(node("1"), node("9")), false);
      assert.equal(asked.length, requests, `at ${ms} ms`);
    }
  });

  test("waits for four nodes through one silent peer, refuses a fifth, and still asks another peer", async () => {
    const silent = new Promise<Uint8Array>(() => undefined);
    const record = encodeIdentityRecord(identity(node("1")));
    const { identities, asked } = directory({
      asked: (from) => (from === node("9") ? silent : Promise.resolve(record)),
    });
    for (const id of ["2", "3", "4", "5"]) void identities.fetch(node(id), node("9"));
    assert.equal(await identities.fetch(node("6"), node("9")), false);
    assert.equal(asked.length, 4);
    assert.equal(await identities.fetch(node("1"), node("8")), true);
  });

  test("gives an expired identity for as long as clocks may differ, and not a moment longer", () => {
    const { identities, time } = directory();
    identities.add(identity(node("1"), 1_000));
    time.wallMs = 1_010 as WallMs;
    assert.ok(identities.lookup(node("1")));
    time.wallMs = 1_011 as WallMs;
    assert.equal(identities.lookup(node("1")), undefined);
  });

  test("takes the own identity anew even when it is valid for less", () => {
    const { identities } = directory();
    identities.add(identity(self, 2_000));
    identities.add(identity(self, 1_000));
    assert.equal(identities.lookup(self)?.notAfterMs, 2_000);
    identities.renewed(identity(self, 1_000));
    assert.equal(identities.lookup(self)?.notAfterMs, 1_000);
  });

  test("forgets who no longer verifies, and itself never", () => {
    const sources = { distrusted: 0 };
    const { identities } = directory(sources);
    const other = { ...identity(node("2")), ed25519: new Uint8Array(32).fill(8) };
    for (const one of [identity(self), identity(node("1")), other]) identities.add(one);
    sources.distrusted = 7;
    identities.recheck();
    const known = [self, node("1"), node("2")].map((id) => identities.lookup(id) !== undefined);
    assert.deepEqual(known, [true, false, true]);
  });

  test("keeps the identity that is valid for longer", () => {
    const { identities } = directory();
    identities.add(identity(node("1"), 2_000));
    identities.add(identity(node("1"), 1_000));
    assert.equal(identities.lookup(node("1"))?.notAfterMs, 2_000);
  });
});
