// The round trip of a given connection, by libp2p's ping protocol. The service itself chooses the connection, and dials
// rather than use one that leads through a relay.

import type { Connection } from "@libp2p/interface";
import { byteStream } from "@libp2p/utils";
import { equalBytes, MeshError } from "../../foundation/index.ts";
import type { Random } from "../../ports/index.ts";

/** The protocol of `ping({ protocolPrefix: PING_PREFIX })`. */
export const PING_PREFIX = "x0tta6bl4";
const PING_PROTOCOL = `/${PING_PREFIX}/ping/1.0.0`;
const PING_BYTES = 32;

/** Milliseconds. @throws what the stream throws, and MeshError `network/request-failed` for a wrong echo */
export async function pingOver(
  connection: Connection,
  random: Random,
  timeoutMs: number,
): Promise<number> {
  const signal = AbortSignal.timeout(timeoutMs);
  const startMs = performance.now();
  const stream = await connection.newStream(PING_PROTOCOL, {
    signal,
    runOnLimitedConnection: true,
  });
  try {
    const bytes = byteStream(stream);
    const sent = random.bytes(PING_BYTES);
    await bytes.write(sent, { signal });
    const echo = await bytes.read({ bytes: PING_BYTES, signal });
    if (!equalBytes(echo.subarray(), sent))
      throw new MeshError("network/request-failed", "The peer's ping came back changed.");
    const rttMs = performance.now() - startMs;
    await stream.close({ signal });
    return rttMs;
  } catch (error) {
    stream.abort(new Error("ping failed"));
    throw error;
  }
}
