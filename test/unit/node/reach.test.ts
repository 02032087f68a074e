// The ways to a member: which relays are tried, what is left when a dial fails, and how a link is led elsewhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import type { MemberView, RelayView } from "../../../src/mesh/index.ts";
import { Reach, type ReachDeps } from "../../../src/node/reach.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

const [PEER, R1, R2] = ["e", "1", "2"].map((digit) => digit.repeat(64)) as [NodeId, NodeId, NodeId];

class World {
  nowMs = 0;
  /** Whether a new link answers. */
  works = true;
  /** The relay that the link to the peer leads through. */
  relay: NodeId | undefined = R1;
  /** What answers a dial: an address, or a relay by its id. */
  answers = new Set<string>([R1, R2]);
  readonly done: string[] = [];

  #dial(targets: readonly string[], force = false): Promise<string> {
    this.done.push(`${force ? "force" : "dial"} ${targets.map((one) => one.slice(0, 12)).join()}`);
    const answering = targets.find((one) => this.answers.has(one));
    if (answering === undefined)
      return Promise.reject(new MeshError("network/dial-failed", "Away."));
    this.relay = [R1, R2].find((relay) => relay === answering);
    return Promise.resolve("");
  }

  readonly reach = new Reach(
    {
      network: {
        dial: (addresses: readonly string[], _peer: unknown, options?: { force?: boolean }) =>
          this.#dial(addresses, options?.force),
        dialThrough: (relays: readonly NodeId[], _peer: unknown, options?: { force?: boolean }) =>
          this.#dial(relays, options?.force).then(() => undefined),
        keepNewest: () => {
          this.done.push("keep newest");
          return this.works ? Promise.resolve() : Promise.reject(new Error("no answer"));
        },
        isConnected: () => true,
        relayTo: (nodeId: NodeId) => (nodeId === PEER ? this.relay : undefined),
      },
      mesh: {
        members: () =>
          [R1, R2].map((nodeId) => ({ nodeId, roles: ["relay"] })) as unknown as MemberView[],
        relaysFor: () => [R1, R2].map((nodeId) => ({ nodeId })) as RelayView[],
      },
      peerIdOf: (nodeId: NodeId) => `peer-${nodeId[0]}`,
      clock: { now: () => ({ monoMs: this.nowMs as MonoMs, wallMs: 0 as WallMs }) },
    } as unknown as ReachDeps,
    { mode: "auto", isAnnounced: false },
  );
}

const [first, second] = [R1.slice(0, 12), R2.slice(0, 12)];

describe("a link", () => {
  test("is replaced past the old one, which ends when the new one stands", async () => {
    const world = new World();
    await world.reach.replace(PEER, ["/ip4/9"]);
    assert.deepEqual(world.done, ["force /ip4/9", `force ${first},${second}`, "keep newest"]);
  });

  test("is left as it is when nothing answers", async () => {
    const world = new World();
    world.answers.clear();
    await assert.rejects(world.reach.replace(PEER, ["/ip4/9"]), { code: "network/dial-failed" });
    await assert.rejects(world.reach.changeRelay(PEER, []), { code: "network/dial-failed" });
    assert.ok(!world.done.includes("keep newest"));
  });
});

describe("a relay", () => {
  test("is changed for another, and is not changed back for ten minutes", async () => {
    const world = new World();
    await world.reach.changeRelay(PEER, []);
    assert.deepEqual(world.done.splice(0), [`force ${second}`, "keep newest"]);
    world.nowMs = 599_999;
    await assert.rejects(world.reach.changeRelay(PEER, []), { code: "network/dial-failed" });
    world.done.splice(0);
    world.nowMs = 600_000;
    await world.reach.changeRelay(PEER, []);
    assert.deepEqual(world.done, [`force ${first}`, "keep newest"]);
  });

  test("that carries nothing either is none, and the one that was left is not to be avoided", async () => {
    const world = new World();
    world.works = false;
    await assert.rejects(world.reach.changeRelay(PEER, []), { message: "no answer" });
    world.done.splice(0);
    await world.reach.dial(PEER, []);
    assert.deepEqual(world.done, ["dial ", `dial ${first},${second}`]);
  });

  test("that was left is the last one to be dialled through, but is one", async () => {
    const world = new World();
    await world.reach.changeRelay(PEER, []);
    world.done.splice(0);
    await world.reach.dial(PEER, []);
    assert.deepEqual(world.done, ["dial ", `dial ${second},${first}`]);
  });

  test("that the peer's own beacon names is tried too, but for the one that is left", async () => {
    const world = new World();
    const other = "/ip4/9/p2p/peer-7/p2p-circuit";
    world.answers = new Set([other]);
    await world.reach.changeRelay(PEER, ["/ip4/8/p2p/peer-1/p2p-circuit", other]);
    assert.deepEqual(world.done, [`force ${second}`, `force ${other.slice(0, 12)}`, "keep newest"]);
  });

  test("of a direct link there is none to change", async () => {
    const world = new World();
    world.relay = undefined;
    await assert.rejects(world.reach.changeRelay(PEER, []), { code: "network/not-relayed" });
    assert.deepEqual(world.done, []);
  });
});
