// Actions of a round machine are carried out in order, and none after one that the disk refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import type { RoundAction, RoundEvent, RoundMachine } from "../../../src/learning/index.ts";
import { MachineLoop } from "../../../src/node/learning/machine-loop.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

const persist: RoundAction = { kind: "persist", round: 1, messages: [] };
const publish: RoundAction = { kind: "publish", bytes: Uint8Array.of(1) };
const full = new MeshError("state/write-failed", "The disk is full. Make room.");

function loopOf(actions: readonly RoundAction[], carryOut: (kind: string) => void) {
  const handled: RoundEvent["kind"][] = [];
  const refusals: unknown[] = [];
  const machine = {
    handle: ({ kind }: RoundEvent) => {
      handled.push(kind);
      return actions;
    },
    receive: () => ({ verdict: "accept", kind: "header", actions }),
    answer: () => [Uint8Array.of(7)],
    status: () => ({ phase: "collecting", round: 1 }),
  } as unknown as RoundMachine;
  const ignore = (): undefined => undefined;
  const loop: MachineLoop = new MachineLoop(
    {
      clock: { now: () => ({ monoMs: 0 as MonoMs, wallMs: 0 as WallMs }) },
      meter: { count: ignore, set: ignore, observe: ignore },
    },
    {
      carryOut: ({ kind }) => carryOut(kind),
      onRefused: (error) => {
        refusals.push(error);
        loop.pause();
      },
    },
  );
  return { loop, machine, handled, refusals };
}

describe("the loop around a round machine", () => {
  test("publishes nothing that the disk did not keep, and begins again with another machine", () => {
    const done: string[] = [];
    let isFull = true;
    const { loop, machine, handled, refusals } = loopOf([persist, publish], (kind) => {
      if (isFull && kind === "persist") throw full;
      done.push(kind);
    });
    loop.start(machine);
    assert.deepEqual([done, refusals], [[], [full]]);
    assert.equal(loop.isRunning, false);
    loop.handle({ kind: "timer", id: "view" });
    assert.equal(loop.receive(Uint8Array.of(1)), undefined, "a message is nobody's fault now");
    assert.deepEqual(loop.answer(Uint8Array.of(1)), []);
    assert.deepEqual(handled, ["started"]);

    isFull = false;
    loop.start(machine);
    assert.deepEqual(done, ["persist", "publish"]);
    assert.deepEqual(handled, ["started", "started"]);
    loop.pause();
  });

  test("lets through what is no refusal: it is a fault in the code", () => {
    const { loop, machine } = loopOf([persist], () => {
      throw new TypeError("a fault");
    });
    assert.throws(() => loop.start(machine), TypeError);
  });

  test("stops a message's actions where the disk refuses, too", () => {
    const done: string[] = [];
    const { loop, machine, refusals } = loopOf([publish, persist, publish], (kind) => {
      if (kind === "persist") throw full;
      done.push(kind);
    });
    loop.start(machine);
    assert.deepEqual([done, refusals.length], [["publish"], 1]);
  });
});
