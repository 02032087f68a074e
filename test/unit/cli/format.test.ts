import assert from "node:assert/strict";
import { test } from "node:test";
import { durationSeconds, integer, nameList, positive } from "../../../src/cli/arguments.ts";
import {
  ageText,
  msText,
  percentText,
  relativeText,
  spanText,
  suiteText,
} from "../../../src/cli/format.ts";

test("spans show their two largest units", () => {
  const expected: readonly [number, string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1_000, "1 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [61_000, "1 min 1 s"],
    [3_600_000, "1 h"],
    [3_660_000, "1 h 1 min"],
    [86_400_000, "1 d"],
    [90_061_000, "1 d 1 h"],
    [-61_000, "1 min 1 s"],
  ];
  for (const [ms, text] of expected) assert.equal(spanText(ms), text);
});

test("times are told relative to now on both sides of it", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  assert.equal(relativeText("2026-03-01T13:00:00.000Z", now), "in 1 h");
  assert.equal(relativeText("2026-03-01T12:00:00.000Z", now), "in 0 ms");
  assert.equal(relativeText("2026-03-01T11:59:00.000Z", now), "1 min ago");
});

test("measurements have units, missing ones a dash", () => {
  assert.deepEqual([null, 0.419, 1, 999.9, 1_000].map(msText), [
    "–",
    "0.42 ms",
    "1.0 ms",
    "999.9 ms",
    "1.0 s",
  ]);
  assert.deepEqual([null, 812, 9_999, 10_000].map(ageText), ["–", "0.8 s", "10.0 s", "10 s"]);
  assert.deepEqual([null, 0, 1].map(percentText), ["–", "0.0 %", "100.0 %"]);
  assert.equal(suiteText("Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256"), "XXhfs 25519+MLKEM768");
  assert.equal(suiteText("/noise-mlkem768-hfs/0.2.0"), "/noise-mlkem768-hfs/0.2.0");
});

test("command-line values are taken at their edges and refused beyond", () => {
  assert.deepEqual([integer(0, 9)("0"), integer(0, 9)("9")], [0, 9]);
  for (const bad of ["-1", "10", "1.5", "x", "", "1e1"])
    assert.throws(() => integer(0, 9)(bad), bad);
  assert.deepEqual([positive(2)("0.001"), positive(2)("2")], [0.001, 2]);
  for (const bad of ["0", "2.1", "-1", "NaN"]) assert.throws(() => positive(2)(bad), bad);
  assert.deepEqual(["1s", "1m", "1h"].map(durationSeconds(3_600)), [1, 60, 3_600]);
  for (const bad of ["0s", "61m", "1", "1ms", "h"])
    assert.throws(() => durationSeconds(3_600)(bad), bad);
  assert.deepEqual(nameList("a, b"), ["a", "b"]);
  for (const bad of ["", "a,,b", ","]) assert.throws(() => nameList(bad), bad);
});
