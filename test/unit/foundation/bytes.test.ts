import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  ByteReader,
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  toBase64Url,
  toHex,
  uint16be,
  uint32be,
  uint64be,
} from "../../../src/foundation/index.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

describe("bytes", () => {
  test("hex and base64url come back as they were, at every length", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        assert.deepEqual(fromHex(toHex(value)), value);
        assert.deepEqual(fromBase64Url(toBase64Url(value)), value);
      }),
    );
  });

  test("base64url has one text for each value", () => {
    for (const text of ["AA==", "AB", "A", "A/8", "A+8", "A A", "AAA A", "AAAA\n"]) {
      assert.throws(() => fromBase64Url(text), SyntaxError, text);
    }
    assert.deepEqual(fromBase64Url("AA"), Uint8Array.of(0));
  });

  test("integers are read as they were written, up to their limits", () => {
    const reader = new ByteReader(
      concatBytes(uint16be(0xfffe), uint32be(0xfffffffd), uint64be(2 ** 53 - 1), Uint8Array.of(7)),
    );
    assert.equal(reader.uint16be(), 0xfffe);
    assert.equal(reader.uint32be(), 0xfffffffd);
    assert.equal(reader.uint64be(), 2 ** 53 - 1);
    assert.equal(reader.uint8(), 7);
    assert.equal(reader.remaining, 0);
  });

  test("a 64-bit integer above the safe ones is refused", () => {
    assert.throws(() => new ByteReader(fromHex("0020000000000000")).uint64be(), {
      code: "bytes/too-large",
    });
  });

  test("a read past the end is refused and moves nothing", () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3));
    assert.throws(() => reader.take(4), { code: "bytes/truncated" });
    assert.throws(() => reader.uint32be(), { code: "bytes/truncated" });
    assert.deepEqual(reader.take(3), Uint8Array.of(1, 2, 3));
  });

  test("equality looks at every byte and at the length", () => {
    fc.assert(fc.property(bytes, bytes, (a, b) => equalBytes(a, b) === (toHex(a) === toHex(b))));
    assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
    assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
    assert.equal(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 0)), false);
  });
});
