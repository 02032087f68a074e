import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readTaskFile } from "../../../src/cli/task-file.ts";
import { MeshError } from "../../../src/foundation/index.ts";
import { completeDraft, meshTaskLimits, parseDraft } from "../../../src/learning/index.ts";

function fileOf(t: TestContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "task-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "task.yaml");
  writeFileSync(file, text);
  return file;
}

test("A file that is no task is refused with its line.", (t) => {
  const cases: [text: string, said: RegExp][] = [
    ["rounds: 3\nrounds: 4\n", /task\.yaml:2: Map keys must be unique/],
    ["rounds: [\n", /task\.yaml:\d: /],
    ["- a\n", /must hold keys and values/],
    ["a: &a [1]\nb: *a\n", /alias/i],
    ["#".repeat(64 * 1024 + 1), /more than 65536 bytes/],
  ];
  for (const [text, said] of cases) {
    assert.throws(
      () => readTaskFile(fileOf(t, text)),
      (error: Error & { code?: string }) =>
        error.code === "learning/bad-task" && said.test(error.message),
      text.slice(0, 40),
    );
  }
  assert.throws(() => readTaskFile("/nowhere/task.yaml"), /ENOENT/);
  assert.deepEqual(readTaskFile(fileOf(t, "# nothing\n")).task, {});
  assert.deepEqual(readTaskFile(fileOf(t, "#".repeat(64 * 1024))).task, {});
});

test("A problem is pointed at where its field stands, or at the nearest one above it.", (t) => {
  const file = fileOf(
    t,
    "name: x\nmodel:\n  kind: tensors\n  tensors:\n    - {name: a}\n    - {name: b}\n",
  );
  const { locate } = readTaskFile(file);
  const problems = [
    "model.tensors.1.shape: missing",
    "model.kind: no",
    "rounds: bad",
    "name: long: x",
  ];
  const located = locate(new MeshError("learning/bad-task", "no", { problems })) as MeshError;
  assert.deepEqual(located.details["problems"], [
    `${file}:6: model.tensors.1.shape: missing`,
    `${file}:3: model.kind: no`,
    `${file}:1: rounds: bad`,
    `${file}:1: name: long: x`,
  ]);
  const other = new Error("x");
  assert.equal(locate(other), other);
});

test("The documented example is a task, and says the defaults where it says so.", () => {
  const path = new URL("../../../docs/examples/task.yaml", import.meta.url).pathname;
  const ids = [1, 2, 3, 4, 5].map((n) => String(n).padStart(64, "0"));
  const setting = {
    ...{ taskId: "t", trustDomain: "a.b", createdBy: ids[0] ?? "", createdAtMs: 1 },
    ...{ participants: ids, seed: 1, limits: meshTaskLimits },
  };
  const example = completeDraft(parseDraft(readTaskFile(path).task), setting);
  const least = completeDraft(parseDraft({}), setting);
  const { name, seed, model, data, ...same } = example;
  assert.deepEqual(
    { ...same, name: least.name, seed: 1, model: least.model, data: { ...data, seed: 1 } },
    least,
  );
  assert.deepEqual([name, seed, model.kind], ["digits", 7, "mlp"]);
  const text = readFileSync(path, "utf8");
  for (const key of Object.keys(parseDraft({})))
    assert.match(text, new RegExp(`^#? ?${key}:`, "m"));
});
