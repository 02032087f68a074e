// Whatever text comes as a scenario: it is one, or it is refused with the problems named; nothing else is thrown.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { isMeshError } from "../../../src/foundation/index.ts";
import { parseScenario } from "../../../src/sim/index.ts";
import { shipped } from "../../sim/scenario-runs.ts";

function isJudged(text: string): boolean {
  try {
    parseScenario(text, "x.yml");
  } catch (error) {
    assert.ok(isMeshError(error, "sim/bad-scenario"), String(error));
    assert.ok((error.details["problems"] as string[]).length > 0);
  }
  return true;
}

test("any text is judged", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), isJudged));
});

test("any value in the place of any key is judged", () => {
  const keys = [...Object.keys(shipped("chaos")), "faults", "chaos"];
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) =>
      isJudged(stringify({ name: "a", summary: "b", nodes: 4, minutes: 1, [key]: value })),
    ),
  );
});

test("any fault is judged", () => {
  const fault = fc.record({
    inject: fc.constantFrom("crash", "loss", "partition", "slow", "x"),
    at: fc.constantFrom("5s", "", "-1s", 5),
    nodes: fc.oneof(fc.integer(), fc.string(), fc.array(fc.integer(), { maxLength: 3 })),
    ratio: fc.double(),
  });
  fc.assert(
    fc.property(fc.array(fault, { maxLength: 4 }), (faults) =>
      isJudged(stringify({ name: "a", summary: "b", nodes: 4, minutes: 1, faults })),
    ),
  );
});
