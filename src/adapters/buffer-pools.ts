// Node.js cuts small Buffers out of pools, and one that lives on keeps all of its pool. libp2p copies nothing: a PeerId of 38 bytes is
// a view of the pool that its multihash was made in, and so one peer in two held 64 KB.

/** Node.js 26 takes 64 KB. */
export const POOL_BYTES = 8 * 1024;

/** Makes the pools of this process small, from the next one on. */
export function keepPoolsSmall(): void {
  Buffer.poolSize = POOL_BYTES;
}
