import assert from "node:assert/strict";
import { test } from "node:test";
import { workerCode } from "../../../src/adapters/workers/start-worker.ts";

const HERE = "file:///opt/meshd/src/adapters/workers/start-worker.ts";

test("from its sources the daemon runs a thread's source", () => {
  const entry = new URL("../wasm/verification-worker.ts", HERE);
  assert.deepEqual(workerCode(entry, HERE), { kind: "file", url: entry });
});

test("a bundled daemon runs the bundle beside it", () => {
  const bundle = "file:///opt/meshd/dist/meshd.mjs";
  assert.deepEqual(workerCode(new URL("./trainer-worker.ts", bundle), bundle), {
    kind: "file",
    url: new URL("file:///opt/meshd/dist/trainer-worker.mjs"),
  });
});

test("the executable runs its asset, whatever its file is called", () => {
  const executable = "file:///usr/bin/strange.ts";
  const asset = (name: string): string => `the text of ${name}`;
  assert.deepEqual(workerCode(new URL("./trainer-worker.ts", executable), executable, asset), {
    kind: "text",
    text: "the text of trainer-worker.mjs",
  });
});

test("an asset that is missing is an error", () => {
  const executable = "file:///usr/bin/meshd";
  const asset = (name: string): string => {
    throw new Error(`no asset ${name}`);
  };
  assert.throws(
    () => workerCode(new URL("./absent.ts", executable), executable, asset),
    /no asset absent\.mjs/,
  );
});
