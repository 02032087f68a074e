import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Curve, drawCurves } from "../../../src/cli/fl/curves.ts";
import { curveOf, readCurve } from "../../../src/cli/fl/run-file.ts";

const rounds = [
  { round: 1, loss: 2, accuracy: 0.1, more: "is ignored" },
  { round: 2, loss: 0.5, accuracy: 0.8 },
];

test("A run is taken from what simulate and status print, with what tells it from others.", () => {
  const simulated = {
    rounds,
    aggregator: "median",
    attack: "scaled",
    byzantine: 2,
    participants: 7,
  };
  assert.equal(curveOf(simulated, "a").label, "a: median, 7 nodes, f 2, scaled");
  const status = { learning: { history: rounds, aggregator: "mean" } };
  assert.deepEqual(curveOf(status, "b"), {
    label: "b: mean",
    points: [1, 2].map((round, i) => ({ round, loss: [2, 0.5][i], accuracy: [0.1, 0.8][i] })),
  });
  assert.equal(curveOf({ taskId: "x", rounds }, "c").label, "c");
});

test("What is no run is refused by name.", (t: TestContext) => {
  const directory = mkdtempSync(join(tmpdir(), "plot-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "run.json");
  for (const text of [
    "",
    "{}",
    "[]",
    '{"rounds":[]}',
    '{"rounds":[{"round":1}]}',
    '{"rounds":[{"round":1,"loss":1,"accuracy":1.1}]}',
    '{"rounds":[{"round":1e9,"loss":1,"accuracy":1}]}',
    '{"learning":null}',
  ]) {
    writeFileSync(file, text);
    assert.throws(
      () => readCurve(file),
      (error: Error & { code?: string }) => error.code === "cli/bad-run",
      text,
    );
  }
  assert.throws(() => readCurve(join(directory, "none")), /ENOENT/);
});

/** What a line of the drawing is drawn through, in pixels. */
function linesOf(svg: string): [number, number][][] {
  return [...svg.matchAll(/<polyline class="run run\d" points="([^"]+)"/g)].map(([, points]) =>
    (points ?? "").split(" ").map((point) => point.split(",").map(Number) as [number, number]),
  );
}

test("Curves: a line a run in both panels, inside of them, higher for more, and one dot for one round", () => {
  const one: Curve = { label: 'a <b> & "c"', points: rounds };
  const stray: Curve = {
    label: "stray",
    points: [
      { round: 1, loss: 1e6, accuracy: 0 },
      { round: 3, loss: 0, accuracy: 1 },
    ],
  };
  const svg = drawCurves("T <1>", [
    one,
    stray,
    { label: "dot", points: [{ round: 1, loss: 1, accuracy: 0.5 }] },
  ]);
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.match(svg, /prefers-color-scheme:dark/);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined|href|<script|url\(/);
  assert.match(svg, />T &lt;1&gt;</);
  assert.match(svg, />a &lt;b&gt; &amp; &quot;c&quot;</);
  for (const label of [
    "round",
    "accuracy on the test samples",
    "loss on the test samples \\(log\\)",
  ])
    assert.match(svg, new RegExp(`>${label}<`));
  assert.equal(svg.match(/<circle/g)?.length, 2);
  const lines = linesOf(svg);
  assert.equal(lines.length, 4);
  for (const [x, y] of lines.flat())
    assert.ok(x >= 64 && x <= 836 && y >= 44 && y <= 541, `${x},${y}`);
  const [accuracy, , loss] = lines;
  assert.ok((accuracy?.[1]?.[1] ?? 0) < (accuracy?.[0]?.[1] ?? 0), "accuracy rises");
  assert.ok((loss?.[1]?.[1] ?? 0) > (loss?.[0]?.[1] ?? 0), "loss falls");
  assert.deepEqual(
    lines[1]?.map(([x]) => x),
    [64, 836],
    "the last round ends the axis",
  );
});

test("A run whose losses are all equal, none or huge still has an axis.", () => {
  for (const loss of [0, 1, 1e-9, 1e30, null]) {
    const svg = drawCurves("t", [
      { label: "x", points: [1, 2].map((round) => ({ round, loss, accuracy: 1 })) },
    ]);
    assert.doesNotMatch(svg, /NaN|Infinity/, String(loss));
  }
});
