// Encodings that BER readers accept and DER forbids; the gate must refuse each.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isStrictDer } from "../../../src/identity/x509/der.ts";

function strict(hex: string): boolean {
  return isStrictDer(Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex")));
}

const CASES: readonly (readonly [title: string, accepted: string, refused: readonly string[]])[] = [
  ["one element and nothing behind it", "3000", ["", "30", "3000 00", "3001", "3000 3000"]],
  [
    "definite minimal lengths",
    "3003 020101",
    ["3080 020101 0000", "308103 020101", "30820003 020101", "3083000003 020101", "30ff"],
  ],
  ["low tag numbers", "a000", ["1f2100", "bf2100"]],
  ["booleans 00 and ff", "0101ff", ["010101", "0100", "0102ffff"]],
  ["minimal integers", "02020080", ["0200", "02020001", "0202ff80"]],
  [
    "no unused bits that are set, and none at all in long strings",
    "03020780",
    ["0300", "030208ff", "030207ff", "030101", "0304 01 000000"],
  ],
  ["empty null", "0500", ["050100"]],
  ["minimal object identifiers", "06032a0304", ["0600", "06032a8003", "06022a83"]],
  [
    "UTC time to the second",
    `170d${Buffer.from("260601120000Z").toString("hex")}`,
    [
      `170b${Buffer.from("2606011200Z").toString("hex")}`,
      `1711${Buffer.from("260601120000+0000").toString("hex")}`,
      `170d${Buffer.from("261301120000Z").toString("hex")}`,
      `170d${Buffer.from("260600120000Z").toString("hex")}`,
      `170d${Buffer.from("260601240000Z").toString("hex")}`,
      `170d${Buffer.from("260601120060Z").toString("hex")}`,
      `170d${Buffer.from("26060112000 Z").toString("hex")}`,
    ],
  ],
  [
    "generalized time to the second",
    `180f${Buffer.from("20600601120000Z").toString("hex")}`,
    [
      `1811${Buffer.from("20600601120000.5Z").toString("hex")}`,
      `180e${Buffer.from("20600601120000").toString("hex")}`,
    ],
  ],
  ["primitive strings", "040100", ["2403 040100", "2304 03020780"]],
  ["constructed sequences and sets", "3100", ["1000", "1100", "0000"]],
];

describe("the DER gate", () => {
  for (const [title, accepted, refused] of CASES) {
    it(`wants ${title}`, () => {
      assert.ok(strict(accepted), accepted);
      for (const hex of refused) assert.ok(!strict(hex), hex);
    });
  }

  it("goes 16 levels deep and no further", () => {
    const nested = (levels: number) => {
      let hex = "0500";
      for (let level = 0; level < levels; level++)
        hex = `30${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;
      return hex;
    };
    assert.ok(strict(nested(16)));
    assert.ok(!strict(nested(17)));
  });

  it("looks at 512 elements and no more", () => {
    const wide = (count: number) =>
      `3082${(count * 2).toString(16).padStart(4, "0")}${"0500".repeat(count)}`;
    assert.ok(strict(wide(511)));
    assert.ok(!strict(wide(512)));
  });
});
