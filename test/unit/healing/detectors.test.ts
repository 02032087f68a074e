// Each detector on both sides of its threshold, and against what it must not take for a fault.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Detector,
  Drop,
  Exhaustion,
  Limit,
  Outlier,
} from "../../../src/healing/analyze/detectors.ts";

/** How many of the values were found, and the last finding. */
function run(detector: Detector, values: readonly number[]): { found: number; last: string } {
  const past: number[] = [];
  let found = 0;
  let last = "";
  for (const value of values) {
    const finding = detector.look(value, (count) => past.slice(-count));
    past.push(value);
    last = finding?.finding ?? "";
    if (finding !== undefined) found++;
  }
  return { found, last };
}

const many = (count: number, value: (at: number) => number): number[] =>
  Array.from({ length: count }, (_, at) => value(at));
/** A noise that is the same in every run. */
const noise = (at: number): number => ((at * 7_919) % 101) / 101 - 0.5;

describe("a limit", () => {
  const above = (): Limit => new Limit({ above: true, limit: 50, clear: 25 });

  test("stands from the limit on, and until the value is well again", () => {
    assert.equal(run(above(), [50, 49, 0]).found, 0);
    assert.deepEqual(run(above(), [51]), { found: 1, last: "above 50" });
    assert.equal(run(above(), [51, 49, 26, 25, 49]).found, 3);
  });

  test("works downwards, and holds events for so many looks", () => {
    assert.equal(run(new Limit({ above: false, limit: 1, clear: 1 }), [1, 0.9, 1]).found, 1);
    const held = new Limit({ above: true, limit: 2, clear: 2, holdLooks: 3 });
    assert.equal(run(held, [3, 0, 0, 0, 0, 0]).found, 4);
  });
});

describe("an outlier", () => {
  const make = (): Outlier => new Outlier({ deviations: 8, floor: 20 });

  test("is far above the median of the last minutes; what is steady, noisy or drifts is none", () => {
    assert.equal(
      run(
        make(),
        many(400, () => 10),
      ).found,
      0,
    );
    assert.equal(
      run(
        make(),
        many(400, (at) => 100 + 60 * noise(at)),
      ).found,
      0,
    );
    assert.equal(
      run(
        make(),
        many(400, (at) => 10 + at / 2),
      ).found,
      0,
    );
    const jump = many(400, (at) => (at < 300 ? 10 : 250));
    assert.ok(run(make(), jump).found > 90);
  });

  test("needs two minutes before it says anything, and one odd value is none", () => {
    assert.equal(
      run(
        make(),
        many(110, (at) => (at < 100 ? 10 : 500)),
      ).found,
      0,
    );
    assert.equal(
      run(
        make(),
        many(400, (at) => (at === 300 ? 400 : 10)),
      ).found,
      0,
    );
  });

  test("is judged in deviations of at least the floor", () => {
    const to = (level: number): number[] => many(330, (at) => (at < 300 ? 10 : level));
    assert.equal(run(make(), to(169)).found, 0);
    assert.ok(run(make(), to(185)).found > 10);
  });
});

describe("a drop", () => {
  const make = (): Drop => new Drop({ slack: 0.4, sum: 0.2, forgetLooks: 60 });

  test("is a level that fell by more than the slack; one peer of ten that restarts is none", () => {
    assert.equal(
      run(
        make(),
        many(120, (at) => (at < 60 ? 10 : 9)),
      ).found,
      0,
    );
    assert.equal(
      run(
        make(),
        many(120, (at) => (at < 60 ? 10 : 6)),
      ).found,
      0,
    );
    const fallen = run(
      make(),
      many(80, (at) => (at < 60 ? 10 : 3)),
    );
    assert.ok(fallen.found >= 19, String(fallen.found));
    assert.match(fallen.last, /fell from 10/);
  });

  test("ends when the level is back, or has become the usual one", () => {
    assert.equal(run(make(), [...many(60, () => 10), ...many(10, () => 3), 6]).last, "");
    const forgotten = run(
      make(),
      many(200, (at) => (at < 60 ? 10 : 3)),
    );
    assert.deepEqual([forgotten.found >= 59 && forgotten.found <= 61, forgotten.last], [true, ""]);
  });

  test("does not take a slow fall for a break, nor a start for a rise", () => {
    assert.equal(
      run(
        make(),
        many(2_000, (at) => 100 - at / 40),
      ).found,
      0,
    );
    assert.equal(
      run(
        make(),
        many(60, (at) => Math.min(at, 12)),
      ).found,
      0,
    );
  });
});

describe("an exhaustion", () => {
  const disk = (): Exhaustion =>
    new Exhaustion({ end: 0, withinLooks: 21_600, leastChange: 0.005 });
  const heap = (): Exhaustion => new Exhaustion({ end: 1, withinLooks: 3_600, leastChange: 0.05 });

  test("is told when the end is near enough at the rate of the last five minutes", () => {
    // 0.5 left: empty in five hours, and in seven.
    const inHours = (hours: number): number[] =>
      many(330, (at) => 0.5 - (0.5 * at) / (hours * 3_600));
    assert.match(run(disk(), inHours(5)).last, /at this rate 0 in 29\d min/);
    assert.equal(run(disk(), inHours(7)).found, 0);
  });

  test("is not told of noise, of what changes little, or of what goes the other way", () => {
    assert.equal(
      run(
        disk(),
        many(900, (at) => 0.3 + 0.02 * noise(at)),
      ).found,
      0,
    );
    assert.equal(
      run(
        disk(),
        many(900, (at) => 0.003 - at * 1e-6),
      ).found,
      0,
    );
    assert.equal(
      run(
        disk(),
        many(900, (at) => 0.1 + at / 5_000),
      ).found,
      0,
    );
  });

  test("sees a leak under the sawtooth of a heap, and no leak in the sawtooth alone", () => {
    const saw = (at: number): number => 0.2 * ((at % 17) / 17);
    assert.equal(
      run(
        heap(),
        many(900, (at) => 0.4 + saw(at)),
      ).found,
      0,
    );
    assert.ok(
      run(
        heap(),
        many(900, (at) => 0.3 + saw(at) + at / 4_000),
      ).found > 0,
    );
  });
});

test("a limit tells the worst value since it stands, not the one on its way back", () => {
  const limit = new Limit({ above: true, limit: 50, clear: 25 });
  const values = [51, 90, 30].map((value) => limit.look(value)?.value);
  assert.deepEqual(values, [51, 90, 90]);
});
