// One request and its one answer on a stream of its own, both bounded and framed by their length.

import type { Connection, Stream } from "@libp2p/interface";
import { lpStream } from "@libp2p/utils";
import { errorMessage, MeshError } from "../../foundation/index.ts";

/** Bytes of a length prefix: enough for 256 MiB, and every limit of ours is far below. */
const LENGTH_BYTES_MAX = 4;

/**
 * A stream as length-prefixed messages of at most `bytesMax`. The prefix is bounded here: libp2p's own reader
 * (utils 7) takes length bytes that never end for as long as the peer sends them.
 */
export function framedStream(stream: Stream, bytesMax: number): ReturnType<typeof lpStream> {
  return lpStream(stream, {
    maxDataLength: bytesMax,
    lengthDecoder: (prefix) => decodeLength(prefix.subarray()),
  });
}

/** @throws RangeError when the prefix goes on, as libp2p expects it; MeshError when it goes on for too long */
function decodeLength(prefix: Uint8Array): number {
  let length = 0;
  for (const [at, byte] of prefix.entries()) {
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return length;
  }
  if (prefix.length < LENGTH_BYTES_MAX) throw new RangeError("The length prefix goes on.");
  throw new MeshError("network/request-failed", "The length prefix is too long.");
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
}

/**
 * One request and its answer on a connection.
 * @throws MeshError `network/request-failed`
 */
export async function exchange(
  connection: Connection,
  protocol: string,
  request: Uint8Array,
  { timeoutMs, responseBytesMax }: RequestOptions,
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(timeoutMs);
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(protocol, { signal });
    const framed = framedStream(stream, responseBytesMax);
    await framed.write(request, { signal });
    const response = (await framed.read({ signal })).subarray();
    await stream.close({ signal });
    return response;
  } catch (cause) {
    stream?.abort(new Error("request failed"));
    throw new MeshError(
      "network/request-failed",
      `The peer did not answer on ${protocol}: ${errorMessage(cause)}.`,
      { protocol },
      { cause },
    );
  }
}
