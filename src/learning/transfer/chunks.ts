// Updates and models travel in chunks of 64 KiB and are named by what they contain: the name is the root of a Merkle
// tree over the chunks, as RFC 6962 (section 2.1) builds it. Leaves and inner nodes are hashed under different first
// bytes, so that no inner node can pass for a chunk. Together with the size, the name fixes every byte.

import { concatBytes, toHex } from "../../foundation/index.ts";

/** A protocol constant: another size would give every content another name. */
export const CHUNK_BYTES = 64 * 1024;
/** The longest content: 16 MiB of float32 with room for a header, 512 chunks. */
export const CONTENT_BYTES_MAX = 32 * 1024 * 1024;
const DIGEST_BYTES = 32;
const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

/** SHA-256, from the crypto room's engines. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** What a content is asked for by. */
export interface ContentId {
  /** The Merkle root, 64 hex digits. */
  readonly digest: string;
  /** 1..{@link CONTENT_BYTES_MAX} */
  readonly bytes: number;
}

/** A whole content with what a holder gives along. */
export interface HeldContent {
  readonly bytes: Uint8Array;
  readonly leaves: Uint8Array;
}

/** How many chunks a content of that size has; the last one may be shorter. */
export function chunkCount(bytes: number): number {
  return Math.ceil(bytes / CHUNK_BYTES);
}

/** The bytes of chunk `index` of a content of that size. */
export function chunkLength(bytes: number, index: number): number {
  return Math.min(CHUNK_BYTES, bytes - index * CHUNK_BYTES);
}

/** The chunk as a view of the content. */
export function chunkOf(content: Uint8Array, index: number): Uint8Array {
  const begin = index * CHUNK_BYTES;
  return content.subarray(begin, begin + CHUNK_BYTES);
}

/** What the tree holds of one chunk. */
export function leafDigest(sha256: Sha256, chunk: Uint8Array): Uint8Array {
  return sha256(concatBytes(LEAF, chunk));
}

/** The leaves of a content, 32 bytes each, one after another: with them each chunk can be checked by itself. */
export function leavesOf(sha256: Sha256, content: Uint8Array): Uint8Array {
  const leaves = new Uint8Array(chunkCount(content.length) * DIGEST_BYTES);
  for (let index = 0; index * CHUNK_BYTES < content.length; index++) {
    leaves.set(leafDigest(sha256, chunkOf(content, index)), index * DIGEST_BYTES);
  }
  return leaves;
}

/** One leaf of {@link leavesOf}. */
export function leafAt(leaves: Uint8Array, index: number): Uint8Array {
  return leaves.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
}

/** The root of the tree over at least one leaf: the left part is the largest power of two below the whole. */
export function merkleRoot(sha256: Sha256, leaves: Uint8Array): Uint8Array {
  const count = leaves.length / DIGEST_BYTES;
  if (count === 1) return leaves;
  const split = 2 ** (31 - Math.clz32(count - 1)) * DIGEST_BYTES;
  const left = merkleRoot(sha256, leaves.subarray(0, split));
  return sha256(concatBytes(INNER, left, merkleRoot(sha256, leaves.subarray(split))));
}

/** The name of a content of at least one byte. */
export function contentIdOf(sha256: Sha256, content: Uint8Array): ContentId {
  return {
    digest: toHex(merkleRoot(sha256, leavesOf(sha256, content))),
    bytes: content.length,
  };
}
