// The parts of recall: the exact scan, the fusion of ranks, and an incident's words.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fuseRanks } from "../../../src/healing/knowledge/rank-fusion.ts";
import { VectorIndex } from "../../../src/healing/knowledge/vector-index.ts";
import { wordsOf, WORDS_MAX } from "../../../src/healing/knowledge/words.ts";
import { incident, wall } from "./incidents.ts";

/** A vector under an id, or the end of that id. */
const change = fc.record({
  id: fc.integer({ min: 0, max: 9 }),
  vector: fc.option(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 })),
});

test("the index finds what a sort of everything finds, after any history of changes", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const index = new VectorIndex(3);
      const model = new Map<string, readonly number[]>();
      for (const { id, vector } of changes) {
        if (vector === null) index.delete(String(id));
        else index.set(String(id), Float32Array.from(vector));
        if (vector === null) model.delete(String(id));
        else model.set(String(id), vector);
      }
      const expected = [...model]
        .map(([id, vector]) => ({ id, distance: vector.reduce((sum, x) => sum + (x - 1) ** 2, 0) }))
        .sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
        .slice(0, 7);
      assert.deepEqual(index.nearest(Float32Array.of(1, 1, 1), 7), expected);
      assert.equal(index.size, model.size);
    }),
  );
});

test("the index grows with what is put into it", () => {
  const index = new VectorIndex(2);
  for (let at = 0; at < 200; at++) index.set(String(at), Float32Array.of(at, 0));
  assert.deepEqual(index.nearest(Float32Array.of(199, 0), 1), [{ id: "199", distance: 0 }]);
  assert.deepEqual(index.nearest(Float32Array.of(0, 0), 1), [{ id: "0", distance: 0 }]);
});

test("second in two lists is better than first in one", () => {
  const lists = [
    ["a", "b", "c"],
    ["d", "b", "e"],
  ];
  const fused = fuseRanks(lists, 3).map(({ id }) => id);
  assert.deepEqual(fused, ["b", "a", "d"]);
});

test("fusion of one list is that list", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), (list) => {
      assert.deepEqual(
        fuseRanks([list], list.length).map(({ id }) => id),
        list,
      );
    }),
  );
});

test("an incident's words are its codes, its peer, what was off and which way, and the words of people", () => {
  const words = wordsOf(
    incident("a", "node/disk-filling", {
      symptoms: [
        {
          ...{ code: "state/write-failed", severity: "error", firstSeenMs: wall(1) },
          ...{ subject: "node-7", message: "Cannot write the state: the disk is full." },
          evidence: [
            { observation: "diskFreeRatio", value: 0.01, threshold: 0.1, finding: "below" },
          ],
        },
      ],
    }),
  );
  for (const word of [
    "cause_node_disk_filling",
    "state_write_failed",
    "node_7",
    "diskfreeratio_low",
    "disk",
  ])
    assert.ok(words.includes(word), word);
  assert.ok(words.every((word) => /^[a-z0-9_]+$/.test(word)));
});

test("whatever a part says, the words are bounded and need no quoting", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 300 }), { maxLength: 32 }), (messages) => {
      const symptoms = messages.map((message) => {
        const seen = { code: "node/slow", severity: "info", firstSeenMs: wall(1) } as const;
        return { ...seen, subject: message, message, evidence: [] };
      });
      const words = wordsOf(incident("a", "node/slow", { symptoms }));
      assert.ok(words.length <= WORDS_MAX);
      assert.ok(words.every((word) => /^[a-z0-9_]{1,48}$/.test(word)));
    }),
  );
});
