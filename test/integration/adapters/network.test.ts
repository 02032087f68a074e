// The network adapter over real sockets, with a verifier that knows its own certificates: requests and their
// limits, who may stay for how long, and what a failed start leaves behind.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../../src/adapters/clock.ts";
import { pqNoise } from "../../../src/adapters/libp2p/encrypter.ts";
import { Network } from "../../../src/adapters/libp2p/network.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { isMeshError, toHex } from "../../../src/foundation/index.ts";
import { HandshakeLimiter } from "../../../src/handshake/index.ts";
import {
  ATTESTATION_PROTOCOL,
  type NodeId,
  type PeerIdentity,
} from "../../../src/identity/index.ts";
import {
  engine,
  fakeCertificate,
  fakeVerifier,
  seededRandom,
  TRUST_DOMAIN,
} from "../../unit/handshake/fixture.ts";
import { noTracer } from "../../../src/ports/index.ts";
import { until } from "../node/harness.ts";

const ECHO = "/x0tta6bl4/test-echo/1";
const LIMIT = { requestBytesMax: 100, streamsPerPeerMax: 2 };
const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

interface TestNetwork {
  readonly network: Network;
  readonly nodeId: NodeId;
  readonly connected: PeerIdentity[];
  readonly disconnected: NodeId[];
  readonly gauges: Map<string, number>;
}

interface Options {
  readonly listen?: readonly string[];
  /** Without a certificate it can only join. */
  readonly joining?: boolean;
  readonly joiningTimeMs?: number;
}

function makeNetwork(t: TestContext, seed: string, options: Options = {}): TestNetwork {
  const ed25519Seed = seededRandom(`${seed}/ed25519`).bytes(32);
  const ed25519 = engine.ed25519.signer(ed25519Seed);
  const mldsa65 = engine.mlDsa65.signer(seededRandom(`${seed}/mldsa65`).bytes(32));
  const svidChain =
    options.joining === true ? [] : [fakeCertificate(ed25519.publicKey, mldsa65.publicKey)];
  const connected: PeerIdentity[] = [];
  const disconnected: NodeId[] = [];
  const gauges = new Map<string, number>();
  const meter = {
    count: () => undefined,
    set: (_name: string, value: number, labels?: Readonly<Record<string, string>>) => {
      gauges.set(labels?.["peer"] ?? "", value);
    },
    observe: () => undefined,
  };
  const shared = {
    engine,
    random: systemRandom,
    clock: systemClock,
    logger: quiet,
    meter,
    tracer: noTracer,
  };
  const verifier = fakeVerifier();
  const network = new Network(
    {
      ed25519Seed,
      encrypters: (registry) => [
        pqNoise(
          {
            ...shared,
            limiter: new HandshakeLimiter(systemClock.now().monoMs),
            verifier,
            credential: () => ({ ed25519, mldsa65, svidChain }),
          },
          {
            trustDomain: TRUST_DOMAIN,
            acceptJoining: () => true,
            acceptUnanchored: options.joining === true,
            onAuthenticated: (peer, _peerId, _ms, raw) => registry.remember(raw, peer),
          },
        ),
      ],
      logger: quiet,
      meter,
      tracer: noTracer,
      // An issuer is unanchored to a joiner, and stays only where the policy lets such peers in.
      allowsUnauthenticated: () => options.joining === true,
      records: { validate: () => undefined, select: () => 0 },
      onAuthenticated: () => undefined,
      onConnected: (peer) => connected.push(peer),
      onDisconnected: (nodeId) => disconnected.push(nodeId),
    },
    {
      listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
      announce: [],
      bootstrap: [],
      mdns: false,
      trustDomain: TRUST_DOMAIN,
      topics: [],
      connectionsMax: 64,
      version: "0.0.0-test",
      ...(options.joiningTimeMs === undefined ? {} : { joiningTimeMs: options.joiningTimeMs }),
    },
  );
  t.after(() => network.stop());
  const nodeId = verifier.nodeIdOf(ed25519.publicKey, mldsa65.publicKey);
  return { network, nodeId, connected, disconnected, gauges };
}

async function linked(t: TestContext, seed: string): Promise<[TestNetwork, TestNetwork]> {
  const a = makeNetwork(t, `${seed}/a`);
  const b = makeNetwork(t, `${seed}/b`);
  await a.network.start();
  await b.network.start();
  await a.network.dial(b.network.addresses());
  await until("b to see a", () => Promise.resolve(b.network.isConnected(a.nodeId)));
  return [a, b];
}

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
