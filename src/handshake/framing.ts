// Frames: uint16 big-endian length, then that many bytes. No type byte; a frame may come in pieces.

import { concatBytes, uint16be } from "../foundation/index.ts";

export const FRAME_BYTES_MAX = 65535;
export const FRAME_HEADER_BYTES = 2;

/** A frame with its header; `message` has at most {@link FRAME_BYTES_MAX} bytes. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  if (message.length > FRAME_BYTES_MAX) {
    throw new RangeError(
      `A frame must have at most ${FRAME_BYTES_MAX} bytes: current length is ${message.length}`,
    );
  }
  return concatBytes(uint16be(message.length), message);
}

/**
 * Cuts a byte stream into frames. Holds less than one frame between calls, and copies each byte of a frame that
 * came in pieces once, however small the pieces. Empty frames are frames: the caller refuses them.
 */
export class FrameDecoder {
  #header = -1;
  #body: Uint8Array | undefined;
  #filled = 0;

  /** The frames that `chunk` completes, in order; whole ones as views of `chunk`. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body === undefined) {
        const byte = chunk[at++] ?? 0;
        if (this.#header < 0) {
          this.#header = byte;
          continue;
        }
        const length = this.#header * 0x100 + byte;
        this.#header = -1;
        if (length <= chunk.length - at) {
          yield chunk.subarray(at, at + length);
          at += length;
          continue;
        }
        this.#body = new Uint8Array(length);
        this.#filled = 0;
      }
      const part = chunk.subarray(at, at + this.#body.length - this.#filled);
      this.#body.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#body.length) {
        const frame = this.#body;
        this.#body = undefined;
        yield frame;
      }
    }
  }
}
