import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import { logLimits, safeLogFields } from "../../../src/telemetry/index.ts";

test("values under secret names are redacted at every depth, public keys are not", () => {
  assert.deepEqual(
    safeLogFields({
      seed: "1",
      joinToken: "2",
      privateKey: "3",
      secret_key: "4",
      key: "5",
      outer: { password: "6", list: [{ sharedSecret: "7" }] },
      publicKey: "p",
      publicKeyDigest: "d",
      monkey: "m",
    }),
    {
      seed: "[redacted]",
      joinToken: "[redacted]",
      privateKey: "[redacted]",
      secret_key: "[redacted]",
      key: "[redacted]",
      outer: { password: "[redacted]", list: ["[object]"] },
      publicKey: "p",
      publicKeyDigest: "d",
      monkey: "m",
    },
  );
});

test("bytes, long texts, deep and wide values are bounded", () => {
  const long = "x".repeat(logLimits.stringCharsMax);
  const fields = safeLogFields({
    bytes: new Uint8Array(32),
    long,
    longer: `${long}y`,
    wide: Array.from({ length: 100 }, (_, index) => index),
    deep: { a: { b: { c: 1 } } },
    big: 5n,
    call: () => 1,
    nothing: null,
    bad: new Date(Number.NaN),
  });
  assert.equal(fields["bytes"], "[32 bytes]");
  assert.equal(fields["long"], long);
  assert.equal(fields["longer"], `${long}…`);
  assert.equal((fields["wide"] as unknown[]).length, logLimits.itemsMax);
  assert.deepEqual(fields["deep"], { a: { b: "[object]" } });
  assert.equal(fields["big"], "5");
  assert.equal(fields["call"], "[function]");
  assert.equal(fields["nothing"], null);
  assert.equal(fields["bad"], "[invalid date]");
});

test("a coded error shows its code and no stack, a foreign one its stack", () => {
  const { error, other } = safeLogFields({
    error: new MeshError("mesh/replayed", "Cannot take it."),
    other: new TypeError("oops"),
  }) as { error: Record<string, unknown>; other: Record<string, unknown> };
  assert.deepEqual(error, { name: "MeshError", code: "mesh/replayed", message: "Cannot take it." });
  assert.match(String(other["stack"]), /oops/);
});
