// The quality of recall is a promise: a change of features, words or ranks that spoils it must not go unseen.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { precisionAtFive } from "../../../bench/recall/precision.ts";
import { SqliteArchive } from "../../../src/adapters/sqlite/incident-archive.ts";
import { MemoryArchive } from "../../../src/healing/index.ts";

const WANTED = 0.9;

test("of the five most similar incidents nine in ten are of the same planted family", () => {
  const directory = mkdtempSync(join(tmpdir(), "recall-"));
  const archive = new SqliteArchive(directory);
  try {
    const { atFive, judged } = precisionAtFive(archive, 1);
    assert.equal(judged, 300);
    assert.ok(atFive >= WANTED, `precision at 5 is ${atFive}`);
  } finally {
    archive.close();
    rmSync(directory, { recursive: true });
  }
});

test("the same with the archive that the simulator uses, for other hosts", () => {
  for (const seed of [2, 3, 4]) {
    const { atFive } = precisionAtFive(new MemoryArchive(), seed);
    assert.ok(atFive >= WANTED, `precision at 5 is ${atFive} with seed ${seed}`);
  }
});
