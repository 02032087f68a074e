// The summary of an incident on the wire: it comes back as it was said, and nothing else is taken for one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  actionKinds,
  actionOutcomes,
  FEATURES,
  type Incident,
  INCIDENT_ACTIONS_MAX,
  INCIDENT_SYMPTOMS_MAX,
  symptomCodes,
} from "../../../src/healing/index.ts";
import {
  decodeSummary,
  encodeSummary,
  SUMMARY_BYTES_MAX,
} from "../../../src/healing/exchange/summary.ts";
import { incident, wall } from "./incidents.ts";

const actions = fc.record({
  playbook: fc.stringMatching(/^[a-z][a-z0-9-]{0,47}$/),
  action: fc.constantFrom(...actionKinds),
  outcome: fc.constantFrom(...actionOutcomes),
});

const incidents = fc
  .record({
    id: fc.stringMatching(/^[0-9a-z-]{1,40}$/),
    openedAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
    lastedMs: fc.integer({ min: 0, max: 2 ** 40 }),
    outcome: fc.constantFrom("mended" as const, "self-mended" as const, "unmended" as const),
    codes: fc.uniqueArray(fc.constantFrom(...symptomCodes), {
      minLength: 1,
      maxLength: INCIDENT_SYMPTOMS_MAX,
    }),
    steps: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: FEATURES, maxLength: FEATURES }),
    actions: fc.array(actions, { maxLength: INCIDENT_ACTIONS_MAX }),
  })
  .map(({ id, openedAtMs, lastedMs, outcome, codes, steps, actions }): Incident => {
    const startedMs = wall(openedAtMs);
    const clearedMs = wall(openedAtMs + lastedMs);
    return {
      ...{ id, openedAtMs: startedMs, closedAtMs: clearedMs, outcome, similar: [] },
      cause: { code: codes[0] ?? "node/slow", why: "because" },
      symptoms: codes.map((code) => ({
        ...{ code, subject: "ab".repeat(32), severity: "info", message: "free text" },
        ...{ firstSeenMs: startedMs, clearedMs, evidence: [] },
      })),
      features: Float32Array.from(steps, (step) => step / 255),
      actions: actions.map((one) => ({ ...one, level: "act", startedMs, reason: "free text" })),
    };
  });

test("what is told is what was: codes, numbers and outcomes, without a peer and without free text", () => {
  fc.assert(
    fc.property(incidents, (told) => {
      const bytes = encodeSummary(told);
      assert.ok(bytes.length <= SUMMARY_BYTES_MAX);
      const heard = decodeSummary(bytes);
      assert.ok(heard.ok);
      const { id, openedAtMs, closedAtMs, outcome, features } = told;
      const { value } = heard;
      assert.deepEqual(
        [value.id, value.openedAtMs, value.closedAtMs, value.outcome, value.features],
        [id, openedAtMs, closedAtMs, outcome, features],
      );
      assert.equal(value.cause.code, told.cause.code);
      assert.deepEqual(
        value.symptoms.map(({ code }) => code),
        told.symptoms.map(({ code }) => code),
      );
      assert.deepEqual(
        value.actions.map(({ playbook, action, outcome }) => ({ playbook, action, outcome })),
        told.actions.map(({ playbook, action, outcome }) => ({ playbook, action, outcome })),
      );
      assert.ok(!JSON.stringify(value).includes("free text"));
      assert.ok(!JSON.stringify(value).includes("ab".repeat(32)));
    }),
  );
});

test("each summary has one form: what reads, writes the same bytes", () => {
  fc.assert(
    fc.property(incidents, fc.nat(), fc.integer({ min: 1, max: 255 }), (told, at, flip) => {
      const bytes = encodeSummary(told);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ flip;
      const heard = decodeSummary(bytes);
      if (heard.ok) assert.deepEqual(encodeSummary(heard.value), bytes);
    }),
  );
});

test("any other bytes are refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2 * SUMMARY_BYTES_MAX }), (bytes) => {
      decodeSummary(bytes);
    }),
  );
  assert.equal(decodeSummary(new Uint8Array(SUMMARY_BYTES_MAX + 1)).ok, false);
});

describe("a summary is refused", () => {
  const good = incident("a-1");
  const bytes = encodeSummary(good);
  const refused = (name: string, change: (bytes: Uint8Array) => Uint8Array, code: string): void => {
    test(name, () => {
      const heard = decodeSummary(change(encodeSummary(good)));
      assert.equal(heard.ok ? "taken" : heard.code, code);
    });
  };
  test("not when it is whole", () => assert.equal(decodeSummary(bytes).ok, true));
  refused("of a newer version", (all) => all.with(0, 2), "healing/unknown-summary");
  refused("that breaks off", (all) => all.subarray(0, -1), "healing/malformed-summary");
  refused("that goes on", (all) => Uint8Array.of(...all, 0), "healing/malformed-summary");
  refused(
    "of an incident that is open",
    () => encodeSummary({ ...good, outcome: "open" }),
    "healing/unknown-summary",
  );
  refused(
    "that ended before it began",
    () => encodeSummary({ ...good, closedAtMs: wall(999) }),
    "healing/malformed-summary",
  );
  const latest = 253_402_300_799_999;
  test("not when it ended in the last millisecond of the year 9999", () => {
    const heard = decodeSummary(encodeSummary({ ...good, closedAtMs: wall(latest) }));
    assert.ok(heard.ok);
    assert.equal(heard.value.closedAtMs, latest);
  });
  refused(
    "that ended after the year 9999, which nothing could show",
    () => encodeSummary({ ...good, closedAtMs: wall(latest + 1) }),
    "healing/malformed-summary",
  );
  refused(
    "that began when no date is",
    () => {
      const never = wall(Number.MAX_SAFE_INTEGER);
      return encodeSummary({ ...good, openedAtMs: never, closedAtMs: never });
    },
    "healing/malformed-summary",
  );
  refused(
    "with a cause that is not in the catalogue",
    () => encodeSummary({ ...good, cause: { code: "mesh/nonsense" as "node/slow", why: "" } }),
    "healing/unknown-summary",
  );
  refused(
    "with an id that is none",
    () => encodeSummary({ ...good, id: "../a" }),
    "healing/malformed-summary",
  );
});
