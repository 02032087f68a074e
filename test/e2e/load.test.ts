// meshctl load as a user runs it: a real daemon, virtual peers in processes of their own, one answer, nothing left behind.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../integration/node/harness.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const START_DEADLINE_MS = 60_000;

function load(t: TestContext, ...args: string[]) {
  const directory = mkdtempSync(join(tmpdir(), "x0t-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = [join(root, "src/cli/meshctl.ts"), "load", "--json", ...args];
  const child = spawn(process.execPath, program, {
    cwd: root,
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const runs = (): string[] => readdirSync(directory).filter((name) => name.startsWith("x0-load-"));
  return { child, runs };
}

test("every heartbeat of three virtual peers is accepted and passed on", async (t) => {
  const { child, runs } = load(t, "--peers", "3", "--seconds", "2");
  const [out, [status]] = (await Promise.all([text(child.stdout), once(child, "exit")])) as [
    string,
    [number],
  ];
  assert.equal(status, 0);
  const { schemaVersion, steps } = JSON.parse(out) as {
    schemaVersion: number;
    steps: Record<string, number>[];
  };
  assert.equal(schemaVersion, 1);
  const [step] = steps;
  assert.equal(steps.length, 1);
  assert.equal(step?.["connected"], 3);
  // The observer is a member too.
  assert.equal(step["alive"], 4);
  assert.equal(step["deliveredRatio"], 1);
  assert.ok((step["cpuPercent"] ?? 0) > 0 && (step["rssBytes"] ?? 0) > 0);
  assert.deepEqual(runs(), []);
});

test("who interrupts it finds nothing left", async (t) => {
  const { child, runs } = load(t, "--peers", "4000");
  await until("the run to begin", () => Promise.resolve(runs().length > 0), START_DEADLINE_MS);
  child.kill("SIGKILL");
  await once(child, "exit");
  await until("it to be cleaned up", () => Promise.resolve(runs().length === 0), START_DEADLINE_MS);
});
