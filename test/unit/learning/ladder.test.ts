import assert from "node:assert/strict";
import test from "node:test";
import {
  AggregationLadder,
  aggregatorNames,
  aggregatorNamed,
  plainKernels,
} from "../../../src/learning/index.ts";

const rows = (n: number): Float32Array[] =>
  Array.from({ length: n }, (_, i) => Float32Array.of(1 + i / 100, 2));
const context = { kernels: plainKernels };

test("Multi-Krum stands on 2f + 3 rows, gives way to the geometric median on 2f + 1, holds on 2f.", () => {
  const ladder = new AggregationLadder({ aggregator: "arc+nnm+multi-krum", byzantine: 2 });
  assert.deepEqual(ladder.rungFor(7), { kind: "chosen", aggregator: "arc+nnm+multi-krum" });
  for (const n of [6, 5]) {
    const rung = ladder.rungFor(n);
    assert.equal(rung.kind, "without-krum");
    assert.match("why" in rung ? rung.why : "", /needs 7/);
    const { aggregate } = ladder.aggregate(rows(n), context) as { aggregate?: unknown };
    const instead = aggregatorNamed("arc+nnm+geometric-median").aggregate(rows(n), 2, context);
    assert.deepEqual(aggregate, instead.ok ? instead.value : undefined);
  }
  assert.equal(ladder.rungFor(4).kind, "hold");
});

test("Below the round's least number of rows it holds, whatever the rule could stand on.", () => {
  const ladder = new AggregationLadder({ aggregator: "median", byzantine: 1, rowsMin: 6 });
  assert.equal(ladder.rungFor(6).kind, "chosen");
  const held = ladder.rungFor(5);
  assert.equal(held.kind === "hold" && held.code, "learning/too-few-updates");
  // A floor below 2f + 1 is raised to it.
  const low = new AggregationLadder({ aggregator: "mean", byzantine: 2, rowsMin: 1 });
  assert.equal(low.rungFor(4).kind, "hold");
  assert.equal(low.rungFor(5).kind, "chosen");
});

test("No rung of any robust rule is the mean, and none stands below its own minimum.", () => {
  for (const aggregator of aggregatorNames.filter((name) => name !== "mean")) {
    for (let byzantine = 0; byzantine < 4; byzantine++) {
      const ladder = new AggregationLadder({ aggregator, byzantine });
      for (let n = 0; n < 14; n++) {
        const rung = ladder.rungFor(n);
        if (rung.kind === "hold") {
          assert.ok(n < 2 * byzantine + 1, `${aggregator} holds at ${n}`);
          continue;
        }
        assert.notEqual(rung.aggregator, "mean");
        assert.ok(n >= aggregatorNamed(rung.aggregator).minimum(byzantine));
      }
    }
  }
});

test("Rows that no rule takes hold the model with the rule's code.", () => {
  const ladder = new AggregationLadder({ aggregator: "median", byzantine: 1 });
  const bad = [...rows(4), Float32Array.of(Number.NaN, 0)];
  const { rung } = ladder.aggregate(bad, context);
  assert.equal(rung.kind === "hold" && rung.code, "learning/not-finite");
  const uneven = [...rows(4), Float32Array.of(1)];
  const other = ladder.aggregate(uneven, context).rung;
  assert.equal(other.kind === "hold" && other.code, "learning/wrong-shape");
});
