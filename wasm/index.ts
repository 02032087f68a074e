// The wasm module's exports: one line a part. Pointers are byte offsets in the exported memory; the host owns everything from
// `heapBase()` up.

export * from "./keccak";
export * from "./ml-dsa";
export * from "./ml-kem";
export * from "./sha256";

/** First byte of linear memory that the module does not use itself. */
export function heapBase(): usize {
  return __heap_base;
}
