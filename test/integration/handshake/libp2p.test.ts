// The encrypters inside real libp2p nodes over TCP on loopback.

import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import { noise as classicalNoise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { ConnectionEncrypter, PeerId } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../../../src/adapters/clock.ts";
import {
  interopNoise,
  pqNoise,
  type PqNoiseOptions,
} from "../../../src/adapters/libp2p/encrypter.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import {
  type AuthenticatedPeer,
  encodeFrame,
  FAILURES_METRIC,
  HandshakeLimiter,
  type LimiterOptions,
  type LocalCredential,
  MESH_PROTOCOL_ID,
  type PeerVerifier,
} from "../../../src/handshake/index.ts";
import { type Meter, noTracer } from "../../../src/ports/index.ts";
import {
  engine,
  fakeCertificate,
  fakeVerifier,
  seededRandom,
  TRUST_DOMAIN,
} from "../../unit/handshake/fixture.ts";

const ECHO = "/test/echo/1.0.0";
const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

interface TestNode {
  readonly libp2p: Libp2p;
  readonly peers: { readonly peer: AuthenticatedPeer; readonly peerId: PeerId }[];
  /** Failure codes, in order. */
  readonly failures: string[];
  /** Resolves at the next failure. */
  nextFailure(): Promise<string>;
  address(): Multiaddr;
}

interface NodeOptions extends Partial<PqNoiseOptions> {
  readonly chain?: "valid" | "none" | "foreign";
  readonly verifier?: PeerVerifier;
  readonly limits?: Partial<LimiterOptions>;
  /** Encrypters in the place of the mesh's own. */
  readonly encrypters?: "classical" | "interop" | "mesh+interop";
}

const running: Libp2p[] = [];
after(async () => {
  for (const node of running) await node.stop();
});

async function startNode(seed: string, options: NodeOptions = {}): Promise<TestNode> {
  const edSeed = seededRandom(`${seed}/ed25519`).bytes(32);
  const ed25519 = engine.ed25519.signer(edSeed);
  const mldsa65 = engine.mlDsa65.signer(seededRandom(`${seed}/mldsa65`).bytes(32));
  const {
    chain = "valid",
    verifier = fakeVerifier(),
    limits,
    encrypters,
    ...noiseOptions
  } = options;
  const svidChain =
    chain === "none" ? [] : [fakeCertificate(ed25519.publicKey, mldsa65.publicKey, chain)];
  const credential: LocalCredential = { ed25519, mldsa65, svidChain };
  const peers: TestNode["peers"] = [];
  const failures: string[] = [];
  let waiting: ((code: string) => void)[] = [];
  const meter: Meter = {
    count: (name, labels) => {
      const code = labels?.["code"];
      if (name !== FAILURES_METRIC || code === undefined) return;
      failures.push(code);
      for (const resolve of waiting) resolve(code);
      waiting = [];
    },
    set: () => undefined,
    observe: () => undefined,
  };
  const limiter = new HandshakeLimiter(systemClock.now().monoMs, { addressBurst: 1000, ...limits });
  const deps = {
    engine,
    random: systemRandom,
    clock: systemClock,
    logger: quiet,
    meter,
    tracer: noTracer,
    limiter,
  };
  const onAuthenticated = (peer: AuthenticatedPeer, peerId: PeerId): void => {
    peers.push({ peer, peerId });
  };
  const mesh = pqNoise(
    { ...deps, verifier, credential: () => credential },
    { trustDomain: TRUST_DOMAIN, onAuthenticated, ...noiseOptions },
  );
  const interop = interopNoise({ ...deps, signer: ed25519 }, { onAuthenticated });
  const chosen: ((
    components: Parameters<ReturnType<typeof classicalNoise>>[0],
  ) => ConnectionEncrypter)[] =
    encrypters === "classical"
      ? [classicalNoise()]
      : encrypters === "interop"
        ? [interop]
        : encrypters === "mesh+interop"
          ? [mesh, interop]
          : [mesh];
  const libp2p = await createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", edSeed),
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    streamMuxers: [yamux()],
    connectionEncrypters: chosen,
    connectionManager: { inboundConnectionThreshold: 1000 },
  });
  running.push(libp2p);
  await libp2p.handle(ECHO, (stream) => {
    stream.addEventListener("message", (event) => {
      stream.send(event.data);
    });
    stream.addEventListener("remoteCloseWrite", () => void stream.close());
  });
  return {
    libp2p,
    peers,
    failures,
    nextFailure: () => new Promise((resolve) => waiting.push(resolve)),
    address: () => {
      const [address] = libp2p.getMultiaddrs();
      assert.ok(address);
      return address;
    },
  };
}

/** Sends `bytes` over a new stream and gives what comes back. */
async function echo(from: Libp2p, to: Multiaddr, bytes: Uint8Array): Promise<Uint8Array> {
  const stream = await from.dialProtocol(to, ECHO, { signal: AbortSignal.timeout(10_000) });
  const received: Uint8Array[] = [];
  let length = 0;
  const done = new Promise<void>((resolve) => {
    stream.addEventListener("message", ({ data }) => {
      received.push(data.subarray());
      length += data.byteLength;
      if (length >= bytes.length) resolve();
    });
  });
  for (let at = 0; at < bytes.length; at += 100_000) {
    if (!stream.send(bytes.subarray(at, at + 100_000))) await stream.onDrain();
  }
  await done;
  await stream.close();
  return Buffer.concat(received);
}

describe("two nodes with the mesh's encrypter", () => {
  test("connect, know each other's identity, and echo more than a frame holds", async () => {
    const a = await startNode("a");
    const b = await startNode("b");
    const bytes = seededRandom("payload").bytes(300_000);
    assert.deepEqual(Uint8Array.from(await echo(a.libp2p, b.address(), bytes)), bytes);
    const [connection] = a.libp2p.getConnections();
    assert.equal(connection?.encryption, MESH_PROTOCOL_ID);
    assert.equal(connection.multiplexer, "/yamux/1.0.0");
    const [seenByA] = a.peers;
    const [seenByB] = b.peers;
    assert.ok(seenByA?.peer.kind === "svid" && seenByB?.peer.kind === "svid");
    assert.ok(seenByA.peerId.equals(b.libp2p.peerId));
    assert.ok(seenByB.peerId.equals(a.libp2p.peerId));
    assert.deepEqual([...a.failures, ...b.failures], []);
  });

  test("refuse a peer other than the dialled one", async () => {
    const a = await startNode("a2");
    const b = await startNode("b2");
    const c = await startNode("c2");
    const [plain = ""] = b.address().toString().split("/p2p/");
    const wrong = multiaddr(`${plain}/p2p/${c.libp2p.peerId.toString()}`);
    await assert.rejects(a.libp2p.dial(wrong));
    assert.deepEqual(a.failures, ["handshake/wrong-peer"]);
    assert.equal(a.libp2p.getConnections().length, 0);
    await a.libp2p.dial(multiaddr(plain)); // without an expectation the same peer is welcome
  });

  test("refuse stock Noise in either direction: there is nothing to fall back to", async () => {
    const mesh = await startNode("mesh3");
    const stock = await startNode("stock3", { encrypters: "classical" });
    await assert.rejects(stock.libp2p.dial(mesh.address()));
    await assert.rejects(mesh.libp2p.dial(stock.address()));
    assert.deepEqual(mesh.peers, []);
  });

  test("tell the peer nothing: the dialler of a foreign chain sees a closed connection", async () => {
    const a = await startNode("a4", { chain: "foreign" });
    const b = await startNode("b4");
    const refusedAtB = b.nextFailure();
    await a.libp2p.dial(b.address()).catch(() => undefined); // may succeed for a moment: C is the last message
    assert.equal(await refusedAtB, "handshake/bad-chain");
    assert.deepEqual(b.peers, []);
  });

  test("let a joining dialler in where it is expected, and show it an unanchored issuer", async () => {
    const newcomer = await startNode("newcomer5", { chain: "none", acceptUnanchored: true });
    const issuer = await startNode("issuer5", { acceptJoining: () => true });
    await newcomer.libp2p.dial(issuer.address());
    await echo(newcomer.libp2p, issuer.address(), Uint8Array.of(1));
    assert.equal(newcomer.peers[0]?.peer.kind, "unanchored");
    assert.equal(issuer.peers[0]?.peer.kind, "joining");
  });

  test("refuse the handshake one past the limit of an address", async () => {
    const b = await startNode("b6", { limits: { addressBurst: 2, addressPerSecond: 0 } });
    for (let i = 0; i < 2; i++) {
      await echo((await startNode(`a6/${i}`)).libp2p, b.address(), Uint8Array.of(1));
    }
    const third = await startNode("a6/2");
    const refusedAtB = b.nextFailure();
    await assert.rejects(third.libp2p.dial(b.address()));
    assert.equal(await refusedAtB, "handshake/limited-address");
    assert.equal(b.peers.length, 2);
  });
});

describe("a fault of the node itself", () => {
  test("closes the connection, on the dialler's side and on the listener's", async () => {
    const broken = (): void => {
      throw new Error("the integrator's callback failed");
    };
    const a = await startNode("fa", { onAuthenticated: broken });
    const b = await startNode("fb");
    await assert.rejects(a.libp2p.dial(b.address()));
    assert.deepEqual(a.failures, ["handshake/unexpected"]);
    const refusedAtA = a.nextFailure();
    await b.libp2p.dial(a.address()).catch(() => undefined);
    assert.equal(await refusedAtA, "handshake/unexpected");
    assert.equal(a.libp2p.getConnections().length, 0);
  });
});

describe("the interop encrypter", () => {
  test("connects two nodes and says that the peer has no mesh identity", async () => {
    const a = await startNode("ia", { encrypters: "interop" });
    const b = await startNode("ib", { encrypters: "mesh+interop" });
    const bytes = Uint8Array.of(1, 2, 3);
    assert.deepEqual(Uint8Array.from(await echo(a.libp2p, b.address(), bytes)), bytes);
    assert.deepEqual(b.peers[0]?.peer, {
      kind: "interop",
      suite: "xxhfs-ed25519",
      peerId: a.libp2p.peerId.toString(),
    });
  });

  test("is not what two mesh nodes run when both also offer it", async () => {
    const a = await startNode("ic", { encrypters: "mesh+interop" });
    const b = await startNode("id", { encrypters: "mesh+interop" });
    await a.libp2p.dial(b.address());
    assert.equal(a.peers[0]?.peer.kind, "svid");
    assert.equal(a.libp2p.getConnections()[0]?.encryption, MESH_PROTOCOL_ID);
  });

  test("a mesh proposal stripped by a man in the middle gets interop rights at most, never a mesh identity", async () => {
    const a = await startNode("ie", { encrypters: "mesh+interop" });
    const b = await startNode("if", { encrypters: "mesh+interop" });
    const proxy = await stripProposal(b.address());
    const dialled = multiaddr(`/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${b.libp2p.peerId.toString()}`);
    await echo(a.libp2p, dialled, Uint8Array.of(1));
    assert.equal(a.peers[0]?.peer.kind, "interop");
    assert.equal(b.peers[0]?.peer.kind, "interop");
    proxy.server.close();
  });
});

describe("a man in the middle under pq-required", () => {
  test("who forges na gets no connection at all", async () => {
    const a = await startNode("ma");
    const b = await startNode("mb");
    const proxy = await stripProposal(b.address());
    const dialled = multiaddr(`/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${b.libp2p.peerId.toString()}`);
    await assert.rejects(a.libp2p.dial(dialled));
    assert.deepEqual([...a.peers, ...b.peers], []);
    proxy.server.close();
  });
});

/** A proxy that answers the mesh proposal with a forged `na`, and passes everything else. */
async function stripProposal(
  to: Multiaddr,
): Promise<{ readonly server: Server; readonly port: number }> {
  const proposal = lengthPrefixed(`${MESH_PROTOCOL_ID}\n`);
  const port = Number(/\/tcp\/(\d+)/.exec(to.toString())?.[1]);
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const header = lengthPrefixed("/multistream/1.0.0\n");
    let stripped = false;
    let swallow = 0;
    client.on("data", (chunk: Buffer) => {
      const at = stripped ? -1 : chunk.indexOf(proposal);
      if (at < 0) {
        upstream.write(chunk);
        return;
      }
      stripped = true;
      swallow = header.length;
      upstream.write(Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + proposal.length)]));
      client.write(Buffer.concat([header, lengthPrefixed("na\n")]));
    });
    // The listener's own header has been sent in its name already.
    upstream.on("data", (chunk: Buffer) => {
      const skipped = Math.min(swallow, chunk.length);
      swallow -= skipped;
      client.write(chunk.subarray(skipped));
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("close", () => other.destroy());
      one.on("error", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return { server, port: (server.address() as AddressInfo).port };
}

function lengthPrefixed(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
}

describe("garbage over TCP", () => {
  const select = Buffer.concat([
    lengthPrefixed("/multistream/1.0.0\n"),
    lengthPrefixed(`${MESH_PROTOCOL_ID}\n`),
  ]);

  /** Connects, selects the encrypter, sends `frames`, and waits until the node closes. */
  async function attack(node: TestNode, frames: readonly Uint8Array[]): Promise<Buffer> {
    const port = Number(/\/tcp\/(\d+)/.exec(node.address().toString())?.[1]);
    const socket: Socket = connect(port, "127.0.0.1");
    const received: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.write(Buffer.concat([select, ...frames]));
    await new Promise<void>((resolve) => {
      socket.on("close", () => resolve());
      socket.on("error", () => resolve());
    });
    return Buffer.concat(received);
  }

  const goodPoint = Buffer.from(
    "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13",
    "hex",
  );
  const goodA = Buffer.concat([goodPoint, engine.mlKem768.generate().encapsulationKey]);
  const badKem = Buffer.from(goodA).fill(0xff, 32);
  const lowOrder = Buffer.from(goodA).fill(0, 0, 32);
  const noise = Buffer.from(seededRandom("garbage").bytes(5000));

  const cases: readonly [string, readonly Uint8Array[], string, boolean][] = [
    [
      "a frame one byte too short for A",
      [encodeFrame(goodA.subarray(1))],
      "handshake/bad-length",
      false,
    ],
    [
      "a frame one byte too long for A",
      [encodeFrame(Buffer.concat([goodA, Buffer.of(0)]))],
      "handshake/bad-length",
      false,
    ],
    ["plain noise in the place of A", [noise], "handshake/bad-length", false],
    [
      "a KEM key with coefficients out of range",
      [encodeFrame(badKem)],
      "handshake/bad-kem-key",
      false,
    ],
    ["an X25519 point of low order", [encodeFrame(lowOrder)], "handshake/low-order-point", false],
    [
      "noise in the place of C",
      [encodeFrame(goodA), encodeFrame(noise)],
      "handshake/bad-tag",
      true,
    ],
    [
      "a C that is too short",
      [encodeFrame(goodA), encodeFrame(noise.subarray(0, 63))],
      "handshake/bad-length",
      true,
    ],
    [
      "a C that is too long",
      [encodeFrame(goodA), Buffer.of(0xff, 0xff)],
      "handshake/bad-length",
      true,
    ],
  ];
  for (const [name, frames, code, answersB] of cases) {
    test(`${name} closes the connection with ${code} and ${answersB ? "nothing after B" : "without an answer"}`, async () => {
      const node = await startNode(`victim/${name}`);
      const answer = await attack(node, frames);
      assert.deepEqual(node.failures, [code]);
      assert.equal(answer.length > select.length, answersB);
      assert.equal(node.libp2p.getConnections().length, 0);
      const friend = await startNode(`friend/${name}`);
      await friend.libp2p.dial(node.address()); // the node is none the worse
    });
  }

  test("silence ends at the deadline", async () => {
    const node = await startNode("silent", { handshakeTimeoutMs: 50 });
    await attack(node, []);
    assert.deepEqual(node.failures, ["handshake/timeout"]);
  });
});
