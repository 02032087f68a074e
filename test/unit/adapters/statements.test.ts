import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Statements } from "../../../src/adapters/sqlite/statements.ts";

const FULL = 2;

test("only what may be lost with the power does not wait for the disk, and nothing after it", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("PRAGMA synchronous = FULL; CREATE TABLE notes (text TEXT NOT NULL)");
  const statements = new Statements(database);
  const waits = (): unknown => database.prepare("PRAGMA synchronous").get()?.["synchronous"];
  const note = (text: string | null): number =>
    statements.run("INSERT INTO notes VALUES (?)", text);

  let during: unknown;
  statements.unsynced(() => {
    note("kept");
    during = waits();
  });
  assert.notEqual(during, FULL);
  assert.equal(waits(), FULL);

  assert.throws(
    () =>
      statements.unsynced(() => {
        note("half of it");
        note(null);
      }),
    { code: "state/write-failed" },
  );
  assert.equal(waits(), FULL);
  assert.deepEqual(
    statements.all("SELECT text FROM notes").map(({ text }) => text),
    ["kept"],
  );
  database.close();
});
