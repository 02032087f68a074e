// Links through a relay over real sockets. The hidden peer listens nowhere, so only a relay leads to it.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Network } from "../../../src/adapters/libp2p/network.ts";
import { relayDefaults, type RelayOptions } from "../../../src/adapters/libp2p/relay.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import { until } from "../node/harness.ts";
import { engine, seededRandom } from "../../unit/handshake/fixture.ts";
import { makeNetwork, type TestNetwork } from "./test-network.ts";

const ECHO = "/x0tta6bl4/test-echo/1";
const BULK = "/x0tta6bl4/test-bulk/1";
const LIMIT = { requestBytesMax: 256 * 1024, streamsPerPeerMax: 2 };
const ASK = { timeoutMs: 5_000, responseBytesMax: 256 * 1024 };

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: unknown) => (isMeshError(error) ? error.code : String(error)),
  );
}

const peerIdOf = (seed: string): ReturnType<typeof Network.peerIdOf> =>
  Network.peerIdOf(engine.ed25519.signer(seededRandom(`${seed}/ed25519`).bytes(32)).publicKey);

interface Topology {
  readonly relay: TestNetwork;
  readonly near: TestNetwork;
  readonly hidden: TestNetwork;
}

/** A relay, and two peers that are connected to it alone; the near one can be dialled only if it `listens`. */
async function relayed(
  t: TestContext,
  options: Partial<RelayOptions> = {},
  listen: readonly string[] = [],
): Promise<Topology> {
  const server: RelayOptions = { ...relayDefaults, mode: "server", ...options };
  const relay = makeNetwork(t, "relay", { relay: server });
  const near = makeNetwork(t, "near", { listen });
  const hidden = makeNetwork(t, "hidden", { listen: [] });
  for (const { network } of [relay, near, hidden]) {
    await network.start();
    await network.serve(ECHO, { ...LIMIT, relayed: true }, (_peer, bytes) =>
      Promise.resolve(bytes),
    );
    await network.serve(BULK, LIMIT, (_peer, bytes) => Promise.resolve(bytes));
  }
  for (const { network } of [near, hidden]) await network.dial(relay.network.addresses());
  await until("the relay to see both", () => Promise.resolve(relay.connected.length === 2));
  return { relay, near, hidden };
}

test("a hidden peer is reached through a relay, authenticated end to end; only what may runs there", async (t) => {
  const { relay, near, hidden } = await relayed(t);
  const through = [relay.nodeId];
  assert.equal(
    await codeOf(near.network.dialThrough(through, peerIdOf("hidden"))),
    "network/dial-failed",
    "without a reservation nobody is led to it",
  );
  await hidden.network.reserve(relay.nodeId);
  assert.deepEqual(hidden.network.reservedRelays(), through);
  await near.network.dialThrough(through, peerIdOf("hidden"));
  await until("the hidden peer to see it", () =>
    Promise.resolve(hidden.network.isConnected(near.nodeId)),
  );
  assert.equal(near.network.suiteOf(hidden.nodeId), "xxhfs-mldsa65");
  assert.equal(near.network.relayTo(hidden.nodeId), relay.nodeId);
  assert.equal(hidden.network.relayTo(near.nodeId), relay.nodeId);
  assert.equal(near.network.relayTo(relay.nodeId), undefined);
  const answer = await near.network.request(hidden.nodeId, ECHO, new Uint8Array(5_000), ASK);
  assert.equal(answer.length, 5_000);
  assert.ok((await hidden.network.ping(near.nodeId, 5_000)) >= 0);
  assert.equal(
    await codeOf(near.network.request(hidden.nodeId, BULK, new Uint8Array(1), ASK)),
    "network/request-failed",
  );
  relay.network.meterReach();
  assert.equal(relay.gauges.get("granted"), 1);
});

test("a relayed link gives way to a direct one, and requests go on", async (t) => {
  const { relay, near, hidden } = await relayed(t, {}, ["/ip4/127.0.0.1/tcp/0"]);
  await hidden.network.reserve(relay.nodeId);
  await near.network.dialThrough([relay.nodeId], peerIdOf("hidden"));
  await until("the hidden peer to see it", () =>
    Promise.resolve(hidden.network.isConnected(near.nodeId)),
  );
  await hidden.network.dialDirect(near.network.addresses(), peerIdOf("near"));
  await until("both to be direct", () =>
    Promise.resolve(
      near.network.relayTo(hidden.nodeId) === undefined &&
        hidden.network.relayTo(near.nodeId) === undefined,
    ),
  );
  await near.network.request(hidden.nodeId, BULK, new Uint8Array(1), ASK);
  assert.equal(hidden.counts.get("meshd_network_direct_upgrades_total succeeded"), 1);
  assert.deepEqual(near.disconnected, [], "there was a connection all the time");
});

test("when its relay ends, a hidden peer is reached through another", async (t) => {
  const { relay, near, hidden } = await relayed(t);
  const other = makeNetwork(t, "other", { relay: { ...relayDefaults, mode: "server" } });
  await other.network.start();
  for (const { network } of [near, hidden]) await network.dial(other.network.addresses());
  for (const { nodeId } of [relay, other]) await hidden.network.reserve(nodeId);
  await near.network.dialThrough([relay.nodeId], peerIdOf("hidden"));
  await until("the link", () => Promise.resolve(hidden.network.isConnected(near.nodeId)));
  await relay.network.stop();
  await until("both to notice", () =>
    Promise.resolve(
      near.disconnected.includes(hidden.nodeId) && hidden.disconnected.includes(near.nodeId),
    ),
  );
  assert.deepEqual(hidden.network.reservedRelays(), [other.nodeId]);
  await near.network.dialThrough([relay.nodeId, other.nodeId], peerIdOf("hidden"));
  assert.equal(near.network.relayTo(hidden.nodeId), other.nodeId);
});

test("a relayed link is led through another relay, and there is one all the time", async (t) => {
  const { relay, near, hidden } = await relayed(t);
  const other = makeNetwork(t, "other", { relay: { ...relayDefaults, mode: "server" } });
  await other.network.start();
  for (const { network } of [near, hidden]) await network.dial(other.network.addresses());
  for (const { nodeId } of [relay, other]) await hidden.network.reserve(nodeId);
  await near.network.dialThrough([relay.nodeId], peerIdOf("hidden"));
  await near.network.dialThrough([other.nodeId], peerIdOf("hidden"), { force: true });
  await near.network.keepNewest(hidden.nodeId, 5_000);
  assert.equal(near.network.relayTo(hidden.nodeId), other.nodeId);
  await until("the other side to follow", () =>
    Promise.resolve(hidden.network.relayTo(near.nodeId) === other.nodeId),
  );
  await near.network.keepNewest(hidden.nodeId, 5_000);
  const answer = await near.network.request(hidden.nodeId, ECHO, new Uint8Array(5_000), ASK);
  assert.equal(answer.length, 5_000);
  assert.deepEqual([...near.disconnected, ...hidden.disconnected], []);
  await other.network.stop();
  await until("the only link to end", () =>
    Promise.resolve(near.disconnected.includes(hidden.nodeId)),
  );
});

test("who is no member can neither reserve nor dial through a relay", async (t) => {
  const { relay, hidden } = await relayed(t);
  await hidden.network.reserve(relay.nodeId);
  const stranger = makeNetwork(t, "stranger", { joining: true, listen: [] });
  await stranger.network.start();
  const [address = ""] = relay.network.addresses();
  await stranger.network.dial([address]);
  assert.equal(
    await codeOf(stranger.network.dial([`${address}/p2p-circuit`], peerIdOf("hidden"))),
    "network/dial-failed",
  );
  assert.ok((relay.counts.get("meshd_network_streams_refused_total") ?? 0) > 0);
  assert.equal(hidden.connected.length, 1);
});

test("a relay grants as many reservations as it may, gives back the place of a peer that left, and ends what carries too much", async (t) => {
  const { relay, near, hidden } = await relayed(t, {
    reservationsMax: 1,
    circuitBytesMax: 200_000,
  });
  await hidden.network.reserve(relay.nodeId);
  assert.equal(await codeOf(near.network.reserve(relay.nodeId)), "network/no-reservation");
  await near.network.dialThrough([relay.nodeId], peerIdOf("hidden"));
  await near.network.request(hidden.nodeId, ECHO, new Uint8Array(10_000), ASK);
  assert.equal(
    await codeOf(near.network.request(hidden.nodeId, ECHO, new Uint8Array(200_000), ASK)),
    "network/request-failed",
  );
  await until("the link to end", () => Promise.resolve(!near.network.isConnected(hidden.nodeId)));
  await hidden.network.stop();
  await until("the relay to notice", () => Promise.resolve(relay.disconnected.length === 1));
  await near.network.reserve(relay.nodeId);
});
