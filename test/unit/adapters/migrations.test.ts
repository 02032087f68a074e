// The state's way forward. The mechanism runs with lists of its own; the first schema is frozen as text, and every later
// version has to bring it forward.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { MIGRATIONS } from "../../../src/adapters/sqlite/migrations.ts";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const ONE = "CREATE TABLE a (x INTEGER) STRICT;";
const TWO = "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = 'was ' || x;";
const THREE = "CREATE TABLE b AS SELECT y FROM a; DROP TABLE a;";
const SCHEMA_1 = fileURLToPath(new URL("../../fixtures/state-schema-1.sql", import.meta.url));

describe("the state's schema", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "x0-schema-"));
    file = join(directory, "meshd.sqlite");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function withDatabase<T>(migrations: readonly string[], use: (database: DatabaseSync) => T): T {
    const database = openDatabase(directory, migrations);
    try {
      return use(database);
    } finally {
      database.close();
    }
  }
  const versionOf = (path: string): number => {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    } finally {
      database.close();
    }
  };

  test("goes from any earlier version to the last, one step after the other", () => {
    withDatabase([ONE], (database) => database.exec("INSERT INTO a VALUES (7)"));
    assert.deepEqual(
      withDatabase(
        [ONE, TWO, THREE],
        (database) => database.prepare("SELECT y FROM b").get()?.["y"],
      ),
      "was 7",
    );
    assert.equal(versionOf(file), 3);
  });

  test("keeps a copy of the version before the first step", () => {
    withDatabase([ONE], (database) => database.exec("INSERT INTO a VALUES (7)"));
    assert.equal(existsSync(`${file}.schema-1`), false);
    withDatabase([ONE, TWO, THREE], () => undefined);
    const copy = new DatabaseSync(`${file}.schema-1`, { readOnly: true });
    assert.equal(copy.prepare("SELECT x FROM a").get()?.["x"], 7);
    copy.close();
    assert.equal(versionOf(`${file}.schema-1`), 1);
  });

  test("stays whole at the last good version when a step fails", () => {
    withDatabase([ONE], (database) => database.exec("INSERT INTO a VALUES (7)"));
    const broken = `${THREE} SELECT no_such_function();`;
    assert.throws(() => withDatabase([ONE, TWO, broken], () => undefined), {
      code: "state/migration-failed",
      message: /from schema version 2 to 3.*It is as version 2 left it/,
    });
    assert.equal(versionOf(file), 2);
    withDatabase([ONE, TWO], (database) =>
      assert.equal(database.prepare("SELECT y FROM a").get()?.["y"], "was 7"),
    );
  });

  test("of a newer meshd is refused, and not a byte of it changes", () => {
    withDatabase([ONE, TWO], () => undefined);
    const before = readFileSync(file);
    assert.throws(() => withDatabase([ONE], () => undefined), {
      code: "state/schema-too-new",
      message:
        /schema is version 2, this meshd knows up to version 1.*Install the newer meshd again, or restore a backup/,
    });
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(existsSync(`${file}.schema-2`), false);
  });

  test("is at one version or the next after a kill -9 in the middle of a step", async () => {
    withDatabase([ONE], (database) => database.exec("INSERT INTO a VALUES (7)"));
    const module = new URL("../../../src/adapters/sqlite/database.ts", import.meta.url).href;
    // A step that takes longer than the test waits: the process is killed inside of its transaction.
    const endless =
      "UPDATE a SET x = 8; INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;";
    const script = `const { openDatabase } = await import(${JSON.stringify(module)});
      process.stdout.write("stepping");
      openDatabase(${JSON.stringify(directory)}, ${JSON.stringify([ONE, endless])});`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    // The copy is renamed right before the step begins; the write-ahead log grows only inside of it.
    const signal = AbortSignal.timeout(20_000);
    while (!existsSync(`${file}.schema-1`)) {
      signal.throwIfAborted();
      await new Promise((resume) => setImmediate(resume));
    }
    child.kill("SIGKILL");
    await once(child, "close");
    withDatabase([ONE], (database) =>
      assert.deepEqual(
        database.prepare("SELECT count(*) AS n, max(x) AS x FROM a").get()?.["x"],
        7,
      ),
    );
    assert.equal(versionOf(file), 1);
  });

  test("version 1, as it was released, opens with all it holds", () => {
    const database = new DatabaseSync(file);
    database.exec(readFileSync(SCHEMA_1, "utf8"));
    database.close();
    const store = new StateStore(directory);
    try {
      assert.equal(store.schemaVersion, MIGRATIONS.length);
      assert.equal(store.epoch(), 1_800_000_000);
      assert.equal(store.issuerId(), "spiffe://a.mesh/node/first");
      const { trustDomain, name, chain } = store.credential() ?? assert.fail("a credential");
      assert.deepEqual(
        [trustDomain, name, chain.map(({ length }) => length)],
        ["a.mesh", "second", [3, 2]],
      );
      assert.deepEqual([...(store.issuer()?.root ?? [])], [1, 2, 3]);
      assert.deepEqual(store.knownAddresses(), ["/ip4/10.0.0.1/tcp/4001"]);
      const task = store.latestTask() ?? assert.fail("a task");
      assert.deepEqual(
        [task.taskId, task.state, task.round, task.model?.length],
        ["t-1", "running", 3, 4],
      );
      assert.equal(store.tokens.find("aa")?.expiresAtMs, 1_900_000_000_000 as WallMs);
      assert.equal(store.names.check("second", "n2" as never), "held");
      assert.deepEqual(store.evidence(), []);
    } finally {
      store.close();
    }
  });

  test("of a damaged database is not touched", () => {
    writeFileSync(file, "SQLite format 3\0 and then nothing that fits".repeat(200));
    const before = readFileSync(file);
    assert.throws(() => openDatabase(directory), {
      code: "state/corrupt",
      message: /Move the file away and join the mesh again, or restore a backup/,
    });
    assert.deepEqual(readFileSync(file), before);
  });
});
