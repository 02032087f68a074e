// npm test: runs every suite with node:test and says at the end what was skipped and why.
// With arguments, only the test files whose path contains one of them.
// A file that fails is run once more, alone: tests of real processes and clocks can fail on a host that something else
// keeps busy. What passes only then is named in the report; what fails twice fails the run.

import { globSync } from "node:fs";
import { relative, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { spec } from "node:test/reporters";
import { run } from "node:test";

// Node takes the types off by itself. What it made of the sources is kept: some hundred processes load the same ones.
process.env.NODE_COMPILE_CACHE ??= resolve("node_modules/.cache/compile");

const wanted = process.argv.slice(2);
const files = globSync("test/**/*.test.ts").filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(", ")}.`);
  process.exit(2);
}

/** What a run of some files came to: counts and skips by file, so that a second run can replace the first. */
async function runFiles(some, concurrency) {
  const results = new Map(
    some.map((file) => [resolve(file), { passed: 0, failed: [], skipped: [] }]),
  );
  const stream = run({
    files: some,
    concurrency,
    timeout: 600_000,
  });
  // A file that cannot be loaded is reported under its own name.
  const of = (event) => results.get(event.file ?? resolve(event.name)) ?? [...results.values()][0];
  stream.on("test:fail", (event) => of(event).failed.push(event.name));
  stream.on("test:pass", (event) => {
    if (event.skip === undefined) {
      if (event.details.type !== "suite") of(event).passed++;
      return;
    }
    const reason =
      typeof event.skip === "string" && event.skip !== "" ? event.skip : "no reason given";
    of(event).skipped.push([reason, event.name]);
  });
  const report = stream.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report);
  return results;
}

function failures(results) {
  return [...results].filter(([, { failed }]) => failed.length > 0);
}

const results = await runFiles(files.sort(), 2);
const again = failures(results);
if (again.length > 0) {
  console.log(`\n${again.length} of ${files.length} files failed and are run once more, alone.\n`);
  for (const [file, result] of await runFiles(
    again.map(([file]) => file),
    1,
  )) {
    results.set(file, result);
  }
}

const skipped = new Map();
let passed = 0;
let failed = 0;
for (const result of results.values()) {
  passed += result.passed;
  failed += result.failed.length;
  for (const [reason, name] of result.skipped) {
    skipped.set(reason, [...(skipped.get(reason) ?? []), name]);
  }
}
let count = 0;
for (const [reason, names] of skipped) {
  count += names.length;
  console.log(`skipped ${names.length}: ${reason}`);
  for (const name of names) console.log(`  - ${name}`);
}
if (count === 0) console.log("Nothing was skipped.");
for (const [file, { failed: names }] of again) {
  const outcome =
    results.get(file).failed.length > 0 ? "failed twice" : "passed only when run alone";
  console.log(`${outcome}: ${relative(".", file)}\n  - ${names.join("\n  - ")}`);
}
console.log(`${passed} passed, ${failed} failed, ${count} skipped`);
if (failed > 0 || passed === 0) process.exitCode = 1;
