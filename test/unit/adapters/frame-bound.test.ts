// What libp2p's own protocols may bring: messages within their length, of the DHT so many a second.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameGuard, RECORDS_PROTOCOL } from "../../../src/adapters/libp2p/frame-bound.ts";
import { RELAY_HOP_PROTOCOL } from "../../../src/adapters/libp2p/relay.ts";
import type { MonoMs } from "../../../src/ports/index.ts";

/** A stream under the guard: what got through, and whether it was aborted. */
class FakeStream {
  readonly passed: number[] = [];
  isAborted = false;
  readonly protocol: string;
  readonly direction: "inbound" | "outbound";

  constructor(protocol: string, direction: "inbound" | "outbound" = "inbound") {
    this.protocol = protocol;
    this.direction = direction;
  }

  dispatchEvent = (event: Event): boolean => {
    this.passed.push(...(event as Event & { readonly data: Uint8Array }).data);
    return true;
  };

  abort(): void {
    this.isAborted = true;
  }

  bring(...bytes: number[]): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data: Uint8Array.from(bytes) }));
  }
}

function watched(stream: FakeStream, guard = new FrameGuard(() => 0 as MonoMs)): FakeStream {
  guard.watch({ remotePeer: "peer" as never }, stream);
  return stream;
}

/** A length of three bytes. */
const lengthOf = (value: number): number[] => [
  (value & 0x7f) | 0x80,
  ((value >> 7) & 0x7f) | 0x80,
  value >> 14,
];

test("messages pass in whatever pieces they come", () => {
  const stream = watched(new FakeStream(RECORDS_PROTOCOL));
  const bytes = [2, 7, 8, 0, ...lengthOf(3), 1, 2, 3, 1, 9];
  for (const byte of bytes) stream.bring(byte);
  stream.bring(...bytes);
  assert.deepEqual(stream.passed, [...bytes, ...bytes]);
  assert.ok(!stream.isAborted);
});

test("a length of four bytes, and one above the limit, end the stream before the message comes", () => {
  for (const length of [[0x80, 0x80, 0x80], lengthOf(64 * 1024 + 1)]) {
    const stream = watched(new FakeStream(RECORDS_PROTOCOL));
    stream.bring(1, 5);
    for (const byte of length) stream.bring(byte);
    assert.ok(stream.isAborted);
    const passed = stream.passed.length;
    stream.bring(1, 2, 3);
    assert.equal(stream.passed.length, passed, "nothing gets through any more");
  }
  const stream = watched(new FakeStream(RECORDS_PROTOCOL));
  stream.bring(...lengthOf(64 * 1024));
  assert.ok(!stream.isAborted);
});

test("what comes through a relay after the first message is no message", () => {
  const stream = watched(new FakeStream(RELAY_HOP_PROTOCOL));
  stream.bring(1, 5, 0xff, 0xff, 0xff, 0xff);
  stream.bring(0xff, 0xff, 0xff, 0xff);
  assert.ok(!stream.isAborted);
  const long = watched(new FakeStream(RELAY_HOP_PROTOCOL));
  long.bring(...lengthOf(8 * 1024 + 1));
  assert.ok(long.isAborted);
});

test("a protocol of ours is not looked at", () => {
  const stream = watched(new FakeStream("/x0tta6bl4/fl-chunk/1"));
  stream.bring(0xff, 0xff, 0xff, 0xff);
  assert.ok(!stream.isAborted);
});

test("a member may ask the DHT so often, over all its streams; our own answers are not counted", () => {
  let nowMs = 0;
  const guard = new FrameGuard(() => nowMs as MonoMs);
  const first = watched(new FakeStream(RECORDS_PROTOCOL), guard);
  for (let at = 0; at < 127; at++) first.bring(1, 0);
  const second = watched(new FakeStream(RECORDS_PROTOCOL), guard);
  second.bring(1, 0);
  const answers = watched(new FakeStream(RECORDS_PROTOCOL, "outbound"), guard);
  for (let at = 0; at < 200; at++) answers.bring(1, 0);
  assert.ok(!first.isAborted && !second.isAborted && !answers.isAborted);
  second.bring(1, 0);
  assert.ok(second.isAborted);
  nowMs = 1_000;
  for (let at = 0; at < 16; at++) first.bring(1, 0);
  assert.ok(!first.isAborted);
  first.bring(1, 0);
  assert.ok(first.isAborted);
});
