// A task with certified rounds on twelve real daemons: three lie, one is killed in the middle of a round and comes back, one
// joins when half of the rounds are over. Every honest node ends with the same chain of certificates and the same model.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { LearningStatus } from "../../src/control/index.ts";
import {
  type DaemonProcess,
  enrol,
  scratch,
  spawnDaemon,
  Stack,
  until,
} from "../integration/node/harness.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const NODES = 12;
const LIARS = 3;
const ROUNDS = 10;
const DEADLINE_MS = 240_000;
const names = Array.from({ length: NODES }, (_, index) => `n${String(index + 1).padStart(2, "0")}`);
/** Not the one that starts the task, and not a liar. */
const VICTIM = "n05";
const LATE = "n08";

describe("certified rounds on twelve daemons", { concurrency: false }, () => {
  const stack = new Stack();
  const mesh = new Map<string, DaemonProcess>();
  const directories = new Map<string, string>();
  let bundle = "";

  before(async () => {
    bundle = scratch(stack);
    execFileSync(process.execPath, ["packaging/build.mjs", "--quiet", "--outdir", bundle], {
      cwd: root,
    });
    for (const name of names) {
      const directory = join(scratch(stack), name);
      mkdirSync(directory);
      directories.set(name, directory);
      start(name);
    }
    await Promise.all([...mesh.values()].map((daemon) => daemon.answers(DEADLINE_MS)));
    await enrol(Object.fromEntries(mesh));
    await connected(names);
  });
  after(() => stack.unwind());

  function start(name: string): DaemonProcess {
    const adversary = names.indexOf(name) >= NODES - LIARS;
    const daemon = spawnDaemon(
      stack,
      {
        mesh: { heartbeat_interval: "1s" },
        learning: { adversary },
        telemetry: { log: { level: "info" } },
      },
      directories.get(name) ?? assert.fail(name),
      [process.execPath, join(bundle, "meshd.mjs")],
    );
    mesh.set(name, daemon);
    return daemon;
  }

  function daemonOf(name: string): DaemonProcess {
    return mesh.get(name) ?? assert.fail(`${name} runs`);
  }

  /** Waits until each sees most of the others: rounds need no full mesh. */
  async function connected(wanted: readonly string[]): Promise<void> {
    for (const name of wanted) {
      await until(
        `${name} to be in the mesh`,
        async () => {
          const { peers } = await daemonOf(name)
            .client.peers()
            .catch(() => ({ peers: [] }));
          return peers.filter((peer) => peer.connected).length >= wanted.length - 2;
        },
        DEADLINE_MS,
      );
    }
  }

  /** On a host that is busy with twelve daemons an answer may take its time. */
  function statusOf(name: string): Promise<{ readonly learning: LearningStatus | null }> {
    return until(
      `${name} to answer`,
      () =>
        daemonOf(name)
          .client.flStatus()
          .catch(() => undefined),
      DEADLINE_MS,
    );
  }

  function reached(
    name: string,
    taskId: string,
    fits: (task: LearningStatus) => boolean,
  ): Promise<LearningStatus> {
    let learning: LearningStatus | null = null;
    return until(
      () => `${name} to get there; it is at round ${learning?.round}, ${learning?.state}`,
      async () => {
        ({ learning } = await statusOf(name));
        return learning?.taskId === taskId && fits(learning) && learning;
      },
      DEADLINE_MS,
    );
  }

  test("all honest nodes end with one chain and one model", async () => {
    await daemonOf(LATE).end("SIGTERM");
    const { taskId } = await daemonOf("n01").client.flRun({
      task: {
        name: "certified",
        participants: names,
        byzantine: LIARS,
        rounds: ROUNDS,
        seed: 7,
        attack: "sign-flip",
        model: { kind: "softmax" },
        orchestrator: { kind: "batch-async", target: NODES - LIARS, deadlineMs: 20_000 },
      },
    });
    await reached(VICTIM, taskId, ({ round }) => round >= 2);
    const known = await certificates(VICTIM);
    await daemonOf(VICTIM).end("SIGKILL");
    await start(VICTIM).answers(DEADLINE_MS);
    await reached(VICTIM, taskId, ({ round }) => round >= known.length);
    const again = await certificates(VICTIM);
    assert.deepEqual(again.slice(0, known.length), known, "no certified round is lost");

    await reached("n01", taskId, ({ round }) => round >= ROUNDS / 2);
    await start(LATE).answers(DEADLINE_MS);

    const honest = names.slice(0, NODES - LIARS);
    const ended = await Promise.all(
      honest.map((name) =>
        reached(name, taskId, ({ state, accuracy }) => state === "finished" && accuracy !== null),
      ),
    );
    for (const [index, { round, accuracy }] of ended.entries()) {
      assert.equal(round, ROUNDS, `${honest[index]} has the last round`);
      assert.ok((accuracy ?? 0) > 0.75, `${honest[index]}: accuracy ${accuracy}`);
    }
    const chains = await Promise.all(honest.map(certificates));
    assert.equal(chains[0]?.length, ROUNDS);
    assert.equal(new Set(chains.map(String)).size, 1, "one chain of certificates");
    const models = await Promise.all(honest.map((name) => daemonOf(name).client.flModel()));
    assert.equal(new Set(models.map((model) => Buffer.from(model).toString("hex"))).size, 1);
    for (const name of honest) {
      assert.equal(daemonOf(name).err, "", name);
      const errors = daemonOf(name)
        .log()
        .filter(({ level }) => level === "error");
      assert.deepEqual(errors, [], name);
    }
  });

  /** Digests of the certificates that a node knows. */
  async function certificates(name: string): Promise<(string | undefined)[]> {
    const { learning } = await statusOf(name);
    return learning?.history.map(({ certificate }) => certificate) ?? [];
  }
});
