import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const now = 1_800_000_000_000 as WallMs;
const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

describe("the state store", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "x0-state-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs with a store of its own, which is closed afterwards: the next one is a restart. */
  function withStore<T>(use: (store: StateStore) => T): T {
    const store = new StateStore(directory);
    try {
      return use(store);
    } finally {
      store.close();
    }
  }

  test("gives each start a higher epoch, at least the time in seconds", () => {
    const epochs = [0, 1, 2].map(() => withStore((store) => store.nextEpoch(now)));
    assert.deepEqual(epochs, [now / 1000, now / 1000 + 1, now / 1000 + 2]);
  });

  test("gives back to the disk what deleted rows and the log hold, and keeps the rest", () => {
    const size = (): number =>
      ["meshd.sqlite", "meshd.sqlite-wal"]
        .map((name) => join(directory, name))
        .reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
    withStore((store) => {
      store.saveZone("z".repeat(2_000_000));
      store.saveZone("berlin");
      const before = size();
      assert.ok(before > 2_000_000);
      store.compact();
      assert.ok(size() < before / 10, `${size()} of ${before}`);
      store.compact();
      assert.equal(store.zone(), "berlin");
      assert.equal(store.writeError, undefined);
    });
  });

  test("remembers over a restart that healing is frozen", () => {
    assert.equal(
      withStore((store) => store.isHealingFrozen),
      false,
    );
    withStore((store) => store.saveHealingFrozen(true));
    assert.equal(
      withStore((store) => store.isHealingFrozen),
      true,
    );
    withStore((store) => store.saveHealingFrozen(false));
    assert.equal(
      withStore((store) => store.isHealingFrozen),
      false,
    );
  });

  test("gives a higher epoch although the clock went back", () => {
    const first = withStore((store) => store.nextEpoch(now));
    assert.equal(
      withStore((store) => store.nextEpoch(0 as WallMs)),
      first + 1,
    );
  });

  test("continues above an epoch that the mesh remembered", () => {
    withStore((store) => store.saveEpoch(now));
    assert.equal(
      withStore((store) => store.nextEpoch(now)),
      now + 1,
    );
  });

  test("keeps the automatic zone over a restart", () => {
    assert.equal(
      withStore((store) => store.zone()),
      undefined,
    );
    withStore((store) => store.saveZone("auto/01"));
    withStore((store) => store.saveZone("auto/011"));
    assert.equal(
      withStore((store) => store.zone()),
      "auto/011",
    );
  });

  test("keeps one statement a node over a restart, the oldest first", () => {
    const statement = (byte: number) => ({ bytes: hash(byte), atMs: (now + byte) as WallMs });
    withStore((store) => {
      for (const [nodeId, byte] of [
        ["a", 1],
        ["b", 2],
        ["c", 3],
        ["a", 4],
      ] as const)
        store.saveEvidence(nodeId, statement(byte));
      store.saveEvidence("b", undefined);
    });
    const kept = withStore((store) => store.evidence());
    assert.deepEqual(
      kept.map(({ bytes, atMs }) => [bytes[0], atMs]),
      [
        [3, now + 3],
        [4, now + 4],
      ],
    );
  });

  test("keeps the credential over a restart, the chain in order", () => {
    const credential = {
      trustDomain: "a.mesh",
      name: "n",
      bundle: "{}",
      chain: [hash(1), new Uint8Array(5000).fill(2)],
    };
    withStore((store) => store.saveCredential(credential));
    const read = withStore((store) => store.credential());
    assert.deepEqual(
      { ...read, chain: read?.chain.map((der) => Uint8Array.from(der)) },
      credential,
    );
  });

  test("names a write that fails, until one succeeds", () => {
    const store = new StateStore(directory);
    store.close();
    assert.throws(() => store.saveEpoch(1), { code: "state/write-failed", message: /state_dir/ });
    assert.equal(store.writeError?.code, "state/write-failed");
  });

  test("forgets the oldest peers beyond sixty-four", () => {
    withStore((store) => {
      for (let i = 0; i < 65; i++)
        store.rememberPeers(new Map([[`n${i}`, [`/ip4/10.0.0.${i}/tcp/1`]]]), (now + i) as WallMs);
      const known = store.knownAddresses();
      assert.equal(known.length, 64);
      assert.equal(known[0], "/ip4/10.0.0.64/tcp/1");
      assert.ok(!known.includes("/ip4/10.0.0.0/tcp/1"));
    });
  });

  test("refuses a directory that cannot be made", () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.throws(() => new StateStore(join(file, "state")), {
      code: "state/not-writable",
      message: /state_dir/,
    });
  });

  test("refuses a database that is no database, and leaves it as it is", () => {
    const file = join(directory, "meshd.sqlite");
    const garbage = "this is not a database, it is a text of some length ".repeat(100);
    writeFileSync(file, garbage);
    assert.throws(() => new StateStore(directory), {
      code: "state/corrupt",
      message: /restore a backup/,
    });
    assert.equal(readFileSync(file, "utf8"), garbage);
  });

  test("refuses a database with a damaged page", () => {
    withStore((store) => {
      for (let i = 0; i < 60; i++)
        store.rememberPeers(new Map([[`n${i}`, ["/ip4/10.0.0.1/tcp/1"]]]), now);
    });
    const file = join(directory, "meshd.sqlite");
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096, bytes.length);
    writeFileSync(file, bytes);
    assert.throws(() => new StateStore(directory), { code: "state/corrupt" });
  });

  test("refuses a schema from a newer version", () => {
    withStore(() => undefined);
    const database = new DatabaseSync(join(directory, "meshd.sqlite"));
    database.exec("PRAGMA user_version = 99");
    database.close();
    assert.throws(() => new StateStore(directory), {
      code: "state/schema-too-new",
      message: /version 99/,
    });
  });

  test("refuses a second daemon on the same state", () => {
    withStore(() => assert.throws(() => new StateStore(directory), { code: "state/in-use" }));
  });

  test("loses nothing committed to a kill -9", async () => {
    const module = new URL("../../../src/adapters/sqlite/state-store.ts", import.meta.url).href;
    const script = `const { StateStore } = await import(${JSON.stringify(module)});
      const store = new StateStore(${JSON.stringify(directory)});
      for (;;) process.stdout.write(store.nextEpoch(0) + "\\n");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.length > 500) child.kill("SIGKILL");
    });
    await once(child, "close");
    const committed = Number(said.trimEnd().split("\n").at(-1));
    assert.ok(committed > 50, `the child committed ${committed} epochs`);
    const next = withStore((store) => store.nextEpoch(0 as WallMs));
    assert.ok(next > committed, `${next} follows ${committed}`);
  });
});
