// `npm run demo:healing` as its user runs it: two of its stories, an interruption, and a host that does not permit it.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Namespaces } from "./namespaces/namespaces.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const demo = [process.execPath, "test/e2e/healing-demo/demo.ts"];
const DEADLINE_MS = 180_000;
const missing = await Namespaces.missing();
const skip = missing ?? false;

interface Run {
  readonly child: ChildProcess;
  output(): string;
  says(text: string): Promise<void>;
  ended(): Promise<number | null>;
}

function start(...command: string[]): Run {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const closed = once(child, "close");
  return {
    child,
    output: () => text,
    says: async (wanted) => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (!text.includes(wanted)) {
        assert.ok(child.exitCode === null, `ended without saying '${wanted}':\n${text}`);
        await once(child.stdout, "data", { signal });
      }
    },
    ended: async () => {
      await closed;
      return child.exitCode;
    },
  };
}

/** Namespaces and disks carry the process id. */
function assertNothingLeft({ child }: Run): void {
  const namespaces = execFileSync("ip", ["netns", "list"]).toString();
  assert.doesNotMatch(namespaces, new RegExp(`\\bx0${child.pid}`));
}

test("two of its stories end as they must, told by the daemons themselves, and nothing is left behind", {
  skip,
}, async (t) => {
  const run = start(...demo, "disk", "poison");
  t.after(() => run.child.kill("SIGKILL"));
  assert.equal(await run.ended(), 0, run.output());
  const told = run.output();
  assert.match(told, /cedar \$ meshctl incidents explain[^]*compact-store[^]*mended after/);
  assert.match(told, /meshctl quarantine show[^]*two different beacons 1 of epoch 1/);
  assert.match(told, /disk +node\/disk-filling +compact-store: mended +[\d.]+ s/);
  assert.match(told, /poison +mesh\/quarantined +shut out on proof.* [\d.]+ s/);
  assertNothingLeft(run);
});

test("an interruption stops and removes everything", { skip }, async (t) => {
  const run = start(...demo, "kill");
  t.after(() => run.child.kill("SIGKILL"));
  await run.says("each in a network namespace");
  run.child.kill("SIGINT");
  assert.equal(await run.ended(), 130, run.output());
  assertNothingLeft(run);
});

test("where namespaces are not permitted it says so, and does nothing", {
  skip: spawnSync("setpriv", ["--version"]).status === 0 ? false : "setpriv is not installed",
}, async () => {
  const unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
  const run = start(...unprivileged, ...demo);
  assert.equal(await run.ended(), 1, run.output());
  assert.match(run.output(), /^The demonstration cannot run here: .*\[demo\/no-namespaces\]\n$/);
});
