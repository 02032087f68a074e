// The demonstration as its user runs it: the built bundle, real processes, real sockets.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { DevReport } from "../../src/cli/commands/dev/up.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const DEADLINE_MS = 180_000;

interface Run {
  readonly child: ChildProcess;
  readonly directory: string;
  /** Sockets live in this run's own temporary directory. */
  readonly temporary: string;
  output(): string;
  /** Waits until the output holds the text. */
  says(text: string): Promise<void>;
  /** Waits for the end and gives the exit status. */
  ended(): Promise<number | null>;
}

const runs: Run[] = [];

function devUp(...args: string[]): Run {
  const temporary = mkdtempSync(join(tmpdir(), "x0-e2e-"));
  const directory = join(temporary, "dev");
  const child = spawn(
    process.execPath,
    ["dist/meshctl.mjs", "dev", "up", "--dir", directory, ...args],
    {
      cwd: root,
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let text = "";
  const collect = (chunk: Buffer): void => {
    text += chunk.toString("utf8");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const exit = once(child, "close");
  const run: Run = {
    child,
    directory,
    temporary,
    output: () => text,
    says: async (wanted) => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (!text.includes(wanted)) {
        assert.ok(child.exitCode === null, `ended without saying '${wanted}':\n${text}`);
        await once(child.stdout, "data", { signal });
      }
    },
    ended: async () => {
      await exit;
      return child.exitCode;
    },
  };
  runs.push(run);
  return run;
}

/** Process ids of the daemons of a run, by node name. */
function daemons(run: Run): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const command = commandLine(pid);
    const name = /\/dev\/(node-\d+)\/meshd\.yml/.exec(command)?.[1];
    if (command.includes(run.directory) && name !== undefined) found.set(name, Number(pid));
  }
  return found;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // ended in the meantime
  }
}

function assertNothingLeft(run: Run): void {
  assert.deepEqual([...daemons(run)], [], "no process");
  assert.equal(existsSync(run.directory), false, "no state");
  assert.deepEqual(readdirSync(run.temporary), [], "no socket");
}

function reportOf(run: Run): DevReport {
  return JSON.parse(run.output().trimEnd().split("\n").at(-1) ?? "") as DevReport;
}

describe("meshctl dev up", { concurrency: false }, () => {
  before(() => {
    execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], { cwd: root });
  });
  after(() => {
    for (const { child, temporary } of runs) {
      child.kill("SIGKILL");
      rmSync(temporary, { recursive: true, force: true });
    }
  });

  test("two liars of seven: defended within three points of the calm run, the plain mean visibly hurt", async () => {
    const run = devUp(
      "--nodes",
      "7",
      "--byzantine",
      "2",
      "--attack",
      "sign-flip",
      "--rounds",
      "10",
      "--exit",
      "--json",
    );
    assert.equal(await run.ended(), 0, run.output());
    const { schemaVersion, nodes, rounds, final, durations } = reportOf(run);
    assert.equal(schemaVersion, 1);
    assert.deepEqual(
      nodes.map(({ name }) => name),
      ["node-1", "node-2", "node-3", "node-4", "node-5", "node-6", "node-7"],
    );
    for (const node of nodes) {
      assert.equal(node.peers, 6);
      assert.equal(node.suite, "xxhfs-mldsa65");
      assert.match(node.nodeId, /^[0-9a-f]{64}$/);
      assert.match(node.peerId, /^12D3KooW/);
      assert.equal(node.spiffeId, `spiffe://dev.mesh/node/${node.name}`);
      assert.ok(node.rssBytes > 10e6);
      assert.equal(node.role, node.name > "node-5" ? "byzantine" : "honest");
    }
    assert.equal(new Set(nodes.map(({ nodeId }) => nodeId)).size, 7);
    assert.deepEqual(
      rounds.map(({ round }) => round),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    // A round closes without the slowest two, so that not every liar is in each.
    const rejected = new Set(rounds.flatMap((round) => round.rejected));
    assert.ok(rejected.has("node-6") && rejected.has("node-7"), JSON.stringify(rounds));
    const innocent = rounds.flatMap((round) => round.rejected).filter((name) => name <= "node-5");
    assert.ok(innocent.length < rounds.length, JSON.stringify(rounds));
    assert.ok(final.accuracy >= final.baselineAccuracyWithoutAttack - 0.03, JSON.stringify(final));
    assert.ok(final.accuracy > 0.85, JSON.stringify(final));
    assert.ok(final.undefendedAccuracy < final.accuracy - 0.2, JSON.stringify(final));
    assert.ok(durations.joinMs > 0 && durations.convergeMs > 0);
    assertNothingLeft(run);
  });

  // The first node made the trust domain, started the task and is the only issuer: the one to miss most.
  for (const victim of ["node-1", "node-3", "node-5"]) {
    test(`kill -9 of ${victim} during the training does not stop the others`, () =>
      survives(victim));
  }

  async function survives(victim: string): Promise<void> {
    const run = devUp("--rounds", "6", "--exit", "--json");
    await run.says("round 2/6");
    process.kill(daemons(run).get(victim) ?? assert.fail(`${victim} runs`), "SIGKILL");
    assert.equal(await run.ended(), 0, run.output());
    const { rounds, final, nodes } = reportOf(run);
    assert.equal(rounds.length, 6);
    assert.ok(final.accuracy > 0.8, JSON.stringify(final));
    assert.equal(nodes.find(({ name }) => name === victim)?.peers, 0);
    const others = nodes.filter(({ name }) => name !== victim);
    assert.ok(
      others.every(({ peers }) => peers === 3),
      JSON.stringify(nodes),
    );
    assertNothingLeft(run);
  }

  test("each node by itself trains, too", async () => {
    const run = devUp(
      ...["--nodes", "4", "--orchestrator", "epidemic", "--model", "softmax"],
      ...["--rounds", "2", "--exit", "--json"],
    );
    assert.equal(await run.ended(), 0, run.output());
    assert.equal(reportOf(run).rounds.length, 2);
    assertNothingLeft(run);
  });

  test("trains on a CSV file, and says which cell is wrong", async () => {
    const folder = mkdtempSync(join(tmpdir(), "x0-csv-"));
    try {
      const file = join(folder, "points.csv");
      const rows = Array.from(
        { length: 300 },
        (_, i) => `${i % 3},${(i * 7) % 11},${i % 5},c${i % 3}`,
      );
      writeFileSync(file, `a,b,c,class\n${rows.join("\n")}\n`);
      const options = ["--data", file, "--label", "class", "--nodes", "3", "--byzantine", "0"];
      const good = devUp(...options, "--model", "softmax", "--rounds", "3", "--exit", "--json");
      assert.equal(await good.ended(), 0, good.output());
      assert.ok(reportOf(good).final.accuracy > 0.9, good.output());
      writeFileSync(file, `a,b,c,class\n1,2,3,x\n1,,3,y\n${rows.join("\n")}\n`);
      const bad = devUp(...options, "--rounds", "3", "--exit");
      assert.equal(await bad.ended(), 1, bad.output());
      assert.match(bad.output(), /line 3.*learning\/bad-csv/s);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("never wipes a directory that it has not made", async () => {
    const folder = mkdtempSync(join(tmpdir(), "x0-mine-"));
    try {
      writeFileSync(join(folder, "thesis.txt"), "years of work");
      const run = devUp("--dir", folder);
      assert.equal(await run.ended(), 1);
      assert.match(run.output(), /holds files of somebody else.*dev\/bad-option/);
      assert.deepEqual(readdirSync(folder), ["thesis.txt"]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("stays up until Ctrl-C, then leaves nothing behind", async () => {
    const run = devUp("--nodes", "3", "--byzantine", "0", "--rounds", "1", "--model", "softmax");
    await run.says("Ctrl-C stops it");
    assert.equal(daemons(run).size, 3);
    run.child.kill("SIGINT");
    assert.equal(await run.ended(), 0, run.output());
    assertNothingLeft(run);
  });

  test("a killed parent takes its daemons with it", async () => {
    const run = devUp("--nodes", "3", "--byzantine", "0", "--rounds", "1");
    await run.says("meshd processes answer");
    const signal = AbortSignal.timeout(DEADLINE_MS);
    run.child.kill("SIGKILL");
    await run.ended();
    while (daemons(run).size > 0) {
      signal.throwIfAborted();
      await new Promise((resume) => setImmediate(resume));
    }
  });

  test("options that contradict each other are named before anything starts", async () => {
    for (const [args, message] of [
      [["--nodes", "4", "--byzantine", "2"], /below half of --nodes: current value is 2 of 4/],
      [["--nodes", "6", "--byzantine", "2"], /below a third.*2 of 6.*--orchestrator epidemic/],
      [["--data", "x.csv"], /--data and --label go together/],
      [["--nodes", "1"], /nodes/],
    ] as const) {
      const run = devUp(...args);
      assert.notEqual(await run.ended(), 0);
      assert.match(run.output(), message);
      assert.equal(existsSync(run.directory), false);
    }
  });
});
