// One request and its one answer on a stream of its own, both bounded and framed by their length.

import type { Connection, Stream } from "@libp2p/interface";
import { lpStream } from "@libp2p/utils";
import { errorMessage, MeshError } from "../../foundation/index.ts";

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
    const framed = lpStream(stream, { maxDataLength: responseBytesMax });
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
