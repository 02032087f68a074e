import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import type { MemberView } from "../../../src/mesh/index.ts";
import { Rejoin } from "../../../src/node/rejoin.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

const nothing = (): undefined => undefined;
const B = "b".repeat(64) as NodeId;

/** A node whose network, clock and book the test plays; dials fail unless `answers` names the address. */
function setUp(bootstrap: readonly string[], book: readonly string[] = []) {
  const time = { monoMs: 0 as MonoMs, wallMs: 0 as WallMs };
  const dialled: string[] = [];
  const written: (readonly string[])[] = [];
  const world = { answers: new Set<string>(), peers: 0, members: [] as Partial<MemberView>[] };
  const rejoin = new Rejoin(
    {
      network: {
        dial: ([address = ""]) => {
          dialled.push(address);
          return world.answers.has(address)
            ? Promise.resolve("peer")
            : Promise.reject(new Error("away"));
        },
        connectedPeers: () => Array.from({ length: world.peers }, () => ({}) as PeerIdentity),
      },
      mesh: { members: () => world.members as MemberView[], zones: () => [] },
      store: {
        knownAddresses: () => [...book],
        rememberPeers: (peers) => void written.push(...peers.values()),
      },
      peerIdOf: () => "peer",
      clock: { now: () => time },
      random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    },
    bootstrap,
  );
  /** Upkeep at a moment; what was dialled then. */
  const at = async (ms: number): Promise<string[]> => {
    time.monoMs = ms as MonoMs;
    rejoin.upkeep();
    await new Promise(setImmediate);
    return dialled.splice(0);
  };
  const rememberAt = (ms: number, isLast = false): number => {
    time.monoMs = ms as MonoMs;
    rejoin.remember(isLast);
    return written.splice(0).length;
  };
  return { rejoin, world, at, written, rememberAt };
}

describe("the way back into the mesh", () => {
  test("dials bootstrap addresses and the book for ever, ever more rarely, up to a minute", async () => {
    const { at } = setUp(["/boot"], ["/book"]);
    assert.deepEqual(await at(0), ["/boot", "/book"]);
    const moments = [
      4_999,
      5_000,
      14_999,
      15_000,
      35_000,
      75_000,
      134_999,
      135_000,
      1e9,
      1e9 + 59_999,
      1e9 + 60_000,
    ];
    const counts: number[] = [];
    for (const ms of moments) counts.push((await at(ms)).length);
    assert.deepEqual(counts, [0, 2, 0, 2, 2, 2, 0, 2, 2, 0, 2]);
  });

  test("dials a bootstrap node that is away although there are peers, but not the book", async () => {
    const { at, world } = setUp(["/boot"], ["/book"]);
    world.peers = 1;
    assert.deepEqual(await at(0), ["/boot"]);
    world.answers.add("/boot");
    assert.deepEqual(await at(5_000), ["/boot"]);
    world.members = [{ nodeId: B, state: "alive" }];
    assert.deepEqual(await at(10_000), []);
    world.members = [{ nodeId: B, state: "dead" }];
    assert.deepEqual(await at(15_000), ["/boot"]);
  });

  test("starts anew at once when the last peer is lost", async () => {
    const { at, world } = setUp(["/boot"], []);
    for (const ms of [0, 5_000, 15_000]) await at(ms);
    world.peers = 1;
    assert.deepEqual(await at(16_000), []);
    world.peers = 0;
    assert.deepEqual(await at(17_000), ["/boot"]);
  });

  test("keeps the address that worked first, none through a relay, and writes rarely", () => {
    const { rejoin, world, written, rememberAt } = setUp([]);
    const member = (...addresses: string[]): Partial<MemberView> => ({
      nodeId: B,
      connected: true,
      addresses,
    });
    world.members = [member("/ip4/10.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1/p2p/R/p2p-circuit")];
    rejoin.reached(B, ["/ip4/10.0.0.2/tcp/1/p2p/peer"]);
    rejoin.remember();
    assert.deepEqual(written.splice(0), [
      ["/ip4/10.0.0.2/tcp/1/p2p/peer", "/ip4/10.0.0.1/tcp/1/p2p/peer"],
    ]);
    assert.equal(rememberAt(86_399_999), 0);
    assert.equal(rememberAt(86_400_000), 1);
    world.members = [member("/ip4/10.0.0.3/tcp/1")];
    assert.equal(rememberAt(86_400_000 + 599_999), 0);
    assert.equal(rememberAt(86_400_000 + 599_999, true), 1);
  });
});
