// A task that streams, on real daemons: three that are honest, one that lies and signs ten updates where others sign one, and one
// that is killed. It is stopped and resumed, too.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import { Round } from "../../../src/learning/protocol/round.ts";
import {
  converged,
  enrol,
  spawnDaemon,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

const TICKS = 6;
const DEADLINE_MS = 180_000;
/** Updates that the flooder signs in a tick. */
const FLOOD = 10;

/** Makes one of the nodes in this process commit to many updates in each round; the rest is as it would be. */
function flood(nodeId: string): () => void {
  const commit = Reflect.get<Round, "commit">(Round.prototype, "commit");
  Round.prototype.commit = function (this: Round, facts, base): void {
    commit.call(this, facts, base);
    if (this.ownHeader?.nodeId !== nodeId) return;
    for (let copy = 1; copy < FLOOD; copy++)
      commit.call(this, { ...facts, note: Uint8Array.of(copy) }, base);
  };
  return () => {
    Round.prototype.commit = commit;
  };
}

function reached(
  daemon: TestDaemon,
  fits: (status: LearningStatus) => boolean,
): Promise<LearningStatus> {
  return until(
    "the task to get there",
    async () => {
      // Five daemons and their threads share the host with this test: an answer may take its time.
      const answer = await daemon.client.flStatus().catch(() => undefined);
      const learning = answer?.learning ?? undefined;
      return learning !== undefined && fits(learning) && learning;
    },
    DEADLINE_MS,
  );
}

const isFinished = ({ state }: LearningStatus): boolean => state === "finished";

describe("a stream among five daemons", { concurrency: false }, () => {
  const stack = new Stack();
  after(() => stack.unwind());

  test("goes on beside a flooder and a node that is killed, and all honest nodes end with one model", async () => {
    const honestOnes = Promise.all([startDaemon(stack), startDaemon(stack), startDaemon(stack)]);
    const liar = await startDaemon(stack, { learning: { adversary: true } });
    const [a, b, c] = await honestOnes;
    const victim = await spawnDaemon(stack).answers(DEADLINE_MS);
    await enrol({ a, b, c, liar, victim });
    await converged({ a, b, c, liar, victim });
    const liarId = await liar.nodeId();
    stack.after(flood(liarId));
    const { taskId } = await a.client.flRun({
      task: {
        ...{ byzantine: 1, rounds: TICKS, seed: 7, attack: "sign-flip" },
        model: { kind: "softmax" },
        data: { kind: "glyphs", trainSamples: 1_000, testSamples: 200 },
        orchestrator: { kind: "streaming", intervalMs: 700, stalenessMax: 3 },
        schedule: { kind: "staleness", a: 1 },
      },
    });

    await reached(b, ({ round }) => round >= 2);
    assert.equal((await a.client.flStop()).taskId, taskId);
    // Who contradicts itself is shut out, so the liar hears of nothing.
    for (const daemon of [a, b, c, victim])
      await reached(daemon, ({ state }) => state === "stopped");
    assert.equal((await a.client.flResume()).taskId, taskId);

    const before = await reached(victim, ({ state, round }) => state === "running" && round >= 3);
    await victim.end("SIGKILL");
    const again = await spawnDaemon(stack, {}, victim.directory).answers(DEADLINE_MS);

    const honest: readonly TestDaemon[] = [a, b, c, again];
    const chains = new Set<string>();
    for (const daemon of honest) {
      const { history } = await reached(daemon, isFinished);
      assert.equal(history.length, TICKS);
      chains.add(history.map(({ certificate, model }) => `${certificate}/${model}`).join());
    }
    assert.equal(chains.size, 1, "one chain, and one model after each tick");
    const { history } = await reached(again, isFinished);
    const known = before.history.filter(({ round }) => round < before.round);
    assert.deepEqual(
      history.slice(0, known.length).map(({ certificate }) => certificate),
      known.map(({ certificate }) => certificate),
      "what was certified is still there",
    );
    const { accuracy } = await reached(a, (status) => status.accuracy !== null);
    assert.ok((accuracy ?? 0) > 0.5, `accuracy ${accuracy}`);

    for (const daemon of [a, b, c]) {
      const { participants } = await daemon.client.flExplain({});
      const flooder = participants.find(({ nodeId }) => nodeId === liarId);
      assert.equal(flooder?.votes ?? 0, 0, JSON.stringify(flooder));
      assert.ok((await daemon.metric("meshd_learning_equivocations_total")) >= 1);
      const refused = await daemon.metric("meshd_learning_messages_refused_total", {
        code: "learning/equivocation",
      });
      assert.ok(refused >= 1, "the flood came");
    }
  });
});
