// The table of the SPIFFE standards in docs/identity.md and the tests say the same: no line is called tested that is not.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(join(repository, "docs/identity.md"), "utf8");
const rows = [...page.matchAll(/^\| \[([A-Z]\d+)\] \| (.+) \| (.+) \|$/gm)].map(
  ([, tag = "", rule = "", status = ""]) => ({ tag, rule, status }),
);
const titles = globSync("test/**/*.test.ts", { cwd: repository })
  .flatMap((file) => [
    ...readFileSync(join(repository, file), "utf8").matchAll(
      /\b(?:test|it|describe)\(\s*["'`](?:[^"'`\n]*)/g,
    ),
  ])
  .map(([title]) => title);
const tested = new Set(
  titles.flatMap((title) => [...title.matchAll(/\[([A-Z]\d+)\]/g)].map(([, tag = ""]) => tag)),
);

/** How many lines each part of the standards has in the checklist. */
const parts = { I: 15, X: 17, J: 10, B: 8, E: 11, W: 16, F: 14 };

test("every line of the standards stands in the table once", () => {
  const tags = rows.map(({ tag }) => tag);
  assert.equal(new Set(tags).size, tags.length, "a tag stands there twice");
  for (const [part, lines] of Object.entries(parts)) {
    const wanted = Array.from({ length: lines }, (_, index) => `${part}${index + 1}`);
    assert.deepEqual(
      wanted.filter((tag) => !tags.includes(tag)),
      [],
    );
  }
});

test("a line is called tested when a test is named by its tag, and only then; all others say why not", () => {
  for (const { tag, status } of rows) {
    assert.equal(status === "tested", tested.has(tag), `[${tag}] ${status}`);
    assert.match(status, /^tested$|^not built: .{10,}/, tag);
  }
  const known = new Set(rows.map(({ tag }) => tag));
  assert.deepEqual(
    [...tested].filter((tag) => !known.has(tag)),
    [],
  );
});
