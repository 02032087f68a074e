import assert from "node:assert/strict";
import { test } from "node:test";
import { statusOfError } from "../../../src/control/index.ts";

test("the table gives each code its HTTP and exit status, the exact code before the room", () => {
  const expected: readonly [string, number, number][] = [
    ["control/unreachable", 503, 3],
    ["control/timeout", 504, 3],
    ["control/bad-request", 400, 2],
    ["control/too-large", 413, 2],
    ["control/not-found", 404, 1],
    ["control/not-enrolled", 409, 1],
    ["control/anything-else", 409, 1],
    ["config/invalid", 422, 1],
    ["identity/token-expired", 403, 1],
    ["learning/rule-precondition", 422, 1],
    ["internal/invariant", 500, 1],
    ["control/", 409, 1],
    ["nonsense", 500, 1],
    ["", 500, 1],
    ["__proto__", 500, 1],
    ["constructor", 500, 1],
  ];
  for (const [code, http, exit] of expected) {
    assert.deepEqual(statusOfError(code), { http, exit }, code);
  }
});
