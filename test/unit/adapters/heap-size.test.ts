import assert from "node:assert/strict";
import { after, test } from "node:test";
import { HEAP_GROWS_AT_PEERS, sizeHeapFor } from "../../../src/adapters/heap-size.ts";

after(() => sizeHeapFor(HEAP_GROWS_AT_PEERS));

test("the heap is kept small for few peers and may grow for many, and does not go to and fro between", () => {
  const many = HEAP_GROWS_AT_PEERS;
  const chosen = [0, many - 1, many, many - 1, many / 2, many / 2 - 1, many / 2, many - 1].map(
    sizeHeapFor,
  );
  assert.deepEqual(chosen, ["small", "small", "fast", "fast", "fast", "small", "small", "small"]);
});
