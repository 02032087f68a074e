// Notices come from any member by gossip: whatever is in them is a value, and what is taken has one form and can be shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeNotice,
  encodeNotice,
  type Incident,
  type NoticeBody,
} from "../../../src/healing/index.ts";
import { incident, wall } from "../../unit/healing/incidents.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261122);
const runs = { seed, numRuns: 1_000 };
console.log(`fast-check seed ${seed}`);

const SIGNATURE_BYTES = 8;
const signature = new Uint8Array(SIGNATURE_BYTES).fill(9);
const sign = (): Uint8Array => signature;

const incidents = fc
  .record({
    openedAtMs: fc.maxSafeNat(),
    lastedMs: fc.nat(),
    outcome: fc.constantFrom("mended" as const, "self-mended" as const, "unmended" as const),
  })
  .map(({ openedAtMs, lastedMs, outcome }): Incident => {
    const opened = Math.min(openedAtMs, Number.MAX_SAFE_INTEGER - lastedMs);
    const times = { openedAtMs: wall(opened), closedAtMs: wall(opened + lastedMs) };
    return incident("a-1", "mesh/isolated", { ...times, outcome });
  });
const bodies: fc.Arbitrary<NoticeBody> = fc.oneof(
  fc.nat(0xffff_ffff).map((leftMs) => ({ kind: "claim" as const, leftMs })),
  incidents.map((one) => ({ kind: "lesson" as const, incident: one })),
);
const notices = fc
  .tuple(bodies, fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))
  .map(([body, epoch, number]) =>
    encodeNotice({ nodeId: "ab".repeat(32), epoch, number, body }, sign),
  );

test("a changed notice is refused with a code, or is one that reads and writes the same bytes", () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  let taken = 0;
  fc.assert(
    fc.property(notices, changes, fc.nat(), (notice, bytes, cut) => {
      for (const [at, value] of bytes) notice[at % notice.length] = value;
      for (const one of [notice, notice.subarray(0, cut % notice.length)]) {
        const heard = decodeNotice(one, SIGNATURE_BYTES);
        if (!heard.ok) {
          assert.match(heard.code, /^healing\/(malformed|unknown)-(notice|summary)$/);
          continue;
        }
        taken++;
        assert.deepEqual(
          encodeNotice(heard.value.notice, () => heard.value.signature),
          one,
        );
      }
    }),
    runs,
  );
  assert.ok(taken > 0, "some were taken");
});

test("every time in a lesson that is taken is a date", () => {
  let taken = 0;
  fc.assert(
    fc.property(notices, (notice) => {
      const heard = decodeNotice(notice, SIGNATURE_BYTES);
      if (!heard.ok || heard.value.notice.body.kind !== "lesson") return;
      const { openedAtMs, closedAtMs } = heard.value.notice.body.incident;
      taken++;
      for (const ms of [openedAtMs, closedAtMs ?? Number.NaN]) new Date(ms).toISOString();
    }),
    runs,
  );
  assert.ok(taken > 0, "some were taken");
});

test("bytes of chance are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      assert.ok(!decodeNotice(bytes, SIGNATURE_BYTES).ok);
    }),
    runs,
  );
});
