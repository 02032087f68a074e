// Gossip between real network adapters: what floods, replays and crowds of identities are worth, and that honest messages
// go on meanwhile.

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { GossipDecision } from "../../../src/adapters/libp2p/gossip.ts";
import { type TopicName, topicOf } from "../../../src/adapters/libp2p/topics.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import type { Forwarding } from "../../../src/mesh/index.ts";
import { TRUST_DOMAIN } from "../../unit/handshake/fixture.ts";
import { until } from "../node/harness.ts";
import { makeNetwork, type TestNetwork } from "./test-network.ts";

const INVALID = 0xff;
const HONEST = 0x01;

interface Heard {
  readonly from: NodeId;
  readonly kind: number;
  readonly bytes: number;
}

function topic(name: TopicName): string {
  return topicOf(TRUST_DOMAIN, "z", name);
}

/** Subscribes with a validator that knows invalid messages by their first byte, and remembers all it is asked for. */
function listen(
  { network }: TestNetwork,
  name: TopicName,
  decide: (kind: number) => GossipDecision = (kind) => (kind === INVALID ? "reject" : "accept"),
): Heard[] {
  const heard: Heard[] = [];
  network.subscribe(topic(name), (from, bytes) => {
    heard.push({ from, kind: bytes[0] ?? 0, bytes: bytes.length });
    return Promise.resolve(decide(bytes[0] ?? 0));
  });
  return heard;
}

let serial = 0;
/** A message unlike all others. */
function message(kind: number, length = 74): Uint8Array {
  const bytes = new Uint8Array(length).fill(kind);
  new DataView(bytes.buffer).setUint32(1, serial++);
  return bytes;
}

async function join(a: TestNetwork, b: TestNetwork): Promise<void> {
  await a.network.dial(b.network.addresses());
  await until("the other side", () => Promise.resolve(b.network.isConnected(a.nodeId)));
}

/** Publishes until the message has arrived: subscriptions take a moment to be known. */
async function reach(from: TestNetwork, heard: readonly Heard[], name: TopicName): Promise<void> {
  await until("a message to arrive", async () => {
    await from.network.publish(topic(name), message(HONEST));
    return heard.some((message) => message.from === from.nodeId);
  });
}

async function started(t: TestContext, seed: string, count: number): Promise<TestNetwork[]> {
  const networks = Array.from({ length: count }, (_, i) => makeNetwork(t, `${seed}/${i}`));
  for (const { network } of networks) await network.start();
  return networks;
}

/** The count of a counter. */
const counted = ({ counts }: TestNetwork, key: string): number => counts.get(key) ?? 0;

describe("gossip under attack", () => {
  test("a peer that floods invalid messages is thrown out and stays out, and honest ones go on", async (t) => {
    const [victim, honest, flooder] = await started(t, "flood", 3);
    assert.ok(victim && honest && flooder);
    const heard = listen(victim, "state");
    for (const peer of [honest, flooder]) {
      listen(peer, "state", () => "ignore");
      await join(peer, victim);
      await reach(peer, heard, "state");
    }
    for (let i = 0; i < 200; i++) await flooder.network.publish(topic("state"), message(INVALID));
    await until("the flooder to be gone", () =>
      Promise.resolve(victim.disconnected.includes(flooder.nodeId)),
    );
    assert.equal(counted(victim, "meshd_network_gossip_graylisted_total"), 1);

    const before = heard.length;
    await honest.network.publish(topic("state"), message(HONEST));
    await until("an honest message", () => Promise.resolve(heard.length > before));
    assert.equal(heard.at(-1)?.from, honest.nodeId);
    assert.ok((victim.network.scoreOf(honest.nodeId) ?? -1) >= 0);

    await until("the flooder to notice", () =>
      Promise.resolve(!flooder.network.isConnected(victim.nodeId)),
    );
    await flooder.network.dial(victim.network.addresses()).catch(() => undefined);
    await until("the refusal", () => Promise.resolve(!flooder.network.isConnected(victim.nodeId)));
    assert.equal(victim.network.isConnected(flooder.nodeId), false, "its score was not forgotten");
    assert.equal(victim.connected.filter(({ nodeId }) => nodeId === flooder.nodeId).length, 1);
  });

  test("a message of the longest size is looked at, and one a byte longer is not", async (t) => {
    const [victim, peer] = await started(t, "oversize", 2);
    assert.ok(victim && peer);
    const heard = listen(victim, "heartbeat");
    listen(peer, "heartbeat", () => "ignore");
    await join(peer, victim);
    await reach(peer, heard, "heartbeat");
    await peer.network.publish(topic("heartbeat"), message(HONEST, 129));
    await peer.network.publish(topic("heartbeat"), message(HONEST, 128));
    await until("the longest", () => Promise.resolve(heard.some(({ bytes }) => bytes === 128)));
    assert.equal(
      heard.some(({ bytes }) => bytes === 129),
      false,
    );
    assert.equal(counted(victim, "meshd_network_gossip_dropped_total oversize"), 1);
  });

  test("more messages than an honest peer has are dropped unread, and cost it its place", async (t) => {
    const [victim, flooder] = await started(t, "rate", 2);
    assert.ok(victim && flooder);
    const heard = listen(victim, "state");
    listen(flooder, "state", () => "ignore");
    await join(flooder, victim);
    await reach(flooder, heard, "state");
    for (let i = 0; i < 1_400; i++) await flooder.network.publish(topic("state"), message(HONEST));
    await until("drops", () =>
      Promise.resolve(counted(victim, "meshd_network_gossip_dropped_total rate") > 0),
    );
    await until("the flooder to be gone", () =>
      Promise.resolve(victim.disconnected.includes(flooder.nodeId)),
    );
    const dropped = counted(victim, "meshd_network_gossip_dropped_total rate");
    assert.ok(heard.length + dropped >= 1_400);
    assert.ok(counted(victim, "meshd_network_gossip_penalties_total rate") > 0);
  });

  test("a member that brings back what is known is let off 128 times, then scored", async (t) => {
    const [victim, replayer] = await started(t, "replay", 2);
    assert.ok(victim && replayer);
    const heard = listen(victim, "state", () => "stale");
    listen(replayer, "state", () => "ignore");
    await join(replayer, victim);
    await reach(replayer, heard, "state");
    while (heard.length < 100) {
      const before = heard.length;
      await replayer.network.publish(topic("state"), message(HONEST));
      await until("the replay", () => Promise.resolve(heard.length > before));
    }
    assert.equal(counted(victim, "meshd_network_gossip_penalties_total replay"), 0);
    for (let i = 0; i < 400; i++) await replayer.network.publish(topic("state"), message(HONEST));
    await until("the replayer to be gone", () =>
      Promise.resolve(victim.disconnected.includes(replayer.nodeId)),
    );
    assert.ok(counted(victim, "meshd_network_gossip_penalties_total replay") > 6);
  });

  test("many identities of one address lower each other's score, unless the address may have many", async (t) => {
    const crowded = makeNetwork(t, "sybil/crowded", {
      gossip: { peersPerAddressMax: 2, sharedAddresses: [] },
    });
    const shared = makeNetwork(t, "sybil/shared", { gossip: { peersPerAddressMax: 2 } });
    for (const { network } of [crowded, shared]) await network.start();
    const sybils = await started(t, "sybil", 3);
    for (const victim of [crowded, shared]) {
      const heard = listen(victim, "heartbeat");
      for (const sybil of sybils) {
        if (victim === crowded) listen(sybil, "heartbeat", () => "ignore");
        await join(sybil, victim);
        await reach(sybil, heard, "heartbeat");
      }
    }
    const worst = (victim: TestNetwork): number =>
      Math.min(...sybils.map(({ nodeId }) => victim.network.scoreOf(nodeId) ?? 0));
    await until("the crowd to be seen", () => Promise.resolve(worst(crowded) < 0));
    assert.ok(worst(shared) >= 0);
  });

  test("a bad reputation alone is enough to be thrown out, and none of it costs nothing", async (t) => {
    const bad = makeNetwork(t, "reputation/bad");
    const good = makeNetwork(t, "reputation/good");
    const victim = makeNetwork(t, "reputation/victim", {
      reputation: (nodeId) => (nodeId === bad.nodeId ? -100 : 0),
    });
    for (const peer of [bad, good, victim]) await peer.network.start();
    const heard = listen(victim, "heartbeat");
    listen(good, "heartbeat", () => "ignore");
    await join(good, victim);
    await reach(good, heard, "heartbeat");
    await bad.network.dial(victim.network.addresses());
    await until("the bad one to be gone", () =>
      Promise.resolve(victim.disconnected.includes(bad.nodeId)),
    );
    assert.ok(victim.network.isConnected(good.nodeId));
  });

  test("a topic that is joined later is scored like the others, and none that is not the mesh's", async (t) => {
    const [victim, peer] = await started(t, "topics", 2);
    assert.ok(victim && peer);
    const first = listen(victim, "state");
    listen(peer, "state", () => "ignore");
    await join(peer, victim);
    await reach(peer, first, "state");
    listen(peer, "tasks", () => "ignore");
    const later = listen(victim, "tasks");
    await reach(peer, later, "tasks");
    for (let i = 0; i < 50; i++) await peer.network.publish(topic("tasks"), message(INVALID));
    await until("the score to fall", () =>
      Promise.resolve(
        victim.disconnected.includes(peer.nodeId) ||
          (victim.network.scoreOf(peer.nodeId) ?? 0) < -20,
      ),
    );
    assert.throws(() => listen(victim, "no-topic" as TopicName), TypeError);
  });
});

test("a heartbeat that its origin sends itself is not passed on, a spare copy is later, anything else at once", async (t) => {
  const [SPARED, SPARE] = [0x02, 0x03];
  const forwarding = ([kind]: Uint8Array): Forwarding =>
    kind === SPARED ? "never" : kind === SPARE ? "spare" : "now";
  const [a, b, c] = ["a", "b", "c"].map((name) => makeNetwork(t, `sparse/${name}`, { forwarding }));
  assert.ok(a && b && c);
  for (const { network } of [a, b, c]) await network.start();
  const names = ["heartbeat", "state"] as const;
  const [heartbeats, states] = names.map((name) => {
    listen(a, name);
    listen(b, name);
    return listen(c, name);
  }) as [Heard[], Heard[]];
  await join(a, b);
  await join(b, c);
  const arrives = (name: TopicName, kind: number, heard: readonly Heard[]): Promise<true> => {
    const before = heard.length;
    return until(`a ${name} of kind ${kind} by way of b`, async () => {
      await a.network.publish(topic(name), message(kind));
      return heard.slice(before).some((one) => one.kind === kind && one.from === b.nodeId);
    });
  };
  await arrives("heartbeat", HONEST, heartbeats);
  for (let i = 0; i < 4; i++) await a.network.publish(topic("heartbeat"), message(SPARED));
  // What comes later on the same streams shows that these four came to b.
  await arrives("heartbeat", HONEST, heartbeats);
  assert.equal(heartbeats.filter(({ kind }) => kind === SPARED).length, 0);
  await arrives("state", SPARED, states);
  const spares = (): number => heartbeats.filter(({ kind }) => kind === SPARE).length;
  for (let i = 0; i < 4; i++) await a.network.publish(topic("heartbeat"), message(SPARE));
  await arrives("heartbeat", HONEST, heartbeats);
  await until("the spare copies", () => Promise.resolve(spares() === 4));
});
