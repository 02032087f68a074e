// A content whose known holders are gone comes from another participant that the DHT names, over real sockets. Who says to have it and
// is no participant, or may not train, is not asked.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { systemClock } from "../../../src/adapters/clock.ts";
import { CONTENT_PROTOCOL, offerContent } from "../../../src/adapters/libp2p/content-exchange.ts";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import { contentIdOf, leavesOf } from "../../../src/learning/index.ts";
import { ContentFetcher } from "../../../src/node/learning/content-fetcher.ts";
import { ContentStore } from "../../../src/node/learning/content-store.ts";
import { MemoryBudget } from "../../../src/node/learning/memory-budget.ts";
import { TaskProviders } from "../../../src/node/learning/task-providers.ts";
import { engine } from "../../unit/handshake/fixture.ts";
import { until } from "../node/harness.ts";
import { makeNetwork, quiet, type TestNetwork } from "./test-network.ts";

const sha256 = (data: Uint8Array): Uint8Array => engine.sha256(data);
const model = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff);
const content = contentIdOf(sha256, model);
/** Of the task. */
const digest = "ab".repeat(32);
const GONE = "00".repeat(32) as NodeId;
const signal = (): AbortSignal => AbortSignal.timeout(30_000);

/** Everybody knows the hub alone; the first holder and the stranger both say that they have the model. */
async function star(t: TestContext, seed: string) {
  const [hub, asker, holder, stranger] = ["hub", "asker", "holder", "stranger"].map((name) =>
    makeNetwork(t, `${seed}/${name}`),
  ) as [TestNetwork, TestNetwork, TestNetwork, TestNetwork];
  for (const { network } of [hub, asker, holder, stranger]) await network.start();
  for (const { network } of [asker, holder, stranger]) await network.dial(hub.network.addresses());
  const asked: NodeId[] = [];
  for (const { network, nodeId } of [holder, stranger]) {
    await network.handleStreams(CONTENT_PROTOCOL, { streamsPerPeerMax: 4 }, (_peer, stream) => {
      asked.push(nodeId);
      return offerContent(stream, () => ({ bytes: model, leaves: leavesOf(sha256, model) }));
    });
    await until("the hub to know it", () => Promise.resolve(hub.network.isConnected(nodeId)));
  }
  await until("both to be found", async () => {
    for (const { network } of [holder, stranger]) await network.providers.provide(digest);
    return (await hub.network.providers.find(digest, 2)).length === 2;
  });
  const identities = new Map(hub.connected.map((peer) => [peer.nodeId, peer]));
  return { asker, holder, asked, identities };
}

function fetching(
  { network }: TestNetwork,
  identities: ReadonlyMap<NodeId, PeerIdentity>,
  participants: readonly NodeId[],
  maySpeak: (nodeId: NodeId) => boolean = () => true,
) {
  const counts = new Map<string, number>();
  const meter = {
    count: (name: string, labels: Readonly<Record<string, string>> = {}) => {
      const series = [name, ...Object.values(labels)].join(" ");
      counts.set(series, (counts.get(series) ?? 0) + 1);
    },
    set: () => undefined,
    observe: () => undefined,
  };
  const lookup = (nodeId: NodeId): PeerIdentity | undefined => identities.get(nodeId);
  const shared = { logger: quiet, clock: systemClock, meter };
  const deps = { ...shared, network, identities: { lookup }, maySpeak };
  const providers = new TaskProviders(deps, { digest, others: participants });
  const budget = new MemoryBudget(meter, 1_000_000);
  const store = new ContentStore(sha256, budget);
  const fetcher = new ContentFetcher({
    ...{ sha256, store, budget, logger: quiet, meter },
    openStream: (...wanted) => network.openStream(...wanted),
  });
  const fetch = (until: AbortSignal) =>
    fetcher.fetch({
      ...{ taskId: "t", content, holders: () => [GONE], signal: until },
      search: () => providers.find(),
    });
  return { fetch, providers, counts };
}

const SEARCHES = "meshd_learning_provider_searches_total";
const REFUSED = "meshd_learning_providers_refused_total";

describe("a content that no known holder gives", () => {
  test("comes from a participant that the DHT names, and from no other", async (t) => {
    const { asker, holder, asked, identities } = await star(t, "providers/found");
    // libp2p's DHT connects whom it hears of: the holder has to be dialled again.
    await asker.network.disconnect(holder.nodeId);
    await until("the link to end", () =>
      Promise.resolve(!asker.network.isConnected(holder.nodeId)),
    );
    const { fetch, counts } = fetching(asker, identities, [GONE, holder.nodeId]);
    assert.deepEqual(await fetch(signal()), model);
    assert.deepEqual(asked, [holder.nodeId]);
    assert.equal(counts.get(`${SEARCHES} found`), 1);
    assert.equal(counts.get(REFUSED), 1);
  });

  test("is not taken from a participant without the right to train", async (t) => {
    const { asker, holder, identities } = await star(t, "providers/right");
    const may = (nodeId: NodeId): boolean => nodeId !== holder.nodeId;
    const { providers, counts } = fetching(asker, identities, [holder.nodeId], may);
    assert.deepEqual(await providers.find(), []);
    assert.equal(counts.get(`${SEARCHES} none`), 1);
    assert.equal(counts.get(REFUSED), 2);
  });

  test("is found by the word of who has the task, which is said once in a while", async (t) => {
    const { asker, holder, identities } = await star(t, "providers/own");
    const { providers, counts } = fetching(asker, identities, []);
    const askerId = asker.network.peerId;
    const isFound = async (): Promise<boolean> =>
      (await holder.network.providers.find(digest, 8)).some(({ peerId }) => peerId === askerId);
    assert.ok(!(await isFound()));
    providers.announce();
    providers.announce();
    await until("it to be found", isFound);
    await until("it to be told", () =>
      Promise.resolve(counts.get("meshd_learning_announcements_total done") === 1),
    );
    providers.stop();
  });
});
