// A content on its way in: its leaves first, then its chunks in any order and from any holder. Nothing is kept that was
// not checked against the content's name, so a holder that lies costs one chunk, and a broken transfer goes on elsewhere.

import { equalBytes, fromHex, ok, refuse, type Result } from "../../foundation/index.ts";
import type { TransferRefusalCode } from "../codes.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  type ContentId,
  type HeldContent,
  leafAt,
  leafDigest,
  merkleRoot,
  type Sha256,
} from "./chunks.ts";

export class Assembly {
  readonly content: ContentId;
  readonly #sha256: Sha256;
  readonly #bytes: Uint8Array;
  readonly #lacking: Set<number>;
  #leaves: Uint8Array | undefined;

  /** Takes the memory of the whole content at once: the caller has found room for it. */
  constructor(sha256: Sha256, content: ContentId) {
    this.content = content;
    this.#sha256 = sha256;
    this.#bytes = new Uint8Array(content.bytes);
    this.#lacking = new Set(Array.from({ length: chunkCount(content.bytes) }, (_, i) => i));
  }

  /** Takes the leaves, once; later ones change nothing. Code: `learning/bad-chunk` when they are not this content's. */
  takeLeaves(leaves: Uint8Array): Result<void, TransferRefusalCode> {
    if (leaves.length !== 32 * chunkCount(this.content.bytes)) {
      return refuse("learning/bad-chunk", "not as many leaves as chunks");
    }
    if (!equalBytes(merkleRoot(this.#sha256, leaves), fromHex(this.content.digest))) {
      return refuse("learning/bad-chunk", "leaves of another content");
    }
    this.#leaves ??= leaves.slice();
    return ok(undefined);
  }

  /** At most `count` chunks that are lacking, ascending. */
  lacking(count: number): number[] {
    return [...this.#lacking].slice(0, count);
  }

  /** Keeps a chunk that is lacking. Code: `learning/bad-chunk` for any other bytes; nothing of them is kept. */
  takeChunk(index: number, chunk: Uint8Array): Result<void, TransferRefusalCode> {
    if (this.#leaves === undefined || !this.#lacking.has(index)) {
      return refuse("learning/bad-chunk", "not asked for");
    }
    if (chunk.length !== chunkLength(this.content.bytes, index)) {
      return refuse("learning/bad-chunk", `${chunk.length} bytes`);
    }
    if (!equalBytes(leafDigest(this.#sha256, chunk), leafAt(this.#leaves, index))) {
      return refuse("learning/bad-chunk", `chunk ${index} has another digest`);
    }
    this.#bytes.set(chunk, index * CHUNK_BYTES);
    this.#lacking.delete(index);
    return ok(undefined);
  }

  /** The content and its leaves, once nothing is lacking. */
  complete(): HeldContent | undefined {
    return this.#lacking.size > 0 || this.#leaves === undefined
      ? undefined
      : { bytes: this.#bytes, leaves: this.#leaves };
  }
}
