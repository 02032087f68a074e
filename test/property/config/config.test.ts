import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { ConfigError, durationMs, durationText, parseConfig } from "../../../src/config/index.ts";

test("any text gives a configuration or coded problems, never another error", () => {
  const noise = fc.oneof(
    fc.string({ maxLength: 200, unit: "binary" }),
    fc
      .array(
        fc.constantFrom(
          "mesh",
          ":",
          " ",
          "\n",
          "-",
          "[",
          "{",
          "&a",
          "*a",
          "!!map",
          "|",
          '"',
          "zone",
        ),
        { maxLength: 40 },
      )
      .map((parts) => parts.join("")),
    fc.json({ maxDepth: 4 }),
  );
  fc.assert(
    fc.property(noise, (text) => {
      try {
        assert.ok(Object.isFrozen(parseConfig(text, "x")));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(error.problems.length > 0);
      }
    }),
    { numRuns: 300 },
  );
});

test("one wrong value under any section is named by its path", () => {
  const section = fc.constantFrom("control", "mesh", "crypto", "identity", "learning", "telemetry");
  fc.assert(
    fc.property(
      section,
      fc.stringMatching(/^[a-z]{12,20}$/),
      fc.jsonValue({ maxDepth: 2 }),
      (name, key, value) => {
        assert.throws(
          () => parseConfig(stringify({ [name]: { [key]: value } }), "x"),
          (error) => error instanceof ConfigError && error.problems[0]?.path === `${name}.${key}`,
        );
      },
    ),
    { numRuns: 100 },
  );
});

test("a duration's text reads back as the same milliseconds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 90 * 86_400_000 }), (ms) => {
      fc.pre(ms < 1e9 || ms % 1000 === 0);
      assert.equal(durationMs(durationText(ms)), ms);
    }),
  );
});
