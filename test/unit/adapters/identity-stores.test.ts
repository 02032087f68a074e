// One suite for each of the identity room's stores, over memory and over SQLite.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import {
  MemoryNameRegistry,
  MemoryTokenStore,
  type NameRegistry,
  type NodeId,
  TOKENS_MAX,
  type TokenStore,
} from "../../../src/identity/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const at = (ms: number): WallMs => ms as WallMs;
const node = (digit: string): NodeId => digit.repeat(64) as NodeId;
const cleanups: (() => void)[] = [];

function sqlite(): StateStore {
  const directory = mkdtempSync(join(tmpdir(), "x0-stores-"));
  const store = new StateStore(directory);
  cleanups.push(() => {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return store;
}
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

const tokenStores: Record<string, () => TokenStore> = {
  memory: () => new MemoryTokenStore(),
  sqlite: () => sqlite().tokens,
};
for (const [kind, make] of Object.entries(tokenStores)) {
  describe(`a token store in ${kind}`, () => {
    test("gives back what was inserted, with and without a name", () => {
      const store = make();
      const records = [
        { secretHash: "aa", expiresAtMs: at(5) },
        { secretHash: "bb", expiresAtMs: at(6), name: "pi" },
      ];
      for (const record of records) assert.equal(store.insert(record), true);
      assert.deepEqual(
        records.map(({ secretHash }) => store.find(secretHash)),
        records,
      );
      assert.equal(store.find("cc"), undefined);
    });

    test("lets one node use a token, once", () => {
      const store = make();
      store.insert({ secretHash: "aa", expiresAtMs: at(5) });
      assert.equal(store.markUsed("aa", node("1"), at(3)), true);
      assert.equal(store.markUsed("aa", node("2"), at(4)), false);
      assert.equal(store.markUsed("bb", node("1"), at(3)), false);
      assert.deepEqual(store.find("aa"), {
        secretHash: "aa",
        expiresAtMs: at(5),
        usedBy: node("1"),
        usedAtMs: at(3),
      });
    });

    test("removes what expired before, and nothing that expires now", () => {
      const store = make();
      for (const ms of [4, 5, 6]) store.insert({ secretHash: `h${ms}`, expiresAtMs: at(ms) });
      assert.equal(store.prune(at(5)), 1);
      assert.equal(store.find("h4"), undefined);
      assert.notEqual(store.find("h5"), undefined);
    });

    test("refuses one more than it may hold", () => {
      const store = kind === "memory" ? new MemoryTokenStore(3) : make();
      const limit = kind === "memory" ? 3 : TOKENS_MAX;
      for (let i = 0; i < limit; i++)
        assert.equal(store.insert({ secretHash: `h${i}`, expiresAtMs: at(5) }), true);
      assert.equal(store.insert({ secretHash: "more", expiresAtMs: at(5) }), false);
    });
  });
}

const registries: Record<string, () => NameRegistry> = {
  memory: () => new MemoryNameRegistry(),
  sqlite: () => sqlite().names,
};
for (const [kind, make] of Object.entries(registries)) {
  describe(`a name registry in ${kind}`, () => {
    test("a name belongs to one node and a node has one name", () => {
      const names = make();
      assert.equal(names.check("pi", node("1")), "held");
      assert.equal(names.claim("pi", node("1")), "held");
      assert.equal(names.claim("pi", node("1")), "held");
      assert.equal(names.claim("pi", node("2")), "name-taken");
      assert.equal(names.claim("pie", node("1")), "node-has-other-name");
      assert.equal(names.claim("pie", node("2")), "held");
    });

    test("a check claims nothing", () => {
      const names = make();
      assert.equal(names.check("pi", node("1")), "held");
      assert.equal(names.claim("pi", node("2")), "held");
    });
  });
}
