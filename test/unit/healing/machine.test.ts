// The loop from reading to cure, and everything that must keep it from acting.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explain } from "../../../src/healing/index.ts";
import { Bench, PEER, SELF, well } from "./bench.ts";

const expiring = { svidLeftRatio: 0.2 };
const overloaded = { beaconsRefusedPerS: 60, loopLagMs: 150 };
const lost = [
  { nodeId: PEER, state: "alive", connected: false, wanted: true, proven: false },
] as const;

describe("the loop", () => {
  test("sees, names, treats, checks and closes, and says all of it", () => {
    const bench = new Bench();
    bench.run(5).run(4, expiring);
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["renew-svid"],
    );
    bench.run(12);
    assert.equal(bench.incident.outcome, "mended");
    assert.deepEqual(bench.outcomes(), ["renew-svid: mended"]);
    const lines = explain(bench.incident, (id) => id);
    assert.deepEqual(
      lines.map(({ step }) => step),
      ["seen", "symptom", "cause", "action", "check", "outcome"],
    );
    assert.match(lines.map(({ text }) => text).join("\n"), /share: 0\.2, below 0\.25/);
  });

  test("a step that does not help is followed by the next, and a failure told as one", () => {
    const bench = new Bench();
    bench.end = { ok: false, code: "network/dial-failed", message: "nobody answered" };
    bench.run(5).run(4, expiring);
    assert.deepEqual(bench.outcomes(), ["renew-svid: failed", "rejoin: failed"]);
    const [first] = bench.incident.actions;
    assert.equal(first?.check, "network/dial-failed: nobody answered");
  });

  test("an action without an end has failed at its time limit", () => {
    const bench = new Bench();
    bench.end = undefined;
    bench.run(5).run(3, expiring);
    assert.deepEqual(bench.outcomes(), ["renew-svid: running"]);
    bench.run(29, expiring);
    assert.deepEqual(bench.outcomes(), ["renew-svid: running"]);
    bench.run(1, expiring);
    assert.deepEqual(bench.outcomes().slice(0, 1), ["renew-svid: failed"]);
  });

  test("what passes by itself is no action's doing", () => {
    const bench = new Bench();
    bench.run(5).run(70, { clockStepMs: 5_000 }).run(80);
    assert.equal(bench.incident.outcome, "self-mended");
    assert.deepEqual(bench.incident.actions, []);
  });

  test("what lasts is given up in the end, and taken up again with what is new", () => {
    const bench = new Bench({ giveUpMs: 60_000 });
    bench.run(5).run(100, { clockStepMs: 5_000 });
    assert.equal(bench.incident.outcome, "unmended");
    bench.run(3, { clockStepMs: 5_000, ...expiring });
    assert.equal(bench.incident.outcome, "open");
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["renew-svid"],
    );
  });

  test("a peer without a link is redialled by its id, and each peer is one symptom of one incident", () => {
    const bench = new Bench();
    const other = { ...lost[0], nodeId: "aa".repeat(32) };
    bench.run(5).run(14, {}, { peers: [lost[0], other] });
    assert.deepEqual(
      bench.orders.slice(0, 1).map(({ kind, target }) => [kind, target]),
      [["redial-peer", PEER]],
    );
    assert.equal(bench.machine.view(bench.now).open.length, 1);
    assert.deepEqual(new Set(bench.orders.map(({ target }) => target)).size, 2);
  });

  test("a consequence is in the incident of its cause, and the cause is treated first", () => {
    const bench = new Bench();
    bench.run(5).run(6, { connections: 0, connectedRatio: 0, ...expiring });
    assert.equal(bench.machine.view(bench.now).open.length, 1);
    assert.equal(bench.incident.cause.code, "mesh/isolated");
    assert.match(bench.incident.cause.why, /explains .*identity\/renewal-overdue/);
    assert.equal(bench.orders[0]?.kind, "rejoin");
  });

  test("an action after which the node cannot do its work has done harm, and is taken back", () => {
    const bench = new Bench();
    bench.run(5).run(6, overloaded);
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["shed-load"],
    );
    const conditions = [{ code: "node/stalled", message: "" }] as const;
    bench.run(1, overloaded, { conditions: [...conditions] });
    assert.deepEqual(bench.outcomes().at(-1), "shed-load: worse");
    assert.ok(bench.effects.some(({ kind }) => kind === "undo"));
  });

  test("what serves is taken back when its incident is over and a repetition would be no flap", () => {
    const bench = new Bench({ flapWindowMs: 60_000 });
    bench.run(5).run(6, overloaded).run(50);
    assert.equal(bench.incident.outcome, "mended");
    assert.ok(!bench.effects.some(({ kind }) => kind === "undo"));
    bench.run(12);
    assert.ok(bench.effects.some(({ kind }) => kind === "undo"));
  });
});

test("a frozen loop takes nothing back either; thawed it does", () => {
  const bench = new Bench({ flapWindowMs: 60_000 });
  const freeze = (frozen: boolean): void =>
    bench.take(bench.machine.handle({ kind: "frozen", frozen }, bench.now));
  const undone = (): number => bench.effects.filter(({ kind }) => kind === "undo").length;
  bench.run(5).run(6, overloaded).run(50);
  freeze(true);
  bench.run(60);
  assert.equal(undone(), 0);
  freeze(false);
  bench.run(1);
  assert.equal(undone(), 1);
});

describe("nothing is done", () => {
  test("to a node that is well", () => {
    const bench = new Bench().run(700);
    assert.deepEqual(bench.effects, []);
  });

  test("about what passes before it is visible", () => {
    const bench = new Bench();
    for (let round = 0; round < 20; round++) bench.run(5).run(1, expiring);
    assert.deepEqual(bench.effects, []);
  });

  test("while frozen; once thawed it is", () => {
    const bench = new Bench();
    bench.machine.handle({ kind: "frozen", frozen: true }, bench.now);
    bench.run(5).run(10, expiring);
    assert.deepEqual(bench.orders, []);
    assert.deepEqual(bench.outcomes(), ["renew-svid: refused-by-guard"]);
    assert.ok(bench.machine.standing.some(({ code }) => code === "healing/frozen"));
    bench.machine.handle({ kind: "frozen", frozen: false }, bench.now);
    bench.run(1, expiring);
    assert.equal(bench.orders.length, 1);
  });

  test("in a dry run but to say what would be", () => {
    const bench = new Bench({ dryRun: true });
    bench.run(5).run(10, expiring);
    assert.deepEqual(bench.orders, []);
    assert.deepEqual(bench.outcomes().slice(0, 1), ["renew-svid: advised"]);
  });

  test("that disturbs, while much of the mesh is unwell, or nobody knows how much", () => {
    for (const unhealthyRatio of [0.31, undefined]) {
      const bench = new Bench();
      bench.run(5).run(10, { ...overloaded, unhealthyRatio });
      assert.deepEqual(bench.orders, []);
      assert.ok(bench.outcomes().includes("shed-load: refused-by-guard"));
    }
    const bench = new Bench();
    bench.run(5).run(10, { ...overloaded, unhealthyRatio: 0.3 });
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["shed-load"],
    );
  });

  test("on what a sensor said before it fell silent, and its silence is told", () => {
    const bench = new Bench();
    bench.run(5).run(1, expiring).run(15, { svidLeftRatio: undefined });
    assert.deepEqual(bench.orders, []);
    assert.deepEqual(bench.machine.view(bench.now).missing, ["svidLeftRatio"]);
    assert.ok(bench.machine.standing.some(({ code }) => code === "healing/sensor-missing"));
  });

  test("for a notice, once half of the budget is spent", () => {
    const bench = new Bench({ actionsPerWindow: 2 });
    bench.end = { ok: false, code: "x/y", message: "no" };
    const other = { ...lost[0], nodeId: "aa".repeat(32) };
    bench.run(5).run(8, {}, { peers: [lost[0], other] });
    assert.equal(bench.orders.length, 1);
    assert.match(bench.incident.actions.at(-1)?.reason ?? "", /kept for what is graver/);
    bench.run(4, expiring, { peers: [lost[0], other] });
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["redial-peer", "renew-svid"],
    );
  });

  test("beyond the local budget", () => {
    const bench = new Bench({ actionsPerWindow: 1 });
    bench.end = { ok: false, code: "x/y", message: "no" };
    bench.run(5).run(10, expiring);
    assert.equal(bench.orders.length, 1);
    assert.deepEqual(bench.outcomes().at(-1), "rejoin: refused-by-guard");
  });
});

describe("the mesh's budget", () => {
  const claim = (bench: Bench, nodeId: string, leftMs = 30_000): void =>
    bench.take(bench.machine.handle({ kind: "claimed", claim: { nodeId, leftMs } }, bench.now));

  test("a disruptive action is claimed first, and the token given back after it", () => {
    const bench = new Bench();
    bench.run(5).run(4, overloaded);
    const claims = (): number[] =>
      bench.effects.flatMap((effect) => (effect.kind === "claim" ? [effect.leftMs] : []));
    assert.deepEqual([claims(), bench.orders.length], [[30_000], 0]);
    bench.run(2, overloaded);
    assert.equal(bench.orders.length, 1);
    bench.run(5);
    assert.deepEqual(claims(), [30_000, 0]);
  });

  test("who comes later in the order waits, who comes first goes on", () => {
    for (const [other, orders] of [
      ["00".repeat(32), 0],
      ["ff".repeat(32), 1],
    ] as const) {
      const bench = new Bench();
      bench.run(5).run(4, overloaded);
      claim(bench, other);
      bench.run(4, overloaded);
      assert.equal(bench.orders.length, orders, other);
    }
  });

  test("who was alone waits until whoever holds a token must have said so again", () => {
    for (const [wellLooks, orders] of [
      [9, 0],
      [10, 1],
    ] as const) {
      const bench = new Bench();
      bench.run(5).run(3, { connections: 0 }).run(wellLooks).run(6, overloaded);
      const shed = bench.orders.filter(({ kind }) => kind === "shed-load");
      assert.equal(shed.length, orders, `${wellLooks}`);
    }
  });

  test("who cannot check claims disturbs nothing, and waits as who was alone once it can", () => {
    const unsound = { code: "crypto/engine-unsound", message: "" } as const;
    for (const [soundLooks, orders] of [
      [0, 0],
      [9, 0],
      [10, 1],
    ] as const) {
      const bench = new Bench();
      bench.run(5).run(soundLooks === 0 ? 20 : 3, overloaded, { conditions: [unsound] });
      bench.run(soundLooks).run(soundLooks === 0 ? 0 : 6, overloaded);
      const shed = bench.orders.filter(({ kind }) => kind === "shed-load");
      assert.equal(shed.length, orders, `${soundLooks}`);
    }
  });

  test("who is alone has its own budget alone, and tells of its token once it hears others again", () => {
    const bench = new Bench();
    bench.run(5).run(7, { ...overloaded, connections: 0, members: 0 });
    assert.ok(bench.orders.some(({ kind }) => kind === "shed-load"));
    const claims = (): number => bench.effects.filter(({ kind }) => kind === "claim").length;
    assert.equal(claims(), 1);
    bench.run(1, overloaded);
    assert.equal(claims(), 2);
    bench.run(1, overloaded);
    assert.equal(claims(), 2);
  });

  test("what passes while an action waits for its turn needs no disturbance; nor does what is only held from before", () => {
    for (const gone of [well, { beaconsRefusedPerS: undefined, loopLagMs: 150 }]) {
      const bench = new Bench();
      bench.run(5).run(4, overloaded).run(1, gone).run(3, gone);
      assert.deepEqual(bench.orders, []);
      assert.deepEqual(bench.outcomes(), ["shed-load: refused-by-guard"]);
      assert.match(bench.incident.actions.at(-1)?.check ?? "", /^passed: mesh\/overloaded/);
    }
  });

  test("memory that a collection does not give back is the trainer's matter at the next look", () => {
    const bench = new Bench();
    bench.run(5).run(7, { heapRatio: 0.95 });
    assert.deepEqual(bench.outcomes(), ["free-memory: no-effect", "restart-part: running"]);
    bench.run(2, { heapRatio: 0.95 });
    assert.deepEqual(
      bench.orders.map(({ kind }) => kind),
      ["free-memory", "restart-part"],
    );
  });

  test("an error that came while an action waited for its turn is not its doing, one that came after is", () => {
    const failed = { code: "state/write-failed", message: "full" } as const;
    for (const [waited, outcome] of [
      [1, "no-effect"],
      [2, "worse"],
    ] as const) {
      const bench = new Bench();
      bench.run(5).run(4 + waited, overloaded);
      bench.run(40, overloaded, { conditions: [failed] });
      assert.ok(bench.outcomes().includes(`shed-load: ${outcome}`), bench.outcomes().join());
    }
  });

  test("a claim runs out, and can be given back", () => {
    for (const leftMs of [0, 1_500]) {
      const bench = new Bench();
      claim(bench, "00".repeat(32));
      claim(bench, "00".repeat(32), leftMs);
      bench.run(3);
      assert.equal(bench.machine.view(bench.now).claims, 0);
    }
  });

  test("a node that holds its token without end is not counted after a while", () => {
    const bench = new Bench();
    for (let round = 0; round < 31; round++) {
      claim(bench, "00".repeat(32));
      bench.run(10);
    }
    assert.equal(bench.machine.view(bench.now).claims, 0);
    assert.ok(SELF > "00".repeat(32));
  });
});
