// What a small Buffer that lives on holds of memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keepPoolsSmall, POOL_BYTES } from "../../../src/adapters/buffer-pools.ts";

test("once the running pool is used up, a small Buffer holds no more than a small pool", () => {
  keepPoolsSmall();
  const running = Buffer.allocUnsafe(1).buffer;
  let held = Buffer.allocUnsafe(1_000);
  for (let left = 1_000; left > 0 && held.buffer === running; left--)
    held = Buffer.allocUnsafe(1_000);
  assert.notEqual(held.buffer, running);
  assert.ok(held.buffer.byteLength < 2 * POOL_BYTES, `${held.buffer.byteLength} bytes`);
});
