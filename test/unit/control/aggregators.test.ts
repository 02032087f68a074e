// The control API names the learning room's rules and attacks without importing it: the two lists must be one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregators, attacks } from "../../../src/control/index.ts";
import { aggregatorNames, attackKinds } from "../../../src/learning/index.ts";

test("A request can name every rule that a daemon has, in its order, and no other.", () => {
  assert.deepEqual([...aggregators], [...aggregatorNames]);
});

test("A request can name every attack that adversaries know, and no other.", () => {
  assert.deepEqual([...attacks], [...attackKinds]);
});
