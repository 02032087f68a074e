// A mesh of five real daemons is upgraded one node at a time while it trains: no round is lost, everybody rejoins the
// running task, and the model is as good as that of a mesh that nobody touched.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import packageFile from "../../package.json" with { type: "json" };
import type { FlStartRequest, LearningStatus } from "../../src/control/index.ts";
import {
  type Cleanup,
  converged,
  enrol,
  fileText,
  scratch,
  Stack,
  TestDaemon,
  until,
} from "../integration/node/harness.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const NAMES = ["n1", "n2", "n3", "n4", "n5"] as const;
const NEXT_VERSION = "99.0.0-next";
const TASK: FlStartRequest = {
  model: "mlp",
  hidden: 24,
  rounds: 60,
  aggregator: "nearest-neighbour-mixing",
  byzantine: 1,
  seed: 7,
  // Above the longest restart: a round that a node leaves while it restarts is waited for by nobody.
  roundTimeoutSeconds: 5,
};
const DEADLINE_MS = 180_000;
/** A node this many rounds behind the others counts as back: within what they still offer. */
const BEHIND_MAX = 3;

/** The bundle of a version, run as the package runs it. */
class BundledDaemon extends TestDaemon {
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    super(directory);
    writeFileSync(join(directory, "meshd.yml"), fileText(directory));
  }

  async start(bundle: string): Promise<void> {
    this.#child = spawn(
      process.execPath,
      [join(bundle, "meshd.mjs"), "--config", join(this.directory, "meshd.yml")],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    await until("the daemon to answer", () => this.client.status().catch(() => undefined));
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return null;
    const gone = once(child, "exit", { signal: AbortSignal.timeout(20_000) });
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  async task(): Promise<LearningStatus> {
    const { learning } = await this.client.flStatus();
    assert.ok(learning !== null, "a task is known");
    return learning;
  }

  ended(): Promise<LearningStatus> {
    return until(
      "the task to finish",
      async () => {
        const task = await this.task();
        return task.state !== "running" && task;
      },
      DEADLINE_MS,
    );
  }
}

/** The bundle as it is, and the same bundle under another version: what an upgrade brings. */
function bundles(t: Cleanup): { readonly current: string; readonly next: string } {
  const directory = scratch(t);
  const current = join(directory, "current");
  const next = join(directory, "next");
  execFileSync(process.execPath, ["packaging/build.mjs", "--quiet", "--outdir", current], {
    cwd: root,
  });
  cpSync(current, next, { recursive: true });
  const program = join(next, "meshd.mjs");
  const text = readFileSync(program, "utf8");
  const stamp = `version:"${packageFile.version}"`;
  assert.equal(text.split(stamp).length, 2, "the bundle names its version once");
  writeFileSync(program, text.replace(stamp, `version:"${NEXT_VERSION}"`));
  return { current, next };
}

describe("a rolling upgrade of five nodes in training", { concurrency: false }, () => {
  const stack = new Stack();
  const mesh = {} as Record<(typeof NAMES)[number], BundledDaemon>;
  let versions: ReturnType<typeof bundles>;

  before(async () => {
    versions = bundles(stack);
    for (const name of NAMES) {
      const directory = join(scratch(stack), name);
      mkdirSync(directory);
      const daemon = new BundledDaemon(directory);
      stack.after(() => void daemon.end("SIGKILL"));
      mesh[name] = daemon;
      await daemon.start(versions.current);
    }
    await enrol(mesh);
    await converged(mesh);
  });
  after(() => stack.unwind());

  /** The highest round that another node than `name` has finished. */
  async function roundOfOthers(name: string): Promise<number> {
    const others = NAMES.filter((other) => other !== name);
    const tasks = await Promise.all(others.map((other) => mesh[other].task()));
    return Math.max(...tasks.map(({ round }) => round));
  }

  async function upgrade(name: (typeof NAMES)[number]): Promise<void> {
    const daemon = mesh[name];
    const before = await daemon.status();
    assert.equal(before.learning?.state, "running", `${name} is upgraded while the task runs`);
    assert.equal(await daemon.end("SIGTERM"), 0);
    await daemon.start(versions.next);
    const after = await daemon.status();
    assert.equal(after.node.version, NEXT_VERSION);
    assert.equal(after.node.nodeId, before.node.nodeId);
    assert.ok(after.node.epoch > before.node.epoch);
    await until(`${name} to be in the running task again`, async () => {
      const own = await daemon.task();
      const others = await roundOfOthers(name);
      return own.round > (before.learning?.round ?? 0) && own.round >= others - BEHIND_MAX;
    });
  }

  test("loses no round, and everybody ends with the model of a calm run", async () => {
    const calmId = (await mesh.n1.client.flStart(TASK)).taskId;
    const calm = await Promise.all(NAMES.map((name) => taskOf(name, calmId)));
    const { taskId } = await mesh.n1.client.flStart(TASK);
    for (const name of NAMES) {
      await until(`${name} to train`, async () => {
        const { learning } = await mesh[name].status();
        return learning?.taskId === taskId && learning.round >= 2;
      });
    }
    for (const name of NAMES) await upgrade(name);
    const upgraded = await Promise.all(NAMES.map((name) => taskOf(name, taskId)));

    for (const [index, task] of upgraded.entries()) {
      assert.equal(task.state, "finished");
      assert.equal(task.round, TASK.rounds, `${NAMES[index]} finished the last round`);
      const rounds = task.history.map(({ round }) => round);
      assert.deepEqual(
        rounds,
        rounds.toSorted((a, b) => a - b),
        "rounds are committed in order",
      );
      assert.equal(new Set(rounds).size, rounds.length, "and once each");
      const skipped = rounds.filter((round, i) => i > 0 && round !== (rounds[i - 1] ?? 0) + 1);
      assert.ok(
        skipped.length <= 1,
        `${NAMES[index]} skips rounds only at its restart: ${skipped.join()}`,
      );
    }
    for (let round = 1; round <= TASK.rounds; round++) {
      const committed = upgraded.filter(({ history }) =>
        history.some((report) => report.round === round && !report.held),
      );
      assert.ok(committed.length >= NAMES.length - 1, `round ${round} by ${committed.length}`);
    }
    const accuracy = (tasks: readonly LearningStatus[]): number =>
      Math.min(...tasks.map((task) => task.accuracy ?? 0));
    assert.ok(accuracy(calm) > 0.8, `the calm run reaches ${accuracy(calm)}`);
    assert.ok(
      accuracy(upgraded) >= accuracy(calm) - 0.03,
      `${accuracy(upgraded)} after the upgrade, ${accuracy(calm)} in the calm run`,
    );
  });

  /** The task's end on a node. */
  async function taskOf(name: (typeof NAMES)[number], taskId: string): Promise<LearningStatus> {
    await until(
      `${name} to take the task`,
      async () => (await mesh[name].status()).learning?.taskId === taskId,
    );
    return mesh[name].ended();
  }
});
