import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeyFiles } from "../../../src/adapters/key-files.ts";
import { systemRandom } from "../../../src/adapters/random.ts";

describe("key files", () => {
  let directory: string;
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "x0-keys-")), "keys");
  });
  afterEach(() => {
    rmSync(join(directory, ".."), { recursive: true, force: true });
  });
  const files = (): KeyFiles => new KeyFiles(directory, systemRandom);
  const path = (): string => join(directory, "ml-dsa-65.seed");

  test("a seed is made once, 32 bytes, for the owner alone", () => {
    const seed = files().seed("ml-dsa-65");
    assert.equal(seed.length, 32);
    assert.deepEqual(files().seed("ml-dsa-65"), seed);
    assert.equal(statSync(path()).mode & 0o777, 0o600);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  test("two names have two seeds", () => {
    assert.notDeepEqual(files().seed("ed25519"), files().seed("ml-dsa-65"));
  });

  test("a seed that others can read is refused", () => {
    files().seed("ml-dsa-65");
    chmodSync(path(), 0o640);
    assert.throws(() => files().seed("ml-dsa-65"), {
      code: "state/key-unreadable",
      message: /chmod 600/,
    });
  });

  test("a seed of another length is refused", () => {
    files().seed("ml-dsa-65");
    truncateSync(path(), 31);
    assert.throws(() => files().seed("ml-dsa-65"), {
      code: "state/key-unreadable",
      message: /31 bytes/,
    });
  });

  test("a saved seed is read back until it is removed", () => {
    const seed = new Uint8Array(32).fill(7);
    files().save("intermediate-01", seed);
    assert.deepEqual(files().seed("intermediate-01"), seed);
    files().remove("intermediate-01");
    files().remove("intermediate-01");
    assert.notDeepEqual(files().seed("intermediate-01"), seed);
  });

  test("all seeds have names, those of the service manager too: a backup is made of them", () => {
    const given = new Map([["ed25519", new Uint8Array(32).fill(1)] as const]);
    const keys = new KeyFiles(directory, systemRandom, given);
    assert.deepEqual(keys.names(), ["ed25519"]);
    keys.seed("ml-dsa-65");
    assert.deepEqual(keys.names(), ["ed25519", "ml-dsa-65"]);
    assert.deepEqual(keys.existing("ed25519"), new Uint8Array(32).fill(1));
  });
});
