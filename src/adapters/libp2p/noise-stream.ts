// The encrypted connection after a handshake: a libp2p message stream whose frames are sealed with the session's
// two ciphers. A frame that does not open ends the connection.

import type { AbortOptions, MessageStream, StreamMessageEvent } from "@libp2p/interface";
import { AbstractMessageStream, type SendResult } from "@libp2p/utils";
import { Uint8ArrayList } from "uint8arraylist";
import { uint16be } from "../../foundation/index.ts";
import {
  FrameDecoder,
  type SessionKeys,
  TRANSPORT_PLAINTEXT_BYTES_MAX,
} from "../../handshake/index.ts";

/** Wraps `stream`, which stands at its first transport frame, and owns `keys`. */
export class NoiseStream extends AbstractMessageStream {
  readonly #stream: MessageStream;
  readonly #keys: SessionKeys;
  readonly #decoder = new FrameDecoder();
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
      this.safeDispatchEvent("drain");
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

  /** Seals all of `data` in frames of at most 65519 plaintext bytes. */
  sendData(data: Uint8ArrayList): SendResult {
    const sealed = new Uint8ArrayList();
    for (let at = 0; at < data.byteLength; at += TRANSPORT_PLAINTEXT_BYTES_MAX) {
      const end = Math.min(at + TRANSPORT_PLAINTEXT_BYTES_MAX, data.byteLength);
      const frame = this.#keys.send.seal(data.subarray(at, end));
      sealed.append(uint16be(frame.length));
      sealed.append(frame);
    }
    return { sentBytes: data.byteLength, canSendMore: this.#stream.send(sealed) };
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
    this.#keys.send.destroy();
    if (this.#stream.readBufferLength === 0) this.#keys.receive.destroy();
  }
}
