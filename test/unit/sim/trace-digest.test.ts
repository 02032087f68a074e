// The trace digest: every field of every record counts, and blocks chain.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { NO_NODE, TraceDigest, type TraceRecord } from "../../../src/sim/trace-digest.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
const BASE: TraceRecord = {
  atMs: 1.5,
  kind: "timer",
  node: 1,
  peer: NO_NODE,
  detail: "beacon",
  value: 3,
  content: 9,
};

function digestOf(records: readonly TraceRecord[]): string {
  const trace = new TraceDigest(sha256);
  for (const record of records) trace.record(record);
  return trace.digest();
}

test("every field of a record changes the digest", () => {
  const changes: Partial<TraceRecord>[] = [
    { atMs: 1.5000001 },
    { kind: "datagram" },
    { node: 2 },
    { peer: 0 },
    { detail: "probe" },
    { value: 4 },
    { content: 8 },
  ];
  const digests = changes.map((change) => digestOf([{ ...BASE, ...change }]));
  assert.equal(new Set([digestOf([BASE]), ...digests]).size, changes.length + 1);
});

test("order counts, over many blocks too", () => {
  const records = Array.from({ length: 5000 }, (_, value) => ({ ...BASE, value }));
  const swapped = [records[1]!, records[0]!, ...records.slice(2)];
  assert.equal(digestOf(records), digestOf([...records]));
  assert.notEqual(digestOf(records), digestOf(swapped));
  assert.notEqual(digestOf(records), digestOf(records.slice(0, -1)));
});

test("reading the digest changes nothing", () => {
  const trace = new TraceDigest(sha256);
  trace.record(BASE);
  assert.equal(trace.digest(), trace.digest());
  trace.record(BASE);
  assert.equal(trace.digest(), digestOf([BASE, BASE]));
});

test("the tail shows the last records as text", () => {
  const trace = new TraceDigest(sha256);
  for (let node = 0; node < 5; node++) trace.record({ ...BASE, node });
  assert.deepEqual(trace.tail(2), [
    "1.500 ms  node 3  timer beacon 3",
    "1.500 ms  node 4  timer beacon 3",
  ]);
});
