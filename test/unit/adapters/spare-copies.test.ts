// Copies that wait for one another: each goes to its peer once, and a peer's do not pile up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SpareCopies } from "../../../src/adapters/libp2p/spare-copies.ts";

const copy = (number: number): { topic: string; data: Uint8Array } => ({
  topic: "t",
  data: Uint8Array.of(number),
});

function sent(spares: SpareCopies): [string, number[]][] {
  const given: [string, number[]][] = [];
  spares.send((peerId, copies) => given.push([peerId, copies.map(({ data }) => data?.[0] ?? -1)]));
  return given;
}

test("all of one peer go together, once", () => {
  const spares = new SpareCopies();
  spares.add("a", copy(1));
  spares.add("b", copy(2));
  spares.add("a", copy(3));
  assert.deepEqual(sent(spares), [
    ["a", [1, 3]],
    ["b", [2]],
  ]);
  assert.deepEqual(sent(spares), []);
});

test("of too many for one peer the newest go", () => {
  const spares = new SpareCopies();
  for (let number = 0; number < 40; number++) spares.add("a", copy(number));
  assert.deepEqual(sent(spares), [["a", Array.from({ length: 32 }, (_, at) => at + 8)]]);
});
