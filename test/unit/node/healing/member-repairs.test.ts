// What healing does about a link: it dials where there is none, replaces one that carries nothing, and leads a bad one elsewhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MeshError } from "../../../../src/foundation/index.ts";
import type { NodeId } from "../../../../src/identity/index.ts";
import type { MemberView } from "../../../../src/mesh/index.ts";
import {
  MemberRepairs,
  type MemberRepairsDeps,
} from "../../../../src/node/healing/member-repairs.ts";

const B = "b".repeat(64) as NodeId;
const C = "c".repeat(64) as NodeId;

/** Repairs whose network the test plays: what was done to it is told in `done`. */
class World {
  connected = true;
  /** Answers to pings, the next first. */
  answers: boolean[] = [];
  /** Addresses that answer. */
  dialable = new Set(["beacon"]);
  members: Partial<MemberView>[] = [{ nodeId: B, connected: true, addresses: ["beacon"] }];
  readonly done: string[] = [];

  #dial(what: string, addresses: readonly string[]): Promise<void> {
    this.done.push(`${what} ${addresses.join()}`);
    if (addresses.some((address) => this.dialable.has(address))) return Promise.resolve();
    return Promise.reject(new MeshError("network/dial-failed", "Away."));
  }

  readonly repairs = new MemberRepairs({
    members: () => this.members as MemberView[],
    isConnected: () => this.connected,
    isRelayed: () => true,
    answers: () => {
      this.done.push("ping");
      return Promise.resolve(this.answers.shift() ?? true);
    },
    addressesOf: () => Promise.resolve(["dht"]),
    reach: {
      dial: (_peer: NodeId, addresses: readonly string[]) => this.#dial("dial", addresses),
      replace: (_peer: NodeId, addresses: readonly string[]) => this.#dial("replace", addresses),
      changeRelay: (peer: NodeId) => {
        this.done.push(`change ${peer[0]}`);
        return Promise.resolve();
      },
    },
  } as unknown as MemberRepairsDeps);
}

describe("to redial a peer", () => {
  test("is to leave a link alone that answers, however often", async () => {
    const world = new World();
    await world.repairs.redial(B);
    await world.repairs.redial(B);
    assert.deepEqual(world.done, ["ping", "ping"]);
  });

  test("is to replace one that does not, and to ask the new one", async () => {
    const world = new World();
    world.answers = [false];
    await world.repairs.redial(B);
    assert.deepEqual(world.done, ["ping", "replace beacon", "ping"]);
  });

  test("is to dial where there is none, at last where the DHT says", async () => {
    const world = new World();
    world.connected = false;
    world.dialable = new Set(["dht"]);
    await world.repairs.redial(B);
    assert.deepEqual(world.done, ["dial beacon", "dial dht"]);
    world.dialable.clear();
    await assert.rejects(world.repairs.redial(B), { code: "network/dial-failed" });
  });
});

describe("to change a relay", () => {
  test("is to lead that peer's link through another", async () => {
    const world = new World();
    await world.repairs.changeRelay(B);
    assert.deepEqual(world.done, ["change b", "ping"]);
  });

  test("without a peer is to choose the link that loses most, then the slowest; unconnected ones are none", async () => {
    const world = new World();
    const [slow, lossy] = [
      { nodeId: B, connected: true, rttMs: 900 },
      { nodeId: C, connected: true, lossRatio: 0.2 },
    ];
    world.members = [slow, lossy];
    await world.repairs.changeRelay(undefined);
    world.members = [slow, { ...lossy, lossRatio: 0 }];
    await world.repairs.changeRelay(undefined);
    assert.deepEqual(world.done, ["change c", "ping", "change b", "ping"]);
    world.members = [{ ...slow, connected: false }];
    await assert.rejects(world.repairs.changeRelay(undefined), { code: "network/not-relayed" });
  });
});
