// What a node costs: wire sizes, counters per node, the CPU sampler.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CpuSampler } from "../../../src/sim/cpu-sampler.ts";
import { perNode } from "../../../src/sim/index.ts";
import { Traffic } from "../../../src/sim/traffic.ts";
import {
  frameBytes,
  gossipBytes,
  messageIdsBytes,
  segmentsOf,
  wireBytes,
} from "../../../src/sim/wire-sizes.ts";

const NOTHING = { small: 0, large: 0, offer: 0, want: 0, direct: 0 };

test("a heartbeat of 74 bytes in a zone's topic takes 223 bytes on the wire", () => {
  // Segment, channel and yamux, RPC, topic prefix, topic, message.
  assert.equal(
    wireBytes(frameBytes(gossipBytes("z1234/heartbeat", 74))),
    66 + 30 + 10 + 28 + 15 + 74,
  );
});

test("a frame is cut into segments: one more byte than fits takes another header", () => {
  assert.deepEqual([1, 1_448, 1_449].map(segmentsOf), [1, 1, 2]);
  assert.equal(wireBytes(1_449) - wireBytes(1_448), 1 + 66);
  assert.equal(messageIdsBytes("t", 3) - messageIdsBytes("t", 0), 3 * 18);
});

test("what is sent counts at the sender, what arrives at the receiver, acknowledgements the other way", () => {
  const traffic = new Traffic(2);
  traffic.sent(0, 100, "large");
  assert.deepEqual([...traffic.sentBytes, ...traffic.receivedBytes], [166, 0, 0, 0]);
  traffic.received(0, 1, 100);
  assert.deepEqual([...traffic.sentBytes, ...traffic.receivedBytes], [166, 33, 33, 166]);
  assert.deepEqual([...traffic.sentMessages, ...traffic.receivedMessages], [1, 0, 0, 1]);
  const sentBytesOf = { ...NOTHING, large: 166 };
  assert.deepEqual(traffic.totals, {
    ...{ sentBytes: 199, receivedBytes: 199, sentBytesOf, sentMessages: 1 },
  });
});

test("usage is shared out over nodes and virtual seconds", () => {
  const sentBytesOf = { ...NOTHING, offer: 80 };
  const reading = {
    atMs: 1_000,
    sentBytesOf: NOTHING,
    sentBytes: 0,
    receivedBytes: 10,
    sentMessages: 5,
    cpuMicros: 0,
  };
  const later = {
    atMs: 3_000,
    sentBytesOf,
    sentBytes: 800,
    receivedBytes: 410,
    sentMessages: 45,
    cpuMicros: 80,
  };
  assert.deepEqual(perNode(reading, later, 4), {
    bytesPerSecondOf: { ...NOTHING, offer: 10 },
    bytesPerSecond: 100,
    receivedBytesPerSecond: 50,
    messagesPerSecond: 5,
    cpuMicrosPerSecond: 10,
  });
});

test("the sampler times one call in sixteen and answers for all", () => {
  let [nowMicros, readings] = [0, 0];
  const sampler = new CpuSampler(() => {
    readings++;
    return nowMicros;
  });
  for (let call = 0; call < 160; call++) {
    const begun = sampler.begin();
    nowMicros += 5;
    sampler.end(begun);
  }
  assert.equal(readings, 2 * 10);
  assert.equal(sampler.micros, 160 * 5);
  const idle = new CpuSampler(undefined);
  idle.end(idle.begin());
  assert.equal(idle.micros, 0);
});
