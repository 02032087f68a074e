// What a node thinks of participants: a statistic over the rounds that it computed, and proofs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RoundReport } from "../../../src/learning/index.ts";
import { explainRound } from "../../../src/node/learning/learning-view.ts";
import { standingsAfter } from "../../../src/node/learning/standings.ts";

const participants = ["a", "b", "c", "d"];

/** A round in which d lies far off and points elsewhere. */
function report(round: number, liarsCosine = -0.9): RoundReport {
  const contributors = participants.map((nodeId) => ({
    ...{ nodeId, share: 0.25, votes: 1, clip: 1, distance: 1, inDegree: 3, outlier: false },
    cosine: nodeId === "d" ? liarsCosine : 0.9,
  }));
  const nothing = { rejected: [], refusals: [], silent: [] };
  return {
    ...{ round, result: "aggregated", held: false, loss: 1, accuracy: 0.5, trainLoss: null },
    ...{ aggregator: "median", durationMs: 1, contributors, ...nothing },
  } as unknown as RoundReport;
}

function rounds(count: number): RoundReport[] {
  return Array.from({ length: count }, (_, i) => report(i + 1));
}

describe("the standing of a participant", () => {
  test("falls round by round while it looks odd, to a quarter and no further", () => {
    const few = standingsAfter({ participants }, rounds(3), []).get("d");
    const many = standingsAfter({ participants }, rounds(60), []).get("d");
    assert.ok(few !== undefined && many !== undefined);
    assert.ok(few.score > 0.2 && few.score < 0.75, `after three rounds ${few.score}`);
    assert.ok(many.score > 0.75, `after sixty ${many.score}`);
    assert.equal(many.weight, 0.25);
    assert.equal(many.evicted, undefined, "statistics evict nobody");
    assert.ok((standingsAfter({ participants }, rounds(60), []).get("a")?.score ?? 1) < 0.1);
  });

  test("does not change with a round whose result came from others", () => {
    const taken = { ...report(4), contributors: [] };
    const before = standingsAfter({ participants }, rounds(3), []);
    assert.deepEqual(standingsAfter({ participants }, [...rounds(3), taken], []), before);
  });

  test("is told with the round's part, as a suspicion that nothing follows from", () => {
    const task = { ...{ taskId: "t", byzantine: 1 }, participants };
    const standings = standingsAfter(task, rounds(60), []);
    const { participants: told } = explainRound(
      task as unknown as Parameters<typeof explainRound>[0],
      report(60),
      standings,
      "a",
      (nodeId) => nodeId,
    );
    assert.deepEqual(
      told.map(({ suspect, evictedInRound, verdict }) => [suspect, evictedInRound, verdict]),
      [...["a", "b", "c"].map(() => [false, null, "counted"]), [true, null, "counted"]],
    );
  });
});
