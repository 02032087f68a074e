import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readTextFile } from "../../../src/cli/text-file.ts";

test("a file is read up to its limit, and not beyond", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "x0-text-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "a.yml");
  writeFileSync(file, "ключ: 1");
  assert.equal(readTextFile(file, 11), "ключ: 1");
  assert.equal(readTextFile(file, 10), undefined);
  writeFileSync(file, "");
  assert.equal(readTextFile(file, 1), "");
  assert.throws(() => readTextFile(join(directory, "none"), 1), { code: "ENOENT" });
  assert.throws(() => readTextFile(directory, 1), { code: "EISDIR" });
});

test("a device that has no end is too large", {
  skip: !existsSync("/dev/zero") && "this host has no /dev/zero",
}, () => {
  assert.equal(readTextFile("/dev/zero", 1_000_000), undefined);
});
