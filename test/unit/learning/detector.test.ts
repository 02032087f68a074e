import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  ByzantineDetector,
  type ParticipantId,
  proofKinds,
  SUSPECT_SCORE,
} from "../../../src/learning/index.ts";

const ids = ["a", "b", "c", "d", "e"] as ParticipantId[];
const [first, second] = ids as [ParticipantId, ParticipantId];
const usual = {
  votes: [1, 1, 1, 1, 1],
  clip: [1, 1, 1, 1, 1],
  distances: [2, 2, 2, 2, 2],
  cosines: [0.5, 0.5, 0.5, 0.5, 0.5],
};
const scoreOf = (detector: ByzantineDetector, id: ParticipantId): number =>
  detector.standings().find(({ nodeId }) => nodeId === id)?.score ?? Number.NaN;

test("A proof of each kind evicts for good, the first one stays, and a stranger cannot be evicted.", () => {
  for (const kind of proofKinds) {
    const detector = new ByzantineDetector(ids);
    assert.equal(detector.prove(first, kind, 7), true);
    assert.equal(detector.prove(first, "wrong-base", 8), false);
    assert.equal(detector.prove("stranger", kind, 7), false);
    for (let round = 0; round < 100; round++) detector.observe(ids, usual);
    const [standing] = detector.standings();
    assert.deepEqual([standing?.evicted, standing?.weight], [{ kind, round: 7 }, 0]);
  }
});

test("Each sign counts: few votes, clipping, distance, another direction, an old base; none names anybody alone in a round.", () => {
  const odd = (signs: Partial<typeof usual>, staleness?: number[]): number => {
    const detector = new ByzantineDetector(ids);
    detector.observe(ids, { ...usual, ...signs }, staleness);
    for (const id of ids.slice(1)) assert.equal(scoreOf(detector, id), 0);
    return scoreOf(detector, first);
  };
  assert.equal(odd({}), 0);
  assert.equal(odd({ votes: [0, 1, 1, 1, 1] }), 0.1);
  assert.equal(odd({ clip: [0.5, 1, 1, 1, 1] }), 0.05);
  assert.equal(odd({ distances: [6, 2, 2, 2, 2] }), 0.1);
  assert.equal(odd({ distances: [4, 2, 2, 2, 2] }), 0.05);
  assert.equal(odd({ distances: [1, 2, 2, 2, 2] }), 0, "nearer than usual is not odd");
  assert.equal(odd({ cosines: [-1, 0.5, 0.5, 0.5, 0.5] }), 0.1);
  assert.equal(odd({}, [1, 0, 0, 0, 0]), 0.05);
});

test("Statistics never evict, weigh no less than a quarter, and fade when they stop or the identity is away.", () => {
  const detector = new ByzantineDetector(ids);
  const odd = { ...usual, votes: [0, 1, 1, 1, 1] };
  let rounds = 0;
  for (; scoreOf(detector, first) < SUSPECT_SCORE; rounds++) detector.observe(ids, odd);
  assert.equal(rounds, 14);
  for (let round = 0; round < 500; round++) detector.observe(ids, odd);
  const [worst] = detector.standings();
  assert.deepEqual([worst?.weight, worst?.evicted], [0.25, undefined]);
  detector.observe(ids, usual);
  const faded = scoreOf(detector, first);
  assert.ok(faded < (worst?.score ?? 0));
  detector.observe(ids.slice(1), {
    votes: [1, 1, 1, 1],
    clip: [1, 1, 1, 1],
    distances: [2, 2, 2, 2],
    cosines: [1, 1, 1, 1],
  });
  assert.ok(scoreOf(detector, first) < faded);
  assert.equal(detector.standings()[0]?.rounds, rounds + 501);
});

test("Rows without any distance, votes or direction, and identities that take no part, change no score.", () => {
  const detector = new ByzantineDetector(ids);
  const nothing = [0, 0, 0, 0, 0];
  detector.observe(ids, {
    votes: nothing,
    clip: [1, 1, 1, 1, 1],
    distances: nothing,
    cosines: nothing,
  });
  detector.observe(["x"], {
    votes: [0],
    clip: [0],
    distances: [9],
    cosines: [-1],
  });
  for (const { score, weight } of detector.standings()) {
    assert.equal(score, 0);
    assert.equal(weight, 1);
  }
});

test("A ledger comes back from its bytes as it was; any other bytes are refused or make a valid one.", () => {
  const detector = new ByzantineDetector(ids);
  for (let round = 0; round < 9; round++) {
    detector.observe(ids, { ...usual, votes: [0.3, 1, 0.7, 1, 1.1] }, [0, 0, 3, 0, 0]);
  }
  detector.prove(second, "equivocation", 4);
  const bytes = detector.encode();
  const again = ByzantineDetector.decode(bytes, ids);
  assert.ok(again.ok);
  assert.deepEqual(again.value.standings(), detector.standings());
  assert.deepEqual(again.value.encode(), bytes);
  assert.equal(ByzantineDetector.decode(bytes, ids.slice(1)).ok, false);
  const text = new TextDecoder().decode(bytes);
  for (const bad of [
    text.replace("equivocation", "rumour"),
    text.replace("9,", "-9,"),
    text.replace("0.", "7."),
    text.slice(1),
    "[[0,1],[0,1],[0,1],[0,1],[0,1,null,1]]",
    `[${" ".repeat(600)}]`,
  ]) {
    assert.equal(ByzantineDetector.decode(new TextEncoder().encode(bad), ids).ok, false, bad);
  }
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.jsonValue(), { maxLength: 4 }), { maxLength: 6 }),
      (entries) => {
        const read = ByzantineDetector.decode(
          new TextEncoder().encode(JSON.stringify(entries)),
          ids,
        );
        if (!read.ok) return;
        for (const { score, weight } of read.value.standings()) {
          assert.ok(score >= 0 && score <= 1 && weight >= 0 && weight <= 1);
        }
      },
    ),
    { seed: 20_261_124, numRuns: 500 },
  );
});
