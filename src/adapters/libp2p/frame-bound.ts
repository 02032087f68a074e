// Bounds the messages of libp2p's own protocols before libp2p reads them. Its readers (utils 7) take length bytes that never end, each
// at the price of an exception, and the DHT's and the relay's (kad-dht 16, circuit-relay-v2 4) messages of 4 MiB, which may be half a million
// addresses. Our own protocols are bounded in exchange.ts, gossip in gossip.ts.

import type { Connection, MessageStream, Stream } from "@libp2p/interface";
import { MeshError } from "../../foundation/index.ts";
import { RateLimiter } from "../../mesh/index.ts";
import type { MonoMs } from "../../ports/index.ts";
import { RELAY_HOP_PROTOCOL, RELAY_STOP_PROTOCOL, UPGRADE_PROTOCOL } from "./relay.ts";

export const RECORDS_PROTOCOL = "/x0tta6bl4/kad/1.0.0";

/** Bytes of a length prefix: 2^21 and more is more than any bound here. */
const LENGTH_BYTES_MAX = 3;

/** What one message of a protocol may be. */
interface FrameBound {
  readonly bytesMax: number;
  /** After so many messages come bytes that are no messages. @default all are messages */
  readonly messages?: number;
}

/**
 * Messages that a member may bring the DHT here: none asks one node for more than two records, and a search asks each node once. What
 * is beyond ends its stream.
 */
const RECORDS_RATE = { perSecond: 16, burst: 128, bucketsMax: 1_024 };

/** A record of 40 KiB with its key and the 20 peers that are closer; or 500 providers. */
const RECORDS_BYTES_MAX = 64 * 1024;
/** As libp2p's own limits, where it has some. */
const SMALL_BYTES_MAX = 8 * 1024;

const BOUNDS = new Map<string, FrameBound>([
  [RECORDS_PROTOCOL, { bytesMax: RECORDS_BYTES_MAX }],
  ["/x0tta6bl4/id/1.0.0", { bytesMax: SMALL_BYTES_MAX }],
  ["/x0tta6bl4/autonat/1.0.0", { bytesMax: SMALL_BYTES_MAX }],
  [UPGRADE_PROTOCOL, { bytesMax: SMALL_BYTES_MAX }],
  [RELAY_HOP_PROTOCOL, { bytesMax: SMALL_BYTES_MAX, messages: 1 }],
  [RELAY_STOP_PROTOCOL, { bytesMax: SMALL_BYTES_MAX, messages: 1 }],
]);

/** Bounds what comes on streams of such protocols; one of another protocol is left alone. */
export class FrameGuard {
  readonly #monoMs: () => MonoMs;
  readonly #records = new RateLimiter(RECORDS_RATE);

  constructor(monoMs: () => MonoMs) {
    this.#monoMs = monoMs;
  }

  /** Before anybody listens to the stream. It is aborted on the first message that is too long, or one too many. */
  watch({ remotePeer }: Pick<Connection, "remotePeer">, stream: Watched): void {
    const bound = BOUNDS.get(stream.protocol);
    if (bound === undefined) return;
    const isAsked = stream.protocol === RECORDS_PROTOCOL && stream.direction === "inbound";
    const admits = (): boolean =>
      !isAsked || this.#records.take(remotePeer.toString(), this.#monoMs());
    const frames = new FrameScanner(bound, admits);
    const dispatch = stream.dispatchEvent.bind(stream);
    let isAborted = false;
    stream.dispatchEvent = (event) => {
      if (event.type !== "message") return dispatch(event);
      if (isAborted) return true;
      if (frames.admits((event as MessageEvent).data)) return dispatch(event);
      isAborted = true;
      stream.abort(new MeshError("network/request-failed", "The peer says too much."));
      return true;
    };
  }
}

type Watched = Pick<MessageStream, "dispatchEvent" | "abort"> &
  Pick<Stream, "protocol" | "direction">;

type MessageEvent = Event & { readonly data: Uint8Array | Iterable<Uint8Array> };

/** Follows the lengths in what arrives, whatever pieces it comes in. */
class FrameScanner {
  readonly #bytesMax: number;
  /** Of the message that is arriving. */
  #bodyLeft = 0;
  #length = 0;
  #lengthBytes = 0;
  #messagesLeft: number;
  readonly #admitsMessage: () => boolean;

  /** @param admitsMessage asked once for each message, when its length is known */
  constructor({ bytesMax, messages = Infinity }: FrameBound, admitsMessage: () => boolean) {
    this.#bytesMax = bytesMax;
    this.#admitsMessage = admitsMessage;
    this.#messagesLeft = messages;
  }

  /** @returns false when a message is not admitted; what comes after that must not be asked about */
  admits(data: Uint8Array | Iterable<Uint8Array>): boolean {
    const chunks = data instanceof Uint8Array ? [data] : data;
    for (const chunk of chunks) if (!this.#admitsChunk(chunk)) return false;
    return true;
  }

  #admitsChunk(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length && this.#messagesLeft > 0; ) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        at += taken;
        this.#bodyLeft -= taken;
        if (this.#bodyLeft === 0) this.#messagesLeft--;
      } else if (!this.#admitsLengthByte(chunk[at++] ?? 0)) return false;
    }
    return true;
  }

  #admitsLengthByte(byte: number): boolean {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes++);
    if (byte >= 0x80) return this.#lengthBytes < LENGTH_BYTES_MAX;
    if (this.#length > this.#bytesMax || !this.#admitsMessage()) return false;
    this.#bodyLeft = this.#length;
    if (this.#bodyLeft === 0) this.#messagesLeft--;
    this.#length = this.#lengthBytes = 0;
    return true;
  }
}
