// The network adapter over real sockets, with a verifier that knows its own certificates: requests and their
// limits, who may stay for how long, and what a failed start leaves behind.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { isMeshError, toHex } from "../../../src/foundation/index.ts";
import { ATTESTATION_PROTOCOL, type NodeId } from "../../../src/identity/index.ts";
import { until } from "../node/harness.ts";
import { linked, makeNetwork, type TestNetwork } from "./test-network.ts";

const ECHO = "/x0tta6bl4/test-echo/1";
const LIMIT = { requestBytesMax: 100, streamsPerPeerMax: 2 };

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: unknown) => (isMeshError(error) ? error.code : String(error)),
  );
}

test("a request of the longest size is answered and one a byte longer is not", async (t) => {
  const [a, b] = await linked(t, "sizes");
  await b.network.serve(ECHO, LIMIT, (_peer, request) => Promise.resolve(request));
  const ask = (bytes: number, responseBytesMax = 100): Promise<Uint8Array> =>
    a.network.request(b.nodeId, ECHO, new Uint8Array(bytes).fill(7), {
      timeoutMs: 5_000,
      responseBytesMax,
    });
  assert.equal((await ask(100)).length, 100);
  assert.equal((await ask(0)).length, 0);
  assert.equal(await codeOf(ask(101)), "network/request-failed");
  assert.equal(await codeOf(ask(100, 99)), "network/request-failed");
  assert.equal((await ask(100)).length, 100, "the connection is none the worse");
});

test("a handler knows who asks, and what it throws reaches nobody", async (t) => {
  const [a, b] = await linked(t, "who");
  await b.network.serve(ECHO, LIMIT, (peer) => {
    assert.ok(peer.kind === "svid" && peer.identity.nodeId === a.nodeId);
    throw new Error("a secret of the handler");
  });
  await assert.rejects(
    a.network.request(b.nodeId, ECHO, new Uint8Array(1), {
      timeoutMs: 5_000,
      responseBytesMax: 10,
    }),
    (error: unknown) =>
      isMeshError(error, "network/request-failed") && !error.message.includes("secret"),
  );
});

test("a topic that was left brings nothing more, and another one still does", async (t) => {
  const [a, b] = await linked(t, "topics");
  const heard: string[] = [];
  for (const topic of ["old", "new"]) {
    a.network.subscribe(topic, () => {
      heard.push(topic);
      return Promise.resolve("accept");
    });
    b.network.subscribe(topic, () => Promise.resolve("accept"));
  }
  let number = 0;
  const hears = (topic: string): Promise<boolean> =>
    until(`a to hear ${topic}`, async () => {
      await b.network.publish(topic, Uint8Array.of(++number));
      return heard.includes(topic);
    });
  await hears("old");
  await hears("new");
  a.network.unsubscribe("old");
  heard.length = 0;
  await b.network.publish("old", Uint8Array.of(++number));
  await hears("new");
  assert.ok(!heard.includes("old"));
});

test("as many requests at once as the limit says are served, and one more is not", async (t) => {
  const [a, b] = await linked(t, "streams");
  const release = Promise.withResolvers<Uint8Array>();
  let inside = 0;
  await b.network.serve(ECHO, LIMIT, () => {
    inside++;
    return release.promise;
  });
  const ask = (): Promise<Uint8Array> =>
    a.network.request(b.nodeId, ECHO, new Uint8Array(1), {
      timeoutMs: 10_000,
      responseBytesMax: 10,
    });
  const served = [ask(), ask()];
  await until("both to be inside", () => Promise.resolve(inside === 2));
  assert.equal(await codeOf(ask()), "network/request-failed");
  release.resolve(new Uint8Array(3));
  assert.deepEqual(
    (await Promise.all(served)).map(({ length }) => length),
    [3, 3],
  );
});

test("a request to nobody says so, and disconnecting tells both sides once", async (t) => {
  const [a, b] = await linked(t, "ends");
  const stranger = toHex(new Uint8Array(32)) as NodeId;
  assert.equal(
    await codeOf(
      a.network.request(stranger, ECHO, new Uint8Array(1), { timeoutMs: 100, responseBytesMax: 1 }),
    ),
    "network/not-connected",
  );
  assert.ok((await a.network.ping(b.nodeId, 5_000)) >= 0);
  assert.equal(a.network.suiteOf(b.nodeId), "xxhfs-mldsa65");
  await a.network.disconnect(b.nodeId);
  await until("b to notice", () => Promise.resolve(b.disconnected.length > 0));
  assert.deepEqual([a.disconnected, b.disconnected], [[b.nodeId], [a.nodeId]]);
  assert.deepEqual([a.connected.length, b.connected.length], [1, 1]);
  assert.equal(await codeOf(a.network.ping(b.nodeId, 100)), "network/not-connected");
});

test("a peer without an SVID is dropped when its time to join is over", async (t) => {
  const issuer = makeNetwork(t, "issuer", { joiningTimeMs: 300 });
  const patient = makeNetwork(t, "patient issuer");
  const newcomer = makeNetwork(t, "newcomer", { joining: true });
  for (const { network } of [issuer, patient, newcomer]) await network.start();
  const joining = ({ gauges }: TestNetwork): number => gauges.get("joining") ?? 0;
  await issuer.network.serve(ATTESTATION_PROTOCOL, LIMIT, () => Promise.resolve(new Uint8Array(0)));
  await newcomer.network.dial(issuer.network.addresses());
  await newcomer.network.dial(patient.network.addresses());
  await until("the newcomer to be in", () => Promise.resolve(joining(patient) === 1));
  await until("the newcomer to be dropped", () =>
    Promise.resolve(joining(issuer) === 0 && newcomer.gauges.get("unanchored") === 1),
  );
  assert.equal(joining(patient), 1, "the default time is longer");
  assert.deepEqual([issuer.connected, newcomer.connected], [[], []]);
});

test("a start that fails names the address and gives back the others; an address of another host is no taken port", async (t) => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  t.after(() => void squatter.close());
  const address = squatter.address();
  assert.ok(typeof address === "object" && address !== null);
  const taken = makeNetwork(t, "taken", { listen: [`/ip4/127.0.0.1/tcp/${address.port}`] });
  await assert.rejects(taken.network.start(), (error: unknown) => {
    assert.ok(isMeshError(error, "network/port-taken"));
    assert.match(
      error.message,
      /^Cannot listen on [^\n]*EADDRINUSE[^\n]*Free the port or change mesh\.listen\.$/,
    );
    return true;
  });
  const foreign = makeNetwork(t, "foreign", { listen: ["/ip4/203.0.113.7/tcp/0"] });
  await assert.rejects(foreign.network.start(), (error: unknown) => {
    assert.ok(isMeshError(error, "network/cannot-listen"));
    assert.match(error.message, /EADDRNOTAVAIL.*Set mesh\.listen to an address of this host/);
    return true;
  });
  await new Promise((resolve) => squatter.close(resolve));
  await taken.network.start();
  assert.equal(taken.network.addresses().length, 1);
});
