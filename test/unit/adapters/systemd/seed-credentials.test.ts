import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { KeyFiles } from "../../../../src/adapters/key-files.ts";
import { systemRandom } from "../../../../src/adapters/random.ts";
import { seedCredentials } from "../../../../src/adapters/systemd/seed-credentials.ts";
import { isMeshError } from "../../../../src/foundation/index.ts";

describe("seeds among the credentials", () => {
  let directory: string;
  let keys: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "x0-credentials-"));
    keys = join(directory, "keys");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const give = (id: string, bytes: Uint8Array): void =>
    writeFileSync(join(directory, id), bytes, { mode: 0o400 });
  const giveBoth = (): void => {
    give("meshd.ed25519", new Uint8Array(32).fill(1));
    give("meshd.ml-dsa-65", new Uint8Array(32).fill(2));
  };
  const files = (): KeyFiles => new KeyFiles(keys, systemRandom, seedCredentials(directory));
  const refused = (message: RegExp): void =>
    assert.throws(
      () => seedCredentials(directory),
      (error) =>
        isMeshError(error, "state/credential-unusable") &&
        message.test(error.message) &&
        /32 raw bytes each.*or none\.$/.test(error.message),
    );

  test("take the place of key files, and are not written to disk", () => {
    giveBoth();
    assert.deepEqual(files().seed("ed25519"), new Uint8Array(32).fill(1));
    assert.deepEqual(files().existing("ml-dsa-65"), new Uint8Array(32).fill(2));
    assert.equal(existsSync(keys), false);
  });

  test("are copies: a caller that wipes its seed wipes no other's", () => {
    giveBoth();
    const keyFiles = files();
    keyFiles.seed("ed25519").fill(0);
    assert.deepEqual(keyFiles.seed("ed25519"), new Uint8Array(32).fill(1));
  });

  test("are none without the directory, and without files in it", () => {
    assert.equal(seedCredentials(undefined).size, 0);
    assert.equal(seedCredentials(directory).size, 0);
    files().seed("ed25519");
    assert.deepEqual(readdirSync(keys), ["ed25519.seed"]);
  });

  test("are refused with 31 or 33 bytes, as a pair of which half is missing, and when unreadable", () => {
    giveBoth();
    for (const bytes of [31, 33]) {
      rmSync(join(directory, "meshd.ed25519"));
      give("meshd.ed25519", new Uint8Array(bytes));
      refused(new RegExp(`'meshd\\.ed25519': it has ${bytes} bytes instead of 32`));
    }
    rmSync(join(directory, "meshd.ed25519"));
    refused(/'meshd\.ed25519': it is missing although the other seed is given/);
    mkdirSync(join(directory, "meshd.ed25519"));
    refused(/'meshd\.ed25519': EISDIR/);
  });

  test("may stand beside the same key in a file, and not beside another", () => {
    giveBoth();
    new KeyFiles(keys, systemRandom).save("ed25519", new Uint8Array(32).fill(1));
    assert.deepEqual(files().seed("ed25519"), new Uint8Array(32).fill(1));
    new KeyFiles(keys, systemRandom).save("ed25519", new Uint8Array(32).fill(9));
    assert.throws(() => files().seed("ed25519"), {
      code: "state/key-conflict",
      message: /ed25519\.seed.*differ\. Remove the one/,
    });
  });
});
