import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { headerFileLimits, readHeaderFile } from "../../../src/adapters/telemetry/header-file.ts";
import { isMeshError } from "../../../src/foundation/index.ts";

const directory = mkdtempSync(join(tmpdir(), "x0-headers-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, "headers");

function read(text: string): Record<string, string> {
  writeFileSync(file, text);
  return readHeaderFile(file);
}

function refused(text: string, why: RegExp): void {
  assert.throws(
    () => read(text),
    (error) =>
      isMeshError(error, "telemetry/bad-header-file") &&
      why.test(error.message) &&
      !error.message.includes("hunter2") &&
      error.message.includes(file),
    text.slice(0, 60),
  );
}

test("headers are read one a line; comments and empty lines are left aside", () => {
  assert.deepEqual(read("# mine\r\nAuthorization: Bearer a b\n\nx-scope-orgid:  7 \n"), {
    authorization: "Bearer a b",
    "x-scope-orgid": "7",
  });
  assert.deepEqual(read(""), {});
});

test("what is no header is refused with its line, and without its value", () => {
  for (const line of [
    "hunter2",
    "a b: hunter2",
    ": hunter2",
    "a:",
    "a: hunter2\u0001",
    "a: hünter2",
  ]) {
    refused(`ok: 1\n${line}`, /line 2 is no header/);
  }
  refused("a: hunter2\nA: hunter2", /line 2 repeats a\b/);
  for (const name of ["Host", "content-length", "Transfer-Encoding"])
    refused(`${name}: hunter2`, /which meshd sets itself/);
});

test("as many headers and bytes as allowed are read, and not one more", () => {
  const headers = (count: number): string =>
    Array.from({ length: count }, (_, i) => `h${i}: hunter2\n`).join("");
  assert.equal(Object.keys(read(headers(headerFileLimits.headersMax))).length, 16);
  refused(headers(headerFileLimits.headersMax + 1), /more than 16 headers/);
  const comment = (bytes: number): string => `#${"x".repeat(bytes - 1)}`;
  assert.deepEqual(read(comment(headerFileLimits.bytesMax)), {});
  refused(comment(headerFileLimits.bytesMax + 1), /more than 16384 bytes/);
  assert.throws(() => readHeaderFile(directory), /EISDIR/);
});
