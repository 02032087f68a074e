// A workload that opens one stream and keeps it for days: virtual days, over the real socket, with the real desk of an issuer behind it.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Workloads } from "../../../src/node/workload/workloads.ts";
import { at, draft, makeWorkloadDomain, nodeCalled } from "../../unit/identity/workload/support.ts";
import { engine, memoryMeter, NOW, seededRandom } from "../../unit/identity/support.ts";
import { scratch } from "../node/harness.ts";
import { Client, fieldsOf, valueOf } from "./grpc-client.ts";

/** Lets the event loop turn until something is so: timers stand still here. */
async function soon(what: string, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 100_000, what);
    await setImmediate();
  }
}

const MINUTE_MS = 60_000;
const DAYS = 3;
/** Longer than the pause between two questions to the issuer. */
const SYNC_MS = 6_000;

test("[W4][W6] a workload that keeps its stream for days always holds an SVID that is good, and hears nothing in vain", async (t) => {
  const { desk, book, bundle } = makeWorkloadDomain();
  const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
  book.create({ ...draft, selectors, profile: "es256", x509TtlS: 3_600 }, NOW);
  const node = nodeCalled("alpha", NOW + (DAYS + 1) * 86_400_000);
  const meter = memoryMeter();
  const silent = () => undefined;
  let ms = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const workloads = new Workloads(
    {
      ...{ engine, random: seededRandom("days"), clock: { now: () => at(ms) }, meter },
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      ...{ self: node.nodeId, bundle: () => bundle, adopt: () => false },
      ask: (request) => Promise.resolve(desk.handle(request, node, at(ms))),
    },
    { trustDomain: bundle.trustDomain, clockSkewMs: 0 },
  );
  const socket = join(scratch(t), "api.sock");
  await workloads.start(socket);
  t.after(() => workloads.stop());
  const client = new Client(socket);
  t.after(() => client.close());
  await soon("the first SVID", () => meter.gauges.get("meshd_identity_workload_svids") === 1);

  const call = client.call("FetchX509SVID");
  const rotations = (): number =>
    meter.counts.get("meshd_identity_workload_rotations_total ok") ?? 0;
  const goodUntilMs: number[] = [];
  const heard = async (): Promise<void> => {
    await soon("a message for each rotation", () => call.replies.length === rotations());
    const [svid = Buffer.alloc(0)] = fieldsOf(await call.reply(rotations())).get(1) ?? [];
    const leaf = new X509Certificate(valueOf(svid, 2));
    assert.ok(leaf.validFromDate.getTime() <= NOW + ms);
    goodUntilMs.push(leaf.validToDate.getTime() - NOW);
  };
  await heard();
  for (; ms < DAYS * 86_400_000; ms += 10 * MINUTE_MS) {
    t.mock.timers.tick(SYNC_MS);
    for (let turn = 0; turn < 5; turn++) await setImmediate(); // a round of questions and answers
    if (rotations() > goodUntilMs.length) await heard();
    assert.ok((goodUntilMs.at(-1) ?? 0) > ms + 10 * MINUTE_MS, `at ${ms / MINUTE_MS} min`);
  }
  assert.ok(goodUntilMs.length > DAYS * 36, `${goodUntilMs.length} SVIDs`);
  assert.equal(call.replies.length, goodUntilMs.length);
  assert.equal(call.stream.closed, false);
});
