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

test("nine in ten of what an incident reminds of when it opens are of the same planted family", () => {
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

test("the same in the mean over hosts, with the archive that the simulator uses", () => {
  const hosts = [2, 3, 4, 5];
  const found = hosts.map((seed) => precisionAtFive(new MemoryArchive(), seed).atFive);
  const mean = found.reduce((sum, one) => sum + one, 0) / hosts.length;
  assert.ok(mean >= WANTED, `precision at 5 is ${mean}: ${found.join(", ")}`);
});
