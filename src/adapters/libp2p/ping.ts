// The round trip of a given connection, by libp2p's ping protocol. The service itself chooses the connection, dials rather
// than use one that leads through a relay, and opens a stream for each ping, which costs several times what the ping does: here
// one stream of a connection is kept, as the protocol allows.

import type { Connection, Stream } from "@libp2p/interface";
import { type ByteStream, byteStream } from "@libp2p/utils";
import { equalBytes, MeshError } from "../../foundation/index.ts";
import type { Random } from "../../ports/index.ts";

/** The protocol of `ping({ protocolPrefix: PING_PREFIX })`. */
export const PING_PREFIX = "x0tta6bl4";
/** How long a peer may ping on one stream; after two quiet minutes the muxer ends it. */
export const PING_STREAM_MS_MAX = 3_600_000;
const PING_PROTOCOL = `/${PING_PREFIX}/ping/1.0.0`;
const PING_BYTES = 32;

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
    const signal = AbortSignal.timeout(timeoutMs);
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
