// A peer as the daemon under load sees it: its own keys, SVID, TCP connection and handshake, the beacons and heartbeats of
// the production machine at their normal times, pings each way. What it leaves out is what a daemon does for itself: it takes no
// beacon of others, and so has nobody to dial, to suspect or to route to.

import { hash } from "node:crypto";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import type { Connection, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../adapters/clock.ts";
import { pqNoise } from "../adapters/libp2p/encrypter.ts";
import { framedStream } from "../adapters/libp2p/exchange.ts";
import { Pinger, pingService } from "../adapters/libp2p/ping.ts";
import { topicOf } from "../adapters/libp2p/topics.ts";
import { systemRandom } from "../adapters/random.ts";
import { concatBytes, uint32be } from "../foundation/index.ts";
import { HandshakeLimiter, type PeerVerifier } from "../handshake/index.ts";
import {
  ChainVerifier,
  nodeIdOf,
  parseLeafKey,
  type PeerIdentity,
  type TrustBundle,
} from "../identity/index.ts";
import {
  type MeshAction,
  type MeshEvent,
  MeshMachine,
  type MeshTimerId,
  type MeshTopic,
} from "../mesh/index.ts";
import { type Meter, noTracer } from "../ports/index.ts";
import { type Credential, engine } from "./domain.ts";
import { GOSSIP_PROTOCOL, grafting, publishing, RpcReader, subscribing } from "./gossip-wire.ts";

const nothing = (): void => undefined;
const unmetered: Meter = { count: nothing, set: nothing, observe: nothing };
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export const ZONE = "default";
const TOPICS = ["state", "heartbeat"] as const;
/** The daemon's pull of beacons; see node/mesh-service.ts. */
const SYNC_PROTOCOL = "/x0tta6bl4/sync/2";
const SYNC_REQUEST_BYTES_MAX = 256 * 1024;
const DIAL_TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 10_000;

/** When a message went out, or came in, by the first digits of its hash: nanoseconds of the host's monotonic clock. */
export type Stamps = Map<string, bigint>;

export function keyOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex").slice(0, 16);
}

export interface VirtualPeerOptions {
  readonly credential: Credential;
  /** Of the credential's Ed25519 key. */
  readonly ed25519Seed: Uint8Array;
  readonly bundle: TrustBundle;
  /** Where it connects from: the daemon counts strangers by address. */
  readonly localAddress: string;
  readonly probeIntervalMs: number;
  /** Told of each beacon before it is written. */
  readonly onPublish: (bytes: Uint8Array) => void;
  readonly onProbe: (rttMs: number | undefined) => void;
  /** With it the peer takes part in the topics' meshes: each message that the daemon has accepted comes here. */
  readonly onMessage?: (bytes: Uint8Array) => void;
}

type Services = { readonly ping: unknown; readonly identify: unknown };

export class VirtualPeer {
  readonly #options: VirtualPeerOptions;
  readonly #machine: MeshMachine;
  readonly #timers = new Map<MeshTimerId | "probe", NodeJS.Timeout>();
  readonly #pinger = new Pinger(systemRandom);
  #libp2p: Libp2p<Services> | undefined;
  #connection: Connection | undefined;
  #gossip: Stream | undefined;
  #daemon: PeerIdentity | undefined;

  constructor(options: VirtualPeerOptions) {
    this.#options = options;
    const { keys } = options.credential;
    this.#machine = new MeshMachine({
      engine,
      signer: keys.mldsa65,
      self: {
        nodeId: keys.nodeId,
        epoch: Math.floor(systemClock.now().wallMs / 1_000),
        addresses: [],
        zone: ZONE,
        roles: [],
      },
      identities: { lookup: () => undefined },
      allows: () => true,
      random: systemRandom,
      meter: unmetered,
    });
  }

  get connected(): boolean {
    return this.#connection?.status === "open";
  }

  /** Connects, and behaves like a member from then on. @throws when the daemon takes no more */
  async join(address: string): Promise<void> {
    const libp2p = await this.#create();
    this.#libp2p = libp2p;
    await libp2p.handle(GOSSIP_PROTOCOL, (stream) => this.#listen(stream));
    await libp2p.handle(SYNC_PROTOCOL, (stream) => this.#answerSync(stream));
    const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    this.#connection = await libp2p.dial(multiaddr(address), { signal });
    this.#gossip = await this.#connection.newStream(GOSSIP_PROTOCOL, { signal });
    this.#gossip.addEventListener("message", nothing);
    const { trustDomain } = this.#options.bundle;
    const topics = TOPICS.map((name) => topicOf(trustDomain, ZONE, name));
    this.#gossip.send(subscribing(topics));
    if (this.#options.onMessage !== undefined) this.#gossip.send(grafting(topics));
    this.#handle({ kind: "started" });
    if (this.#daemon !== undefined)
      this.#handle({ kind: "peer-connected", peer: this.#daemon, addresses: [] });
    this.#timers.set(
      "probe",
      setInterval(() => void this.#probe(), this.#options.probeIntervalMs),
    );
  }

  /** Says goodbye as a daemon does, and closes. Idempotent. */
  async leave(): Promise<void> {
    this.#handle({ kind: "stopping" });
    for (const timer of this.#timers.values()) clearInterval(timer);
    this.#timers.clear();
    this.#gossip = undefined;
    await this.#libp2p?.stop();
    this.#libp2p = undefined;
    this.#options.credential.keys.destroy();
  }

  async #create(): Promise<Libp2p<Services>> {
    // What libp2p's type does not name goes to net.connect all the same.
    const dialOpts = { keepAlive: true, localAddress: this.#options.localAddress };
    return createLibp2p({
      privateKey: await generateKeyPairFromSeed("Ed25519", this.#options.ed25519Seed),
      addresses: { listen: [] },
      transports: [tcp({ dialOpts })],
      streamMuxers: [yamux()],
      connectionEncrypters: [this.#encrypter()],
      connectionManager: { reconnectRetries: 0 },
      connectionMonitor: { enabled: false },
      services: {
        identify: identify({ protocolPrefix: "x0tta6bl4" }),
        ping: pingService(this.#pinger),
      },
    });
  }

  #encrypter(): ReturnType<typeof pqNoise> {
    const { credential, bundle } = this.#options;
    const chains = new ChainVerifier({ engine, meter: unmetered }, bundle);
    const verifier: PeerVerifier = {
      verifyChain: (chain, ed25519) =>
        chains.verify({ chain, ed25519, now: systemClock.now().wallMs }),
      parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
      nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
      allowsJoin: () => true,
    };
    const { keys, svidChain } = credential;
    return pqNoise(
      {
        ...{ engine, verifier, random: systemRandom, clock: systemClock, logger: quiet },
        ...{ meter: unmetered, tracer: noTracer },
        limiter: new HandshakeLimiter(systemClock.now().monoMs),
        credential: () => ({ ed25519: keys.ed25519, mldsa65: keys.mldsa65, svidChain }),
      },
      {
        trustDomain: bundle.trustDomain,
        onAuthenticated: (peer) => {
          if (peer.kind === "svid") this.#daemon = peer.identity;
        },
      },
    );
  }

  #handle(event: MeshEvent): void {
    for (const action of this.#machine.handle(event, systemClock.now())) this.#carryOut(action);
  }

  #carryOut(action: MeshAction): void {
    if (action.kind === "set-timer") {
      const { id, delayMs } = action;
      clearTimeout(this.#timers.get(id));
      this.#timers.set(
        id,
        setTimeout(() => this.#handle({ kind: "timer", id }), delayMs),
      );
    } else if (action.kind === "publish") this.#publish(action.topic, action.bytes);
  }

  #publish(topic: MeshTopic, bytes: Uint8Array): void {
    if (this.#gossip?.status !== "open") return;
    const rpc = publishing(topicOf(this.#options.bundle.trustDomain, ZONE, topic), bytes);
    this.#options.onPublish(bytes);
    this.#gossip.send(rpc);
  }

  /** What the daemon gossips: read by an observer, thrown away by all others. */
  #listen(stream: Stream): void {
    const { onMessage } = this.#options;
    const reader = new RpcReader();
    stream.addEventListener("message", ({ data }) => {
      if (onMessage === undefined) return;
      for (const message of reader.take(data.subarray()))
        if (message.data !== undefined) onMessage(message.data);
    });
  }

  async #answerSync(stream: Stream): Promise<void> {
    const framed = framedStream(stream, SYNC_REQUEST_BYTES_MAX);
    const signal = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    try {
      const digest = (await framed.read({ signal })).subarray();
      const beacons = this.#machine.beaconsMissingFrom(digest);
      const answer = concatBytes(...beacons.flatMap((bytes) => [uint32be(bytes.length), bytes]));
      await framed.write(answer, { signal });
      await stream.close({ signal });
    } catch {
      stream.abort(new Error("the daemon is gone"));
    }
  }

  async #probe(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      const rttMs = await this.#pinger.ping(connection, PROBE_TIMEOUT_MS);
      this.#options.onProbe(rttMs);
      if (this.#daemon !== undefined)
        this.#handle({ kind: "rtt", nodeId: this.#daemon.nodeId, rttMs });
    } catch {
      this.#options.onProbe(undefined);
    }
  }
}
