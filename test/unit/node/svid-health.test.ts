// What an operator reads about an SVID that nobody renews: nothing in the first minute, then how long it lasts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { symptoms } from "../../../src/healing/index.ts";
import type { SvidHealth, SvidHolder } from "../../../src/identity/index.ts";
import { svidHealthOf } from "../../../src/node/svid-health.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const outage: NonNullable<SvidHolder["outage"]> = {
  sinceMs: 0 as WallMs,
  code: "identity/not-issuer",
  notAfterMs: (5 * HOUR_MS) as WallMs,
  graceEndMs: (7 * HOUR_MS) as WallMs,
};

function told(health: SvidHealth, nowMs: number, failing = true): string[] {
  const svid = { health: () => health, outage: failing ? outage : undefined };
  return svidHealthOf(svid, nowMs as WallMs).map(
    ({ code, message }) => `${code} ${symptoms[code].severity}: ${message}`,
  );
}

describe("the health of the own SVID", () => {
  test("is not told while renewal does not fail, and not in the first minute", () => {
    assert.deepEqual(told("ok", HOUR_MS, false), []);
    assert.deepEqual(told("renew-due", HOUR_MS, false), []);
    assert.deepEqual(told("renew-due", MINUTE_MS - 1), []);
    assert.match(told("renew-due", MINUTE_MS)[0] ?? "", /^identity\/renewal-overdue warning/);
  });

  test("says since when, why, and how long peers take it", () => {
    assert.match(
      told("renew-due", 90 * MINUTE_MS)[0] ?? "",
      /for 90 min \(identity\/not-issuer\)\. Peers take it for 5 h longer\. Start an issuer/,
    );
    assert.match(
      told("grace", 6.5 * HOUR_MS)[0] ?? "",
      /It expired 90 min ago; peers take it for 30 min longer/,
    );
  });

  test("is an error once the grace is over", () => {
    assert.match(told("expired", 8 * HOUR_MS)[0] ?? "", /^identity\/expired error/);
  });
});
