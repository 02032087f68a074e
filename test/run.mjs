// npm test: runs every suite with node:test and says at the end what was skipped and why.
// With arguments, only the test files whose path contains one of them.
// A file that fails is run once more, alone: tests of real processes and clocks can fail on a host that something else
// keeps busy. What passes only then is named in the report; what fails twice fails the run.

import { globSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
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

/**
 * What a run of some files came to: counts and skips by file, so that a second run can replace the first. A test stands under the file
 * that defines it, which may be a helper beside the test files.
 */
async function runFiles(some, concurrency) {
  const results = new Map();
  const stream = run({
    files: some,
    concurrency,
    timeout: 600_000,
  });
  const of = (event) => {
    // A file that cannot be loaded is reported under its own name.
    const file = event.file ?? resolve(event.name);
    if (!results.has(file)) results.set(file, { passed: 0, failed: [], skipped: [] });
    return results.get(file);
  };
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

/** The test files to run again for a file with failures: itself, or those beside a helper. */
function testFilesOf(file) {
  const all = files.map((one) => resolve(one));
  return all.includes(file) ? [file] : all.filter((one) => dirname(one) === dirname(file));
}

const results = await runFiles(files.sort(), 2);
const again = failures(results);
if (again.length > 0) {
  const anew = [...new Set(again.flatMap(([file]) => testFilesOf(file)))];
  console.log(`\nTests of ${again.length} files failed; run once more, alone: ${anew.length}.\n`);
  const second = anew.length === 0 ? new Map() : await runFiles(anew, 1);
  for (const [file] of again) if (second.has(file)) results.set(file, second.get(file));
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
