import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseTraceparent,
  TRACEPARENT_CHARS,
  traceparentOf,
} from "../../../src/telemetry/index.ts";

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((id) => !/^0*$/.test(id));
const context = fc.record({ traceId: hex(32), spanId: hex(16), sampled: fc.boolean() });

test("a context reads back from its header", () => {
  fc.assert(
    fc.property(context, (sent) => {
      const text = traceparentOf(sent);
      assert.equal(text.length, TRACEPARENT_CHARS);
      assert.deepEqual(parseTraceparent(text), { ...sent });
    }),
  );
});

test("any text is one context or none, and never an error", () => {
  const near = fc
    .tuple(
      context,
      fc.nat(TRACEPARENT_CHARS),
      fc.string({ maxLength: 3, unit: "binary" }),
      fc.nat(3),
    )
    .map(([sent, at, noise, cut]) => {
      const text = traceparentOf(sent);
      return text.slice(0, at) + noise + text.slice(at + cut);
    });
  const bytes = fc
    .uint8Array({ maxLength: 300 })
    .map((noise) => Buffer.from(noise).toString("latin1"));
  fc.assert(
    fc.property(fc.oneof(near, bytes, fc.string({ maxLength: 100_000 })), (text) => {
      const found = parseTraceparent(text);
      // What is accepted is the header of what was read, flags we do not know aside.
      if (found !== undefined) assert.equal(traceparentOf(found).slice(0, 53), text.slice(0, 53));
      else assert.ok(!/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(text) || /-0+-/.test(text));
    }),
    { numRuns: 500 },
  );
});

test("other versions, capitals, ids of zeros and a character too many or too few are none", () => {
  const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.equal(parseTraceparent(good)?.sampled, true);
  assert.equal(parseTraceparent(good.replace(/01$/, "00"))?.sampled, false);
  assert.equal(parseTraceparent(good.replace(/01$/, "ff"))?.sampled, true);
  for (const bad of [
    good.replace("00-", "01-"),
    good.replace("00-", "ff-"),
    good.toUpperCase(),
    good.replace(/0af7[0-9a-f]+/, "0".repeat(32)),
    good.replace("b7ad6b7169203331", "0".repeat(16)),
    `${good}-`,
    `${good}\n`,
    good.slice(0, -1),
    "",
  ]) {
    assert.equal(parseTraceparent(bad), undefined, bad);
  }
});
