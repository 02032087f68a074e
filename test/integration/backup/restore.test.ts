// Restoring into a state directory: what it refuses, what it leaves, and a kill -9 at every step of it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { MIGRATIONS } from "../../../src/adapters/sqlite/migrations.ts";
import { finishRestore, takeRestoreLock } from "../../../src/adapters/sqlite/restore-swap.ts";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { restoreBackup, verifyBackup } from "../../../src/node/backup/restore.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import { backUp, makeState, PASSPHRASE, whoseState } from "./states.ts";

const now = new Date(1_800_000_000_000);

describe("a backup", () => {
  let directory: string;
  let stateDir: string;
  let file: string;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "x0-backup-"));
    stateDir = join(directory, "state");
    file = join(directory, "b.x0");
    makeState(join(directory, "source"), { name: "saved", seedByte: 2 });
    await backUp(join(directory, "source"), file);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const restore = (options: { replace?: boolean; passphrase?: string } = {}) =>
    restoreBackup({ file, passphrase: PASSPHRASE, stateDir, replace: false, now, ...options });

  test("is verified without a trace", async () => {
    const before = readdirSync(directory, { recursive: true }).toSorted();
    const found = await verifyBackup(file, PASSPHRASE);
    assert.deepEqual(
      [found.name, found.trustDomain, found.nodeId, found.schema, found.isIssuer],
      ["saved", "a.mesh", "n1", MIGRATIONS.length, false],
    );
    assert.deepEqual(readdirSync(directory, { recursive: true }).toSorted(), before);
  });

  test("holds no byte of seeds or database in clear", () => {
    const text = readFileSync(file).toString("latin1");
    for (const secret of ["\u0002".repeat(16), "SQLite format", "a.mesh", "seed", "manifest"])
      assert.equal(text.includes(secret), false, secret);
  });

  test("leaves nothing beside the state it is made of", () => {
    assert.deepEqual(readdirSync(join(directory, "source")).toSorted(), ["keys", "meshd.sqlite"]);
  });

  test("is restored into an empty place with private modes", async () => {
    const restored = await restore();
    assert.equal(restored.replaced, null);
    assert.equal(whoseState(stateDir), "saved");
    assert.deepEqual(readdirSync(stateDir).toSorted(), ["keys", "meshd.sqlite"]);
    for (const name of ["", "keys"])
      assert.equal(statSync(join(stateDir, name)).mode & 0o777, 0o700);
    for (const name of ["meshd.sqlite", "keys/ed25519.seed", "keys/ml-dsa-65.seed"])
      assert.equal(statSync(join(stateDir, name)).mode & 0o777, 0o600, name);
  });

  test("moves a state that is there aside, and only when asked to", async () => {
    makeState(stateDir, { name: "old", seedByte: 1 });
    await assert.rejects(restore(), { code: "backup/state-not-empty", message: /--replace/ });
    assert.equal(whoseState(stateDir), "old");
    const { replaced } = await restore({ replace: true });
    assert.equal(whoseState(stateDir), "saved");
    assert.equal(whoseState(replaced ?? ""), "old");
  });

  test("replaces a damaged database too", async () => {
    mkdirSync(stateDir);
    writeFileSync(join(stateDir, "meshd.sqlite"), "no database".repeat(1000));
    await assert.rejects(restore(), { code: "backup/state-not-empty" });
    const { replaced } = await restore({ replace: true });
    assert.equal(whoseState(stateDir), "saved");
    assert.match(readFileSync(join(replaced ?? "", "meshd.sqlite"), "utf8"), /^no database/);
  });

  test("is not restored under a running daemon", async () => {
    const daemon = new StateStore(stateDir);
    await assert.rejects(restore({ replace: true }), {
      code: "state/in-use",
      message: /Stop that one/,
    });
    daemon.close();
    assert.deepEqual(readdirSync(stateDir), ["meshd.sqlite"]);
  });

  test("keeps a daemon from starting while it is restored", () => {
    mkdirSync(stateDir);
    const lock = takeRestoreLock(stateDir);
    mkdirSync(join(stateDir, "restore.ready"));
    assert.throws(() => finishRestore(stateDir), {
      code: "state/in-use",
      message: /is being restored/,
    });
    lock.release();
    finishRestore(stateDir);
    assert.deepEqual(readdirSync(stateDir), []);
  });

  test("that does not open leaves the state as it was, and an empty place empty", async () => {
    await assert.rejects(restore({ passphrase: "another passphrase" }), {
      code: "backup/wrong-passphrase",
    });
    assert.deepEqual(readdirSync(stateDir), []);
    makeState(stateDir, { name: "old", seedByte: 1 });
    const whole = readFileSync(file);
    for (const length of [27, 100, 70_000, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      await assert.rejects(restore({ replace: true }), /backup/i);
      await assert.rejects(verifyBackup(file, PASSPHRASE), /backup/i);
    }
    assert.equal(whoseState(stateDir), "old");
    assert.deepEqual(readdirSync(stateDir).toSorted(), ["keys", "meshd.sqlite"]);
  });

  test("of a newer schema is refused by verify and restore", async () => {
    const source = join(directory, "newer");
    makeState(source, { name: "newer", seedByte: 3 });
    await backUp(source, file, { schema: 99 });
    for (const refused of [verifyBackup(file, PASSPHRASE), restore()])
      await assert.rejects(refused, { code: "state/schema-too-new", message: /version 99/ });
    assert.deepEqual(readdirSync(stateDir), []);
  });

  test("gives an epoch above all that were used since, though the clock stands still", async () => {
    makeState(stateDir, { name: "saved", seedByte: 2 });
    let used = 0;
    for (let restart = 0; restart < 20; restart++) {
      const store = new StateStore(stateDir);
      used = store.nextEpoch(now.getTime() as WallMs);
      store.close();
    }
    await restore({ replace: true });
    const store = new StateStore(stateDir);
    const next = store.nextEpoch(now.getTime() as WallMs);
    store.close();
    assert.ok(next > used, `${next} follows ${used}`);
  });

  test("ends the join tokens that were open when it was made", async () => {
    await restore();
    const store = new StateStore(stateDir);
    assert.equal(store.tokens.find("aa"), undefined);
    store.close();
  });

  test("killed at any step leaves the old state or the new one, whole", {
    timeout: 300_000,
  }, () => {
    const outcomes: string[] = [];
    for (let step = 1; ; step++) {
      rmSync(stateDir, { recursive: true, force: true });
      makeState(stateDir, { name: "old", seedByte: 1 });
      const killed = restoreInChild(step);
      finishRestore(stateDir);
      outcomes.push(whoseState(stateDir));
      assert.equal(existsSync(join(stateDir, "restore.ready")), false);
      if (!killed) break;
    }
    assert.equal(outcomes.at(-1), "saved");
    // Old until a point, new from there on, and both were seen.
    assert.deepEqual(
      outcomes,
      outcomes.toSorted((a, b) => (a === b ? 0 : a === "old" ? -1 : 1)),
    );
    assert.equal(outcomes[0], "old");
    const fresh = outcomes.filter((name) => name === "saved");
    assert.ok(
      fresh.length >= 4,
      `killed after the commit ${fresh.length - 1} times: ${outcomes.join()}`,
    );
  });

  /** Restores in a process that ends with SIGKILL before its n-th change of a directory; whether it came to that. */
  function restoreInChild(step: number): boolean {
    const module = new URL("../../../src/node/backup/restore.ts", import.meta.url).href;
    const script = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { restoreBackup } = await import(${JSON.stringify(module)});
      let left = ${step};
      for (const name of ["mkdirSync", "renameSync", "rmSync", "writeFileSync", "fsyncSync"]) {
        const original = fs[name];
        fs[name] = (...args) => {
          if (--left === 0) process.kill(process.pid, "SIGKILL");
          return original(...args);
        };
      }
      syncBuiltinESMExports();
      await restoreBackup({ file: ${JSON.stringify(file)}, passphrase: ${JSON.stringify(PASSPHRASE)},
        stateDir: ${JSON.stringify(stateDir)}, replace: true, now: new Date(${now.getTime()}) });`;
    const args = ["--input-type=module", "-e", script];
    const { signal, status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (signal === "SIGKILL") return true;
    assert.equal(status, 0, stderr);
    return false;
  }
});
