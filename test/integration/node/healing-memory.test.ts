// What a daemon remembers of incidents, over restarts and over damage.

import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SqliteArchive } from "../../../src/adapters/sqlite/incident-archive.ts";
import { wordsOf } from "../../../src/healing/knowledge/words.ts";
import { incident, wall } from "../../unit/healing/incidents.ts";
import { scratch, Stack, startDaemon } from "./harness.ts";

test("incidents outlive the daemon; a damaged file of them is set aside, said, and the daemon goes on", async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const directory = scratch(stack);
  const state = join(directory, "state");
  await (await startDaemon(stack, {}, directory)).stop();
  const archive = new SqliteArchive(state);
  for (const id of ["a-1", "a-2"]) {
    const past = incident(id, "node/disk-filling", { openedAtMs: wall(Date.now()) });
    archive.put({ incident: past }, wordsOf(past));
  }
  archive.close();

  const second = await startDaemon(stack, {}, directory);
  const { incidents } = await second.client.incidents({ limit: 10 });
  assert.deepEqual(
    incidents.map(({ id }) => id),
    ["a-2", "a-1"],
  );
  const { similar } = await second.client.similarIncidents({ id: "last" });
  assert.deepEqual([similar[0]?.id, similar[0]?.similarity, similar[0]?.node], ["a-1", 1, null]);
  const { health } = await second.status();
  assert.ok(!health.some(({ code }) => code.startsWith("healing/knowledge")));
  await second.stop();

  writeFileSync(join(state, "incidents.sqlite"), "no database ".repeat(1_000));
  const third = await startDaemon(stack, {}, directory);
  const after = await third.status();
  assert.ok(after.health.some(({ code }) => code === "healing/knowledge-rebuilt"));
  assert.deepEqual((await third.client.incidents({ limit: 10 })).incidents, []);
  assert.ok(existsSync(join(state, "incidents.sqlite.damaged")));
  assert.equal(statSync(join(state, "incidents.sqlite")).mode & 0o777, 0o600);
});
