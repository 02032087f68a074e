// Scenarios that train: those of the protocol, and of the attacks on updates the ones that search against the rule in use and those
// that cost most. `LEARNING_SCENARIOS=all` runs every one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chaosTest, scenariosOf } from "./chaos.ts";

const chosen = [
  ...["contradiction", "flooding", "selective-withholding", "slow-loris", "replay", "crash"],
  ...["partition", "late-joiner", "everything", "ipm-optimal", "alie-optimal", "mimic", "infinite"],
  ...["stream-flooding", "stream-crash", "stream-partition"],
];
const names = scenariosOf("learning");
const isChosen = (name: string): boolean => chosen.includes(name.slice("learning-".length));
const all = process.env["LEARNING_SCENARIOS"] === "all";

test("every scenario that is chosen is there", () => {
  assert.equal(names.filter(isChosen).length, chosen.length);
});

for (const name of names.filter((one) => all || isChosen(one))) chaosTest(name, 1);
