// The encrypted connection after a handshake: a libp2p message stream whose frames are sealed with the session's
// two ciphers. A frame that does not open ends the connection.

import type { AbortOptions, MessageStream, StreamMessageEvent } from "@libp2p/interface";
import { AbstractMessageStream, type SendResult } from "@libp2p/utils";
import { Uint8ArrayList } from "uint8arraylist";
import { concatBytes, uint16be } from "../../foundation/index.ts";
import {
  FrameDecoder,
  type SessionKeys,
  TRANSPORT_PLAINTEXT_BYTES_MAX,
} from "../../handshake/index.ts";

/**
 * Wraps `stream`, which stands at its first transport frame, and owns `keys`.
 *
 * What is sent while the event loop looks at its sockets is sealed together afterwards: the frames of several streams become one
 * write. A write costs more than the sealing of a kilobyte, and libp2p's TCP makes one of every buffer that it is given.
 */
export class NoiseStream extends AbstractMessageStream {
  readonly #stream: MessageStream;
  readonly #keys: SessionKeys;
  readonly #decoder = new FrameDecoder();
  /** Not sealed yet. */
  readonly #pending = new Uint8ArrayList();
  #flush: NodeJS.Immediate | undefined;
  #canSendMore = true;
  #closing = false;

  constructor(stream: MessageStream, keys: SessionKeys) {
    super({
      log: stream.log.newScope("noise"),
      direction: stream.direction,
      inactivityTimeout: stream.inactivityTimeout,
      maxReadBufferLength: stream.maxReadBufferLength,
    });
    this.#stream = stream;
    this.#keys = keys;
    stream.addEventListener("message", (event) => {
      this.#receive(event);
    });
    stream.addEventListener("close", ({ error, local }) => {
      this.#wipe();
      if (error === undefined) this.onTransportClosed();
      else if (local === true) this.abort(error);
      else this.onRemoteReset();
    });
    stream.addEventListener("drain", () => {
      this.#canSendMore = true;
      if (this.#sendPending()) this.safeDispatchEvent("drain");
    });
    stream.addEventListener("remoteCloseWrite", () => {
      this.onRemoteCloseWrite();
    });
  }

  /**
   * What comes after the end is lost, like all that was on the wire: libp2p would throw. Yamux opens a stream in a microtask of
   * its own, and what is thrown there, because the peer went in that moment, nobody can catch: it ended the daemon.
   */
  override send(data: Uint8Array | Uint8ArrayList): boolean {
    return !this.#closing && this.writeStatus !== "closed" && super.send(data);
  }

  sendData(data: Uint8ArrayList): SendResult {
    this.#pending.append(data.sublist());
    const { byteLength: pendingBytes } = this.#pending;
    if (pendingBytes >= TRANSPORT_PLAINTEXT_BYTES_MAX && this.#canSendMore) this.#sendPending();
    else this.#flush ??= setImmediate(() => this.#sendPending());
    return { sentBytes: data.byteLength, canSendMore: this.#canSendMore };
  }

  /** Seals what is pending, in frames of at most 65519 plaintext bytes, while the stream below has room; says whether it has. */
  #sendPending(): boolean {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    // It may have closed since; what was pending is lost like all that was on the wire.
    if (this.#stream.status !== "open") return false;
    while (this.#pending.byteLength > 0 && this.#canSendMore) {
      const length = Math.min(TRANSPORT_PLAINTEXT_BYTES_MAX, this.#pending.byteLength);
      const frame = this.#keys.send.seal(this.#pending.subarray(0, length));
      this.#pending.consume(length);
      this.#canSendMore = this.#stream.send(concatBytes(uint16be(frame.length), frame));
    }
    return this.#canSendMore;
  }

  sendReset(error: Error): void {
    this.#stream.abort(error);
  }

  sendPause(): void {
    this.#stream.pause();
  }

  sendResume(): void {
    this.#stream.resume();
  }

  async close(options?: AbortOptions): Promise<void> {
    this.#closing = true;
    this.#canSendMore = true;
    this.#sendPending();
    await this.#stream.close(options);
  }

  #receive({ data }: StreamMessageEvent): void {
    try {
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        for (const frame of this.#decoder.push(chunk)) this.onData(this.#keys.receive.open(frame));
      }
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Nothing is sent after a close; what was received before it may still be in the stream's buffer. */
  #wipe(): void {
    clearImmediate(this.#flush);
    this.#pending.consume(this.#pending.byteLength);
    this.#keys.send.destroy();
    if (this.#stream.readBufferLength === 0) this.#keys.receive.destroy();
  }
}
