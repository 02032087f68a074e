// A whole handshake over loopback TCP with both sides in this process: ours against classical Noise XX in the
// same run. Both are libp2p encrypters on raw libp2p connections, without multistream-select and muxer; the time
// runs from the two open connections to both sides having verified the other.

import { noise as classicalNoise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type {
  ComponentLogger,
  Connection,
  ConnectionEncrypter,
  Logger,
  MultiaddrConnection,
  Upgrader,
} from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../src/adapters/clock.ts";
import { createWasmEngine } from "../src/adapters/wasm/engine.ts";
import { pqNoise } from "../src/adapters/libp2p/encrypter.ts";
import { systemRandom } from "../src/adapters/random.ts";
import {
  HandshakeLimiter,
  type LocalCredential,
  MESH_PROTOCOL_ID,
  type PeerVerifier,
} from "../src/handshake/index.ts";
import {
  ChainVerifier,
  createRoot,
  Issuer,
  nodeIdOf,
  parseLeafKey,
  type TrustBundle,
  verifyChain,
} from "../src/identity/index.ts";
import { type Meter, noTracer, type Tracer } from "../src/ports/index.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const TRUST_DOMAIN = "bench.example";
const engine = createWasmEngine({ random: systemRandom });
const nothing = (): void => undefined;
const meter: Meter = { count: nothing, set: nothing, observe: nothing };
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A libp2p logger that drops everything. */
const silent: Logger = Object.assign(nothing, {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: (): Logger => silent,
});
const componentLogger: ComponentLogger = { forComponent: () => silent };

/** An upgrader as far as encrypters look: no muxers, one encrypter. */
const upgraderOf = (protocol: string): Upgrader =>
  ({
    getStreamMuxers: () => new Map(),
    getConnectionEncrypters: () => new Map([[protocol, undefined]]),
  }) as unknown as Upgrader;

export interface Issued {
  readonly bundle: TrustBundle;
  readonly credentials: readonly LocalCredential[];
}

/** Two nodes with chains of two certificates under one root. */
export function issue(): Issued {
  const rootSigner = engine.mlDsa65.signer(systemRandom.bytes(32));
  const nowMs = systemClock.now().wallMs;
  const deps = { engine, random: systemRandom, rootSigner };
  const root = createRoot(deps, { trustDomain: TRUST_DOMAIN, nowMs });
  const issuer = new Issuer(deps, { trustDomain: TRUST_DOMAIN, root });
  const credentials = ["one", "two"].map((name) => {
    const ed25519 = engine.ed25519.signer(systemRandom.bytes(32));
    const mldsa65 = engine.mlDsa65.signer(systemRandom.bytes(32));
    const keys = { ed25519: ed25519.publicKey, mldsa65: mldsa65.publicKey };
    return { ed25519, mldsa65, svidChain: issuer.issueNodeSvid({ name, nowMs, ...keys }) };
  });
  return { bundle: { trustDomain: TRUST_DOMAIN, sequence: 1, authorities: [root] }, credentials };
}

/** Verifies every chain anew, or remembers those seen before as a running node does. */
function verifierOf(bundle: TrustBundle, memory: "fresh" | "known"): PeerVerifier {
  const known = new ChainVerifier({ engine, meter }, bundle);
  return {
    verifyChain: (chain, ed25519) => {
      const claim = { chain, ed25519, now: systemClock.now().wallMs };
      return memory === "known" ? known.verify(claim) : verifyChain({ engine, bundle, ...claim });
    },
    parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
    nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
    allowsJoin: () => true,
  };
}

export type Encrypters = readonly [dialler: ConnectionEncrypter, listener: ConnectionEncrypter];

export function meshEncrypters(
  { bundle, credentials }: Issued,
  memory: "fresh" | "known",
  tracer: Tracer = noTracer,
): Encrypters {
  const [dialler, listener] = credentials.map((credential) => {
    const unlimited = { addressBurst: 1e9, globalBurst: 1e9 };
    const limiter = new HandshakeLimiter(systemClock.now().monoMs, unlimited);
    const deps = {
      engine,
      random: systemRandom,
      clock: systemClock,
      logger: quiet,
      meter,
      tracer,
      limiter,
    };
    const verifier = verifierOf(bundle, memory);
    return pqNoise(
      { ...deps, verifier, credential: () => credential },
      { trustDomain: TRUST_DOMAIN },
    )({ upgrader: upgraderOf(MESH_PROTOCOL_ID) });
  });
  if (dialler === undefined || listener === undefined)
    throw new Error("two credentials are needed");
  return [dialler, listener];
}

async function classicalEncrypters(): Promise<Encrypters> {
  const make = async (): Promise<ConnectionEncrypter> => {
    const privateKey = await generateKeyPairFromSeed("Ed25519", systemRandom.bytes(32));
    const peerId = peerIdFromPrivateKey(privateKey);
    const upgrader = upgraderOf("/noise");
    return classicalNoise()({ privateKey, peerId, upgrader, logger: componentLogger });
  };
  return [await make(), await make()];
}

/** Real sockets through libp2p's TCP transport, with an upgrader that only hands out the raw connections. */
export async function loopback(): Promise<{
  readonly open: () => Promise<readonly [MultiaddrConnection, MultiaddrConnection]>;
  readonly close: () => Promise<void>;
}> {
  const transport = tcp()({ logger: componentLogger });
  let accept: (connection: MultiaddrConnection) => void = nothing;
  const upgrader = {
    upgradeInbound: (connection: MultiaddrConnection) => {
      accept(connection);
      return Promise.resolve();
    },
    upgradeOutbound: (connection: MultiaddrConnection) => Promise.resolve(connection),
    createInboundAbortSignal: (signal: AbortSignal) => Object.assign(signal, { clear: nothing }),
  } as unknown as Upgrader;
  const listener = transport.createListener({ upgrader });
  await listener.listen(multiaddr("/ip4/127.0.0.1/tcp/0"));
  const [address] = listener.getAddrs();
  if (address === undefined) throw new Error("the listener has no address");
  const open = async (): Promise<readonly [MultiaddrConnection, MultiaddrConnection]> => {
    const accepted = new Promise<MultiaddrConnection>((resolve) => (accept = resolve));
    const signal = AbortSignal.timeout(10_000);
    const dialled: Connection = await transport.dial(address, { upgrader, signal });
    return [dialled as unknown as MultiaddrConnection, await accepted];
  };
  return { open, close: () => listener.close() };
}

interface Sample {
  readonly ms: number;
  readonly bytes: number;
}

/** One handshake; `bytes` is what both sides handed to their sockets. */
export async function handshake(
  [dialler, listener]: Encrypters,
  [outbound, inbound]: readonly [MultiaddrConnection, MultiaddrConnection],
): Promise<Sample> {
  let bytes = 0;
  for (const connection of [outbound, inbound]) {
    const send = connection.send.bind(connection);
    connection.send = (data) => {
      bytes += data.byteLength;
      return send(data);
    };
  }
  const start = performance.now();
  await Promise.all([dialler.secureOutbound(outbound), listener.secureInbound(inbound)]);
  const ms = performance.now() - start;
  outbound.abort(new Error("measured"));
  inbound.abort(new Error("measured"));
  return { ms, bytes };
}

export const suite: BenchSuite = async (report, { seconds }) => {
  const issued = issue();
  const rows: readonly [string, Encrypters][] = [
    ["handshake/full", meshEncrypters(issued, "fresh")],
    ["handshake/full/known-chain", meshEncrypters(issued, "known")],
    ["handshake/classical-xx", await classicalEncrypters()],
  ];
  const { open, close } = await loopback();
  for (const [name, encrypters] of rows) {
    const measured: Sample[] = [];
    const warmEnd = performance.now() + seconds * 200;
    while (performance.now() < warmEnd) await handshake(encrypters, await open());
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end || measured.length < 5) {
      measured.push(await handshake(encrypters, await open()));
    }
    report(
      summarize(
        name,
        "ms",
        measured.map(({ ms }) => ms),
      ),
    );
    if (name === "handshake/full/known-chain") continue;
    report(
      summarize(
        `${name}/bytes`,
        "bytes",
        measured.map(({ bytes }) => bytes),
      ),
    );
  }
  await close();
};
