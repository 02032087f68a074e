// The guard in front of gossipsub, with RPCs as nobody sane would send them: it never throws, and what it lets through keeps
// every limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RPC } from "@libp2p/gossipsub/message";
import fc from "fast-check";
import { IWANT_IDS_MAX, RpcGuard } from "../../../src/adapters/libp2p/gossip-guard.ts";
import {
  topicBytesMax,
  topicNameOf,
  topicNames,
  topicOf,
} from "../../../src/adapters/libp2p/topics.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

const DOMAIN = "mesh.test";
const joined = topicNames.map((name) => topicOf(DOMAIN, "z", name));
const topic = fc.oneof(
  fc.constantFrom(...joined, topicOf(DOMAIN, "elsewhere", "state")),
  fc.string(),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(128, 129, 16_384, 16_385, 32_768, 32_769).map((length) => new Uint8Array(length)),
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const ids = fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: 80 });
const rpcs = fc.record({
  subscriptions: fc.array(fc.record({ subscribe: optional(fc.boolean()), topic: optional(topic) })),
  messages: fc.array(
    fc.record({ topic, data: optional(bytes), from: optional(fc.uint8Array({ maxLength: 40 })) }),
  ),
  control: optional(
    fc.record({
      ...{ ihave: fc.constant([]), graft: fc.constant([]), prune: fc.constant([]) },
      idontwant: fc.constant([]),
      iwant: fc.array(fc.record({ messageIDs: ids }), { maxLength: 4 }),
    }),
  ),
});

interface Blamed {
  invalid: number;
  excess: number;
  dropped: Record<string, number>;
}

function makeGuard(isMember = true, nowMs = () => 0): { guard: RpcGuard; blamed: Blamed } {
  const blamed: Blamed = { invalid: 0, excess: 0, dropped: {} };
  const guard = new RpcGuard({
    meter: {
      count: (_name, labels) => {
        const reason = labels?.["reason"] ?? "";
        blamed.dropped[reason] = (blamed.dropped[reason] ?? 0) + 1;
      },
      set: () => undefined,
      observe: () => undefined,
    },
    monoMs: () => nowMs() as MonoMs,
    isMember: () => isMember,
    joined: (name) => (joined.includes(name) ? topicNameOf(DOMAIN, name) : undefined),
    isOurs: (name) => topicNameOf(DOMAIN, name) !== undefined,
    onInvalid: () => blamed.invalid++,
    onExcess: () => blamed.excess++,
  });
  return { guard, blamed };
}

test("whatever an RPC holds, what is let through keeps the limits", () => {
  fc.assert(
    fc.property(rpcs, (rpc) => {
      const { guard, blamed } = makeGuard();
      const before = rpc.messages.length;
      guard.admit("peer", rpc as unknown as RPC);
      for (const { topic: name } of rpc.subscriptions) {
        assert.ok(name !== undefined && topicNameOf(DOMAIN, name) !== undefined);
      }
      for (const { topic: name, data, from } of rpc.messages) {
        const said = topicNameOf(DOMAIN, name);
        assert.ok(said !== undefined && joined.includes(name));
        assert.ok((data?.length ?? 0) <= topicBytesMax[said]);
        assert.equal(from, undefined);
      }
      const asked = (rpc.control?.iwant ?? []).flatMap(({ messageIDs }) => messageIDs);
      assert.ok(asked.length <= IWANT_IDS_MAX);
      const dropped = Object.values(blamed.dropped).reduce((sum, count) => sum + count, 0);
      assert.equal(rpc.messages.length + dropped, before, "each is let through or counted");
    }),
  );
});

test("a stranger's messages are dropped without blame on anybody", () => {
  const { guard, blamed } = makeGuard(false);
  const rpc = {
    subscriptions: [],
    messages: [{ topic: joined[0] ?? "", data: new Uint8Array(1) }],
  };
  guard.admit("stranger", rpc);
  assert.equal(rpc.messages.length, 0);
  assert.deepEqual(blamed, { invalid: 0, excess: 0, dropped: { stranger: 1 } });
});

test("a field that gossipsub would forward unchecked is the sender's fault", () => {
  const { guard, blamed } = makeGuard();
  const data = new Uint8Array(1);
  const rpc = {
    subscriptions: [],
    messages: [{ topic: joined[0] ?? "", data, from: new Uint8Array(60_000) }],
  };
  guard.admit("peer", rpc);
  assert.equal(rpc.messages.length, 0);
  assert.deepEqual(blamed, { invalid: 1, excess: 0, dropped: { disguised: 1 } });
});

test("a peer brings its burst and not one more; time gives it more; heartbeats have a purse of their own", () => {
  let nowMs = 0;
  const { guard, blamed } = makeGuard(true, () => nowMs);
  const send = (name: "state" | "heartbeat", count: number): number => {
    const message = { topic: topicOf(DOMAIN, "z", name), data: new Uint8Array(8) };
    const rpc = { subscriptions: [], messages: Array.from({ length: count }, () => message) };
    guard.admit("peer", rpc);
    return rpc.messages.length;
  };
  assert.equal(send("state", 1_024), 1_024);
  assert.equal(blamed.excess, 0);
  assert.equal(send("state", 5), 0);
  assert.equal(blamed.excess, 1, "once for an RPC");
  assert.equal(send("heartbeat", 8_193), 8_192);
  nowMs = 1_000;
  assert.equal(send("state", 200), 128);
});
