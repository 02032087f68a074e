// The guard of libp2p's own protocols against an oracle: what a plain reader of lengths says of the same bytes, in whatever pieces
// they come.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameGuard, RECORDS_PROTOCOL } from "../../../src/adapters/libp2p/frame-bound.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261122);
console.log(`fast-check seed ${seed}`);

const BYTES_MAX = 64 * 1024;
const MESSAGES_AT_ONCE = 128;

/** Where a reader refuses to go on: the index of the byte of a length that is too much; the end when there is none. */
function refusedAt(bytes: Uint8Array): number {
  let messages = 0;
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    for (let count = 0; ; count++) {
      const byte = bytes[at];
      if (byte === undefined) return bytes.length;
      length += (byte & 0x7f) * 2 ** (7 * count);
      const isLast = byte < 0x80;
      if (!isLast && count === 2) return at;
      if (isLast && (length > BYTES_MAX || ++messages > MESSAGES_AT_ONCE)) return at;
      at++;
      if (isLast) break;
    }
    at += length;
  }
  return bytes.length;
}

test("the guard ends a stream at the piece where a reader would stop, and passes all before it", () => {
  const some = fc.uint8Array({ maxLength: 600 });
  const small = fc.array(fc.nat(3), { maxLength: 400 }).map((list) => Uint8Array.from(list));
  const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  let refused = 0;
  fc.assert(
    fc.property(fc.oneof(some, small), pieces, (bytes, sizes) => {
      const passed: number[] = [];
      let aborted = 0;
      const stream = {
        protocol: RECORDS_PROTOCOL,
        direction: "inbound" as const,
        dispatchEvent: (event: Event): boolean => {
          passed.push(...(event as Event & { readonly data: Uint8Array }).data);
          return true;
        },
        abort: () => {
          aborted++;
        },
      };
      new FrameGuard(() => 0 as MonoMs).watch({ remotePeer: "p" as never }, stream);
      const expected = refusedAt(bytes);
      let through = 0;
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = Math.min(bytes.length, at + (sizes[turn % sizes.length] ?? 1));
        const data = bytes.subarray(at, end);
        stream.dispatchEvent(Object.assign(new Event("message"), { data }));
        if (end <= expected) through = end;
        at = end;
      }
      assert.deepEqual(passed, [...bytes.subarray(0, through)]);
      assert.equal(aborted, expected < bytes.length ? 1 : 0);
      refused += aborted;
    }),
    { seed, numRuns: 500 },
  );
  assert.ok(refused > 0, "some were refused");
});
