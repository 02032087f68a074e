// A peer that speaks the mesh's handshake and then does as it likes: with a member's SVID, or with none.

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, Stream, StreamMuxer } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { systemClock } from "../../../src/adapters/clock.ts";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { pqNoise } from "../../../src/adapters/libp2p/encrypter.ts";
import { joinMesh } from "../../../src/adapters/libp2p/join-client.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { HandshakeLimiter } from "../../../src/handshake/index.ts";
import {
  nodeIdOf,
  type NodeKeys,
  nodeKeysFromSeeds,
  parseJoinToken,
  parseLeafKey,
} from "../../../src/identity/index.ts";
import { noTracer } from "../../../src/ports/index.ts";
import { type Cleanup, TRUST_DOMAIN } from "./harness.ts";

const engine = createNativeEngine();
const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const unmetered = { count: () => undefined, set: () => undefined, observe: () => undefined };
const shared = {
  engine,
  random: systemRandom,
  clock: systemClock,
  logger: quiet,
  meter: unmetered,
  tracer: noTracer,
};

/** How a stream of the hostile peer ended, and what came over it before. */
export interface StreamEnd {
  readonly how: "reset" | "closed" | "connection lost" | "still open";
  readonly bytes: number;
}

export class HostilePeer {
  readonly keys: NodeKeys;
  readonly #libp2p: Libp2p;
  readonly #address: string;
  #connection: Connection | undefined;

  private constructor(libp2p: Libp2p, keys: NodeKeys, address: string) {
    this.#libp2p = libp2p;
    this.keys = keys;
    this.#address = address;
  }

  /** A peer without an SVID; with `token` it has joined before, under `name`. */
  static async make(
    t: Cleanup,
    address: string,
    member?: { readonly token: string; readonly name: string },
  ): Promise<HostilePeer> {
    const ed25519Seed = systemRandom.bytes(32);
    const keys = nodeKeysFromSeeds(engine, {
      ed25519: ed25519Seed,
      mldsa65: systemRandom.bytes(32),
    });
    const token = member && parseJoinToken(member.token);
    const svidChain =
      token?.ok === true
        ? (
            await joinMesh({ ...shared, keys, ed25519Seed }, token.value, {
              ...{ kind: "token", token: token.value },
              name: member?.name ?? "",
            })
          ).identity.chain
        : [];
    const encrypter = pqNoise(
      {
        ...shared,
        limiter: new HandshakeLimiter(systemClock.now().monoMs),
        verifier: {
          verifyChain: () => ({ ok: false, code: "identity/untrusted" }),
          parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
          nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
          allowsJoin: () => true,
        },
        credential: () => ({ ed25519: keys.ed25519, mldsa65: keys.mldsa65, svidChain }),
      },
      { trustDomain: TRUST_DOMAIN, acceptUnanchored: true },
    );
    const libp2p = await createLibp2p({
      privateKey: await generateKeyPairFromSeed("Ed25519", ed25519Seed),
      addresses: { listen: [] },
      transports: [tcp()],
      streamMuxers: [yamux()],
      connectionEncrypters: [encrypter],
      connectionManager: { reconnectRetries: 0 },
      connectionMonitor: { enabled: false },
    });
    t.after(() => libp2p.stop());
    return new HostilePeer(libp2p, keys, address);
  }

  /** @param address another daemon's than the one it was made for */
  async connect(address = this.#address): Promise<Connection> {
    this.#connection = await this.#libp2p.dial(multiaddr(address), {
      signal: AbortSignal.timeout(5_000),
    });
    return this.#connection;
  }

  get connected(): boolean {
    return this.#connection?.status === "open";
  }

  /** Opens a stream; undefined when not even the protocol could be agreed on. */
  async open(protocol: string): Promise<Stream | undefined> {
    try {
      return await this.#connection?.newStream(protocol, { signal: AbortSignal.timeout(5_000) });
    } catch {
      return undefined;
    }
  }

  /** A stream of the multiplexer below libp2p's negotiation: the daemon waits for the name of a protocol on it. */
  async openRaw(): Promise<Stream> {
    const { muxer } = this.#connection as unknown as { readonly muxer: StreamMuxer };
    return muxer.createStream();
  }

  /** Answers every request of `protocol` with the same bytes, whatever it says. */
  async answers(protocol: string, answer: Uint8Array): Promise<void> {
    await this.#libp2p.handle(protocol, (stream) => {
      stream.addEventListener(
        "message",
        () => {
          stream.send(framed(answer));
          stream.close().catch(() => undefined);
        },
        { once: true },
      );
    });
  }

  /** Opens a stream of `protocol`, sends `bytes`, and waits for its end. */
  async attempt(
    protocol: string,
    bytes: Uint8Array,
    { closeWrite = false, waitMs = 5_000 }: { closeWrite?: boolean; waitMs?: number } = {},
  ): Promise<StreamEnd> {
    const stream = await this.open(protocol);
    if (stream === undefined)
      return { how: this.connected ? "reset" : "connection lost", bytes: 0 };
    return endOf(stream, bytes, closeWrite, waitMs);
  }
}

/** Sends and waits until the other side ends the stream. */
export function endOf(
  stream: Stream,
  bytes: Uint8Array,
  closeWrite: boolean,
  waitMs: number,
): Promise<StreamEnd> {
  return new Promise((resolve) => {
    let received = 0;
    const done = (how: StreamEnd["how"]): void => {
      clearTimeout(timer);
      resolve({ how, bytes: received });
    };
    const timer = setTimeout(() => done("still open"), waitMs);
    stream.addEventListener("message", ({ data }) => (received += data.byteLength));
    stream.addEventListener("remoteCloseWrite", () => void stream.close().catch(() => undefined));
    stream.addEventListener("close", ({ error }) => done(error === undefined ? "closed" : "reset"));
    if (stream.status !== "open") {
      done("reset");
      return;
    }
    try {
      stream.send(bytes);
      if (closeWrite) stream.close().catch(() => undefined);
    } catch {
      done("reset");
    }
  });
}

/** A frame as the request protocols have it: length as a varint, then the bytes. */
export function framed(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const prefix: number[] = [];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) prefix.push((rest % 128) | 0x80);
  return Uint8Array.from([...prefix, rest, ...bytes]);
}
