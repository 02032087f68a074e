// npm test: runs every suite with node:test and says at the end what was skipped and why.
// With arguments, only the test files whose path contains one of them.

import { globSync } from "node:fs";
import { spec } from "node:test/reporters";
import { run } from "node:test";

const wanted = process.argv.slice(2);
const files = globSync("test/**/*.test.ts").filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(", ")}.`);
  process.exit(2);
}

const skipped = new Map();
let failed = 0;
let passed = 0;
const stream = run({
  files: files.sort(),
  concurrency: 2,
  execArgv: ["--import", "tsx"],
  timeout: 600_000,
});
stream.on("test:fail", () => failed++);
stream.on("test:pass", (event) => {
  if (event.skip === undefined) {
    if (event.details.type !== "suite") passed++;
    return;
  }
  const reason =
    typeof event.skip === "string" && event.skip !== "" ? event.skip : "no reason given";
  skipped.set(reason, [...(skipped.get(reason) ?? []), event.name]);
});
stream.compose(spec).pipe(process.stdout);
stream.on("end", () => {
  queueMicrotask(() => {
    let count = 0;
    for (const [reason, names] of skipped) {
      count += names.length;
      console.log(`skipped ${names.length}: ${reason}`);
      for (const name of names) console.log(`  - ${name}`);
    }
    if (count === 0) console.log("Nothing was skipped.");
    console.log(`${passed} passed, ${failed} failed, ${count} skipped`);
    if (failed > 0 || passed === 0) process.exitCode = 1;
  });
});
