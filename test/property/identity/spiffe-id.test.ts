// SPIFFE ids against their grammar: whatever it makes is taken, and one character out of it is refused.
// Run with FAST_CHECK_SEED=<seed> to repeat a run.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatSpiffeId, parseSpiffeId } from "../../../src/identity/index.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261121);
const runs = { seed, numRuns: 500 };
console.log(`fast-check seed ${seed}`);

const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
const ANY = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;
const word = (characters: string, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...Array.from(characters)), minLength: 1, maxLength });
const segment = word(ANY, 20).filter((text) => text !== "." && text !== "..");
const trustDomain = word(LOWER, 255);
const segments = fc.array(segment, { maxLength: 8 });

test("[I2][I5][I7][I11] whatever the grammar makes is read back part by part", () => {
  fc.assert(
    fc.property(trustDomain, segments, (domain, path) => {
      const text = formatSpiffeId({ trustDomain: domain, segments: path });
      const id = parseSpiffeId(text);
      assert.ok(id.ok, text);
      assert.deepEqual(id.value, { trustDomain: domain, segments: path });
    }),
    runs,
  );
});

test("[I13] the case of scheme and trust domain says nothing, that of the path does", () => {
  const flip = (text: string): string =>
    text.replace(/[a-z]/gi, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));
  fc.assert(
    fc.property(trustDomain, segments, (domain, path) => {
      const text = [domain, ...path].join("/");
      const id = parseSpiffeId(`spiffe://${text}`);
      const loud = parseSpiffeId(`SPIFFE://${[domain.toUpperCase(), ...path].join("/")}`);
      assert.deepEqual(loud, id);
      const other = path.map(flip);
      const flipped = parseSpiffeId(`spiffe://${[domain, ...other].join("/")}`);
      assert.ok(flipped.ok && id.ok);
      assert.equal(
        formatSpiffeId(flipped.value) === formatSpiffeId(id.value),
        other.join() === path.join(),
      );
    }),
    runs,
  );
});

test("[I3][I4][I6][I8][I9][I10] one character that does not belong there makes it none", () => {
  const foreign = fc.oneof(
    fc.constantFrom(...Array.from("%@:?#[]!$&'()*+,;=~\\ \t\n\u0000")),
    fc.integer({ min: 0x80, max: 0xffff }).map((code) => String.fromCharCode(code)),
  );
  fc.assert(
    fc.property(trustDomain, segments, foreign, fc.nat(), (domain, path, character, where) => {
      const text = [domain, ...path].join("/");
      const at = where % (text.length + 1);
      const broken = `spiffe://${text.slice(0, at)}${character}${text.slice(at)}`;
      assert.equal(parseSpiffeId(broken).ok, false, broken);
    }),
    runs,
  );
  fc.assert(
    fc.property(
      trustDomain,
      segments,
      fc.constantFrom("", ".", ".."),
      fc.nat(),
      (domain, path, none, where) => {
        const parts = [...path];
        parts.splice(where % (parts.length + 1), 0, none);
        const broken = `spiffe://${[domain, ...parts].join("/")}`;
        assert.equal(parseSpiffeId(broken).ok, false, broken);
      },
    ),
    runs,
  );
});

test("[I12] 2048 bytes are taken and one more is not, a trust domain of 255 and one more neither", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 255 }),
      fc.integer({ min: 2_000, max: 2_100 }),
      (domain, length) => {
        const head = `spiffe://${"d".repeat(domain)}/`;
        const text = head + "p".repeat(Math.max(1, length - head.length));
        assert.equal(parseSpiffeId(text).ok, text.length <= 2_048);
        assert.equal(parseSpiffeId(`spiffe://${"d".repeat(domain + 200)}`).ok, domain + 200 <= 255);
      },
    ),
    runs,
  );
});
