// Why an update counted for little, in the words of the rule that said so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { whyOf } from "../../../src/cli/commands/fl/explain.ts";
import type { FlExplained } from "../../../src/control/index.ts";

type Participant = FlExplained["participants"][number];

const participant = (distance: number, over: Partial<Participant> = {}): Participant => ({
  ...{ nodeId: "ab", name: "node", self: false, verdict: "counted", code: null, votes: 1, clip: 1 },
  ...{ inDegree: 3, distance, cosine: 1, suspicion: 0, suspect: false, evictedInRound: null },
  ...over,
});

function why(aggregator: string, it: Participant): string {
  const others = [1, 1, 1, 1].map((distance) => participant(distance));
  return whyOf(it, {
    ...{ schemaVersion: 1, taskId: "t", round: 1, result: "aggregated", aggregator, byzantine: 1 },
    ...{ loss: null, accuracy: null, durationMs: 1, participants: [it, ...others] },
  });
}

test("An update near the others that counted for little did so for the rule's own reason; one far off for that.", () => {
  const few = { verdict: "down-weighted", votes: 0.25 } as const;
  const none = { verdict: "no-weight", votes: 0 } as const;
  assert.equal(
    why("arc+caf", participant(1, few)),
    "it has 0.25 votes: it stands out where updates differ most",
  );
  assert.equal(
    why("arc+caf", participant(1, none)),
    "the rule left its update out: it stands out where updates differ most",
  );
  assert.equal(
    why("arc+nnm+geometric-median", participant(1, few)),
    "it has 0.25 votes: the rule prefers others",
  );
  assert.equal(
    why("arc+caf", participant(2, few)),
    "it has 0.25 votes, 2.0 times the usual distance",
  );
  assert.equal(
    why("arc+caf", participant(2, none)),
    "the rule left its update out, 2.0 times the usual distance",
  );
});
