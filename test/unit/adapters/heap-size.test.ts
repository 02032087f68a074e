import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapRule } from "../../../src/adapters/heap-size.ts";

const times = (count: number, loopUse: number): number[] => Array<number>(count).fill(loopUse);

test("the heap is made small after half a minute of calm, and may grow as soon as there is work", () => {
  const rule = new HeapRule();
  const after = (...looks: number[]): string | undefined =>
    looks.map((loopUse) => rule.look(loopUse, 0)).at(-1);
  assert.equal(after(...times(5, 0.02)), "fast", "25 s of calm");
  assert.equal(after(0.1, ...times(5, 0.02)), "fast", "work in between: counted anew");
  assert.equal(after(0.02), "small");
  assert.equal(
    after(...times(20, 0.19)),
    "small",
    "a small heap itself costs up to twice the time",
  );
  assert.equal(after(0.2), "fast");
  assert.equal(after(...times(100, 0.1)), "fast");
  assert.equal(after(...times(6, 0.099)), "small");
});

test("a thread that learns is work, however calm the event loop is", () => {
  const rule = new HeapRule();
  for (const loopUse of times(6, 0.02)) rule.look(loopUse, 0);
  assert.equal(rule.look(0.02, 1), "fast");
  assert.deepEqual(
    times(6, 0.02).map((loopUse) => rule.look(loopUse, 0)),
    [...Array<string>(5).fill("fast"), "small"],
  );
});
