// The exports of the learning module: one line a part. It has no memory and no state of its own: the host brings the memory, which threads
// share, and every pointer is a byte offset in it.

export * from "./matrix";
export * from "./pairs";
export * from "./quantise";
export * from "./rows";
export * from "./select";
export * from "./sketch";
export * from "./sums";
