// The round trip of a given connection, by libp2p's ping protocol, and the echo for others. libp2p's own service chooses the
// connection, dials rather than use one that leads through a relay, and opens a stream for each ping, which costs several times what the
// ping does: here one stream of a connection is kept, as the protocol allows. Its echo ends a stream after a set time, by a timer that
// holds the stream and with it the whole connection until then, also when the peer has long gone.

import { type Connection, serviceCapabilities, type Stream } from "@libp2p/interface";
import type { ConnectionManager, Registrar } from "@libp2p/interface-internal";
import { type ByteStream, byteStream } from "@libp2p/utils";
import { equalBytes, MeshError } from "../../foundation/index.ts";
import type { Random } from "../../ports/index.ts";
import { answerDeadline } from "./answer-deadline.ts";

const PING_PROTOCOL = "/x0tta6bl4/ping/1.0.0";
const PING_BYTES = 32;
const PING_TIMEOUT_MS = 10_000;
/** Under way with one peer, each way: its own probe, those for helpers. */
const PINGS_PER_PEER_MAX = 8;

interface PingStream {
  readonly stream: Stream;
  readonly bytes: ByteStream<Stream>;
}

/** Pings, with a stream kept for each connection. */
export class Pinger {
  readonly #random: Random;
  readonly #idle = new WeakMap<Connection, PingStream>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Milliseconds. @throws what the stream throws, and MeshError `network/request-failed` for a wrong echo */
  async ping(connection: Connection, timeoutMs: number): Promise<number> {
    const signal = answerDeadline(timeoutMs);
    const kept = this.#takeIdle(connection);
    if (kept !== undefined) {
      try {
        return await this.#pingOn(connection, kept, signal);
      } catch (error) {
        // The peer may have ended the stream in this moment: only a fresh one says something of the peer.
        if (signal.aborted || connection.status !== "open") throw error;
      }
    }
    const startMs = performance.now();
    const stream = await connection.newStream(PING_PROTOCOL, {
      signal,
      runOnLimitedConnection: true,
    });
    return this.#pingOn(connection, { stream, bytes: byteStream(stream) }, signal, startMs);
  }

  #takeIdle(connection: Connection): PingStream | undefined {
    const idle = this.#idle.get(connection);
    this.#idle.delete(connection);
    return idle?.stream.status === "open" ? idle : undefined;
  }

  async #pingOn(
    connection: Connection,
    ping: PingStream,
    signal: AbortSignal,
    startMs: number = performance.now(),
  ): Promise<number> {
    const { stream, bytes } = ping;
    try {
      const sent = this.#random.bytes(PING_BYTES);
      await bytes.write(sent, { signal });
      const echo = await bytes.read({ bytes: PING_BYTES, signal });
      if (!equalBytes(echo.subarray(), sent))
        throw new MeshError("network/request-failed", "The peer's ping came back changed.");
      const rttMs = performance.now() - startMs;
      if (this.#idle.has(connection)) await stream.close({ signal });
      else this.#idle.set(connection, ping);
      return rttMs;
    } catch (error) {
      stream.abort(new Error("ping failed"));
      throw error;
    }
  }
}

interface PingComponents {
  readonly registrar: Registrar;
  readonly connectionManager: ConnectionManager;
}

/** The libp2p service of the protocol: it answers, until the muxer ends a stream after two quiet minutes. The DHT asks for one. */
class PingService {
  readonly [serviceCapabilities] = ["@libp2p/ping"];
  readonly #registrar: Registrar;
  readonly #connections: ConnectionManager;
  readonly #pinger: Pinger;

  constructor({ registrar, connectionManager }: PingComponents, pinger: Pinger) {
    this.#registrar = registrar;
    this.#connections = connectionManager;
    this.#pinger = pinger;
  }

  /** Milliseconds. Dials a peer that is not connected. */
  async ping(peer: Parameters<ConnectionManager["openConnection"]>[0]): Promise<number> {
    return this.#pinger.ping(await this.#connections.openConnection(peer), PING_TIMEOUT_MS);
  }

  async start(): Promise<void> {
    await this.#registrar.handle(PING_PROTOCOL, echo, {
      maxInboundStreams: PINGS_PER_PEER_MAX,
      maxOutboundStreams: PINGS_PER_PEER_MAX,
      runOnLimitedConnection: true,
    });
  }

  async stop(): Promise<void> {
    await this.#registrar.unhandle(PING_PROTOCOL);
  }
}

/** For `services` of a libp2p node. */
export function pingService(pinger: Pinger): (components: PingComponents) => PingService {
  return (components) => new PingService(components, pinger);
}

/** Ends with the stream. What the peer does not read is not kept for it. */
export async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) {
    if (stream.status !== "open") return;
    if (stream.send(data)) continue;
    stream.abort(new Error("the peer does not read its pings"));
    return;
  }
  await stream.close();
}
