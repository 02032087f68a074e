// The bundle endpoint's own SVID: none before this node issues, kept for half of its life, then replaced with another key.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../../src/adapters/random.ts";
import { ENDPOINT_SVID_SECONDS, EndpointSvid } from "../../../src/node/endpoint-svid.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

test("the endpoint's SVID is renewed at half of its life or when its root is tainted, and kept while nobody issues", () => {
  let nowMs = 0;
  let isIssuing = false;
  let isTainted = false;
  const keys: string[] = [];
  const svid = new EndpointSvid({
    clock: { now: () => ({ wallMs: nowMs as WallMs, monoMs: nowMs as MonoMs }) },
    random: systemRandom,
    issue: (publicKey) => {
      if (!isIssuing) return undefined;
      keys.push(Buffer.from(publicKey).toString("hex"));
      return publicKey;
    },
    vouchesFor: () => !isTainted,
  });
  assert.equal(svid.isReady, false);
  assert.throws(() => svid.read());
  isIssuing = true;
  const first = svid.version();
  assert.equal(svid.isReady, true);
  const half = (ENDPOINT_SVID_SECONDS * 1000) / 2;
  nowMs = half - 1;
  assert.equal(svid.version(), first);
  nowMs = half;
  isIssuing = false;
  assert.equal(svid.version(), first, "an older one is better than none");
  isIssuing = true;
  assert.notEqual(svid.version(), first);
  const second = svid.version();
  isTainted = true;
  const third = svid.version();
  assert.notEqual(third, second, "at once");
  isTainted = false;
  assert.equal(svid.version(), third);
  nowMs -= 1;
  assert.notEqual(svid.version(), third, "the clock was put back");
  assert.equal(new Set(keys).size, 4);
  assert.match(svid.read().key, /BEGIN PRIVATE KEY/);
});
