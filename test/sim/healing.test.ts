// Nodes that heal themselves, in the simulator: what they can mend they mend fast, what they cannot they leave alone, and neither
// wrong sensors nor lying members make them do more than they may.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ActionOrder,
  type HealingEffect,
  type HealingMachine,
  healingDefaults,
} from "../../src/healing/index.ts";
import { parseScenario, type RunOptions, type RunReport } from "../../src/sim/index.ts";
import { HealingBudget } from "../../src/sim/checkers/healing-budget.ts";
import { NoExpiredSvid } from "../../src/sim/checkers/no-expired-svid.ts";
import type { SwarmView } from "../../src/sim/checkers/swarm-view.ts";
import { healingFaultKinds, meshFaultKinds } from "../../src/sim/scenarios/faults.ts";
import { HealingMonitor } from "../../src/sim/healing/healing-figures.ts";
import type { Swarm } from "../../src/sim/swarm.ts";
import { run } from "./scenario-runs.ts";

function healing(
  on: "on" | "off",
  faults: readonly string[],
  options: RunOptions = {},
  more = "",
  nodes = 10,
  minutes = 1,
): RunReport & { readonly healing: NonNullable<RunReport["healing"]> } {
  const text = `name: healing
summary: Nodes that heal themselves.
nodes: ${nodes}
minutes: ${minutes}
healing: ${on}
${more}
faults: [${faults.join(", ")}]
`;
  const report = run(parseScenario(text, "healing.yml"), { seed: 5 }, options);
  const figures = report.healing;
  assert.ok(figures !== undefined);
  return { ...report, healing: figures };
}

function holds(report: RunReport): void {
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.failures, []);
  const budget = report.invariants.find(({ name }) => name === "healing-budget");
  assert.ok(budget !== undefined);
}

for (const fault of ["renewal_stuck", "store_grows"]) {
  test(`${fault} is mended within 5 s, in a third of the time that it lasts without healing`, () => {
    const faults = [`{ inject: ${fault}, at: 20s, for: 20s, nodes: 2 }`];
    const on = healing("on", faults);
    const off = healing("off", faults);
    holds(on);
    const [onMs, offMs] = [on.healing.recoveryMs ?? 0, off.healing.recoveryMs ?? 0];
    assert.ok(onMs <= 5_000, `${onMs} ms`);
    assert.ok(3 * onMs <= offMs, `${onMs} ms with, ${offMs} ms without`);
    assert.equal(on.healing.actions.mended, 2);
    assert.equal(on.healing.harmful, 0);
  });
}

test("a leak that fills the memory is mended within 5 s of being told, before the process ends", () => {
  const leak = ["{ inject: leak, at: 15s, for: 90s, nodes: 1, full_after: 72s }"];
  const on = healing("on", leak, {}, "", 4, 1.75);
  holds(on);
  assert.equal(on.healing.byKind["restart-part mended"], 1);
  assert.equal(on.healing.byKind["free-memory no-effect"], 1);
  assert.ok(Math.max(...on.healing.mendMs) <= 5_000, on.healing.mendMs.join());
  assert.equal(on.healing.availability, 1, "nobody ever misses it");
  assert.ok(healing("off", leak, {}, "", 4, 1.75).healing.availability < 1);
});

for (const fault of ["bad_signature", "bad_verification"]) {
  test(`${fault}, which no other sensor sees, is found by the self-test and mended by a new engine`, () => {
    const faults = [`{ inject: ${fault}, at: 29s, for: 28s, nodes: 3 }`];
    const on = healing("on", faults);
    const off = healing("off", faults);
    holds(on);
    const [onMs, offMs] = [on.healing.recoveryMs ?? 0, off.healing.recoveryMs ?? 0];
    assert.ok(onMs <= 9_000, `${onMs} ms`);
    assert.ok(3 * onMs <= offMs, `${onMs} ms with, ${offMs} ms without`);
    assert.equal(on.healing.byKind["change-engine mended"], 3);
    assert.equal(on.healing.harmful, 0);
  });
}

test("a lossy, slow network is no reason to act: nothing is done", () => {
  const report = healing("on", [
    "{ inject: loss, at: 20s, for: 20s, ratio: 0.15 }",
    "{ inject: latency, at: 20s, for: 20s, extra: 150ms }",
  ]);
  holds(report);
  assert.deepEqual(report.healing.byKind, {});
});

test("an expired SVID cannot be renewed over a mesh that refuses it: it is tried, and nothing else is", () => {
  const report = healing("on", ["{ inject: expired_svid, at: 20s, for: 20s, nodes: [7] }"]);
  holds(report);
  assert.equal(report.healing.byKind["renew-svid mended"], undefined);
  assert.ok((report.healing.byKind["renew-svid failed"] ?? 0) > 0);
});

test("a third of all sensors that cry wolf, and liars that hold tokens and tell false lessons, break no guard", () => {
  for (const say of ["alone", "leaking", "overloaded", "mesh-unwell"]) {
    const report = healing("on", [
      `{ inject: lying_sensors, at: 15s, for: 40s, nodes: 3, say: ${say} }`,
      "{ inject: false_claims, at: 15s, for: 40s, nodes: 1 }",
      "{ inject: false_lessons, at: 15s, for: 40s, nodes: 1 }",
      "{ inject: false_evidence, at: 15s, for: 40s, nodes: 1 }",
      "{ inject: renewal_stuck, at: 25s, for: 25s, nodes: 1, left: 10s }",
    ]);
    holds(report);
    assert.equal(report.healing.harmful, 0, say);
    assert.ok(report.healing.availability > 0.999, `${say}: ${report.healing.availability}`);
  }
});

test("who comes back finds a node again whose SVID was renewed meanwhile", () => {
  const faults = [
    "{ inject: renewal_stuck, at: 15s, for: 10s, nodes: 8, left: 5s }",
    "{ inject: crash, at: 25s, for: 5s, nodes: 4 }",
  ];
  const report = healing("on", faults, {}, "expect: { calm: 1s }", 20);
  holds(report);
  assert.equal(report.healing.settledAvailability, 1);
});

test("a node counts as settled 15 s after something was wrong with it: a crash costs availability, not settled availability", () => {
  const report = healing("on", ["{ inject: crash, at: 25s, for: 5s, nodes: 2 }"]);
  holds(report);
  assert.ok(report.healing.availability < 1);
  assert.equal(report.healing.settledAvailability, 1);
  const cut = healing("on", ["{ inject: partition, at: 25s, for: 20s, nodes: 3 }"]);
  assert.ok(cut.healing.settledAvailability < 0.9, "a cut is no matter of settling");
});

test("a node that has been up for less than 2 s is no member yet; from then on it counts, whatever it is without", () => {
  const report = healing("on", ["{ inject: crash, at: 25s, for: 5s, nodes: 2 }"]);
  assert.ok(report.healing.availability < 1);
  assert.equal(report.healing.joinedAvailability, 1);
  const late = healing("on", [
    "{ inject: crash, at: 25s, for: 5s, nodes: [3] }",
    "{ inject: partition, at: 26s, for: 20s, nodes: [3] }",
  ]);
  assert.ok(late.healing.joinedAvailability < 0.7, `${late.healing.joinedAvailability}`);
});

test("a node that others refused joins anew: its first two seconds excuse it, not what comes later", () => {
  const ended = "{ inject: expired_svid, at: 25s, for: 5s, nodes: [3] }";
  const { availability, joinedAvailability } = healing("off", [ended]).healing;
  assert.ok(availability < 1);
  assert.equal(joinedAvailability, 1);
  const cut = "{ inject: partition, at: 31s, for: 20s, nodes: [3] }";
  const late = healing("off", [ended, cut]).healing;
  assert.ok(late.joinedAvailability < 0.7, `${late.joinedAvailability}`);
});

test("a node whose seeds are away comes back by its address book, unless its disk is an old one", () => {
  const seeds = "{ inject: crash, at: 20s, for: 30s, nodes: [11] }";
  const missing = (stale: boolean): number => {
    const crash = `{ inject: crash, at: 22s, for: 5s, nodes: [0], stale_disk: ${stale} }`;
    const report = healing("off", [seeds, crash], { swarm: { seedsPerNode: 0 } }, "", 12);
    return 1 - report.healing.joinedAvailability;
  };
  assert.equal(missing(false), 0);
  assert.ok(missing(true) > 0);
});

test("a liar that meets its own beacon, replayed by another, does not prove itself a liar", () => {
  const report = healing("on", [
    "{ inject: false_evidence, at: 15s, for: 40s, nodes: [6] }",
    "{ inject: replay, at: 15s, for: 40s, nodes: [1, 9] }",
  ]);
  holds(report);
});

test("four random faults of any kind at a time, ten times: no action harms, and no invariant breaks", () => {
  const kinds = [...meshFaultKinds, ...healingFaultKinds].join(", ");
  const scenario = parseScenario(
    `name: sweep
summary: Random faults among nodes that heal themselves.
nodes: 8
minutes: 0.75
healing: on
chaos: { faults: 4, kinds: [${kinds}] }
expect: { effects: false, false_deaths: 1000, calm: 1s }
`,
    "sweep.yml",
  );
  let actions = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const report = run(scenario, { seed }, { retraces: false });
    holds(report);
    assert.equal(report.healing?.harmful, 0, `seed ${seed}`);
    for (const count of Object.values(report.healing.byKind)) actions += count;
  }
  assert.ok(actions > 20, `${actions} actions`);
});

test("the same seed heals in the same way", () => {
  const faults = ["{ inject: renewal_stuck, at: 20s, for: 20s, nodes: 2 }"];
  assert.equal(healing("on", faults).traceDigest, healing("on", faults).traceDigest);
});

test("no-expired-svid takes what was said before an end that a fault brought forward or what others took then, and nothing that was said later", () => {
  for (const { broken, taken } of [
    { broken: 0, taken: [[7, 16_000]] },
    { broken: 0, taken: [[8, 15_999]] },
    { broken: 1, taken: [[8, 16_000]] },
    {
      broken: 0,
      taken: [
        [8, 15_999],
        [8, 60_000],
      ],
    },
    {
      broken: 1,
      taken: [
        [8, 15_999],
        [9, 60_000],
      ],
    },
  ] as const) {
    const nodeId = "ab".repeat(32);
    const identity = { nodeId, notAfterMs: 10_000 };
    const swarm = {
      census: {
        all: [{ index: 3 }],
        at: () => ({ identity }),
        find: () => ({ index: 3, identity }),
      },
      world: { clock: () => ({ at: (wallMs: number) => ({ wallMs }) }) },
      ailments: { of: () => ({ renewalStuck: true, expiredSvid: true }) },
    };
    const checker = new NoExpiredSvid(() => swarm as unknown as Swarm);
    const beacon = (sequence: number): Uint8Array => {
      const bytes = new Uint8Array(42).fill(0xab, 2, 34);
      bytes[0] = 1;
      new DataView(bytes.buffer).setUint32(38, sequence);
      return bytes;
    };
    checker.published(3, beacon(7), 9_000);
    checker.published(3, beacon(8), 11_000);
    checker.check({ nowMs: 11_000 });
    for (const [number, atMs] of taken) checker.accepted(4, beacon(number), atMs);
    assert.equal(checker.violationCount, broken, JSON.stringify(taken));
  }
});

test("an action after which an error stands is harm, unless something else changed on its node meanwhile", () => {
  let state = "well";
  const monitor = new HealingMonitor(() => state);
  const action = (node: number, outcome: string): void => {
    const taken = { action: "shed-load", outcome };
    monitor.effect(node, {
      kind: "action",
      action: taken,
      incident: {},
    } as unknown as HealingEffect);
  };
  action(1, "running");
  action(1, "worse");
  assert.equal(monitor.figures().harmful, 1);
  action(2, "running");
  state = "its disk is full";
  action(2, "worse");
  assert.equal(monitor.figures().harmful, 1);
  assert.deepEqual(monitor.figures().byKind, { "shed-load worse": 2 });
});

/** A checker in a mesh of ten, with effects by hand. */
class Watched {
  readonly machine = { halted: undefined as string | undefined, running: 1 };
  readonly checker: HealingBudget;
  nowMs = 0;
  #orders = 0;

  constructor() {
    const swarm = {
      world: { clock: () => ({ at: () => ({ monoMs: 0, wallMs: 0 }) }) },
      census: { all: [] },
      size: 10,
      node: () => undefined,
      isHealthy: () => true,
      isConnected: () => true,
      peers: () => [0, 1, 2],
    };
    const now = (): number => this.nowMs;
    Object.defineProperty(swarm, "nowMs", { get: now });
    this.checker = new HealingBudget(swarm as unknown as SwarmView, healingDefaults);
  }

  effect(node: number, effect: unknown): void {
    const { running, halted } = this.machine;
    const view = { running: new Array(running).fill(undefined), ...(halted && { halted }) };
    const machine = { view: () => view } as unknown as HealingMachine;
    this.checker.effect(node, effect as HealingEffect, machine);
  }

  act(node: number, kind: ActionOrder["kind"], target?: string): void {
    this.effect(node, { kind: "act", order: { id: ++this.#orders, kind, target, timeLimitMs: 1 } });
  }

  action(node: number, action: string, outcome: string, reason = "because"): void {
    this.effect(node, { kind: "action", incident: {}, action: { action, outcome, reason } });
  }

  get broken(): string {
    return this.checker.violations.map(({ what }) => what).join();
  }
}

test("healing-budget goes red for each guard that is broken, and not at its edge", () => {
  const cases: readonly (readonly [string, (w: Watched, beyond: boolean) => void, RegExp])[] = [
    [
      "actions within the window",
      (w, beyond) => {
        for (let at = 0; at < 12 + Number(beyond); at++) w.action(1, "rejoin", "running");
      },
      /13 actions within the window/,
    ],
    [
      "actions at once",
      (w, beyond) => {
        w.machine.running = beyond ? 3 : 2;
        w.act(1, "rejoin");
      },
      /3 actions at once/,
    ],
    [
      "disturbing nodes at once",
      (w, beyond) => {
        w.act(1, "restart-part", "trainer");
        if (!beyond) w.action(1, "restart-part", "mended");
        w.act(2, "shed-load");
      },
      /2 nodes disturb/,
    ],
    [
      "the halt",
      (w, beyond) => {
        w.machine.halted = "40 % of the mesh is unwell";
        w.act(1, beyond ? "shed-load" : "rejoin");
      },
      /shed-load although 40 %/,
    ],
    [
      "back and forth",
      (w, beyond) => {
        w.act(1, "shed-load");
        w.action(1, "shed-load", "mended");
        w.effect(1, { kind: "undo", order: { id: 1, kind: "shed-load", timeLimitMs: 1 } });
        w.nowMs = beyond ? 200_000 : 300_000;
        w.act(1, "shed-load");
      },
      /undone and done again/,
    ],
    [
      "a quarantine without proof",
      (w, beyond) => {
        if (beyond) w.act(1, "quarantine-peer", "ab");
      },
      /without a proof/,
    ],
    [
      "a cause",
      (w, beyond) => w.action(1, "rejoin", "running", beyond ? "" : "because"),
      /without a recorded cause/,
    ],
  ];
  for (const [name, play, expected] of cases) {
    const inside = new Watched();
    play(inside, false);
    assert.equal(inside.broken, "", name);
    const outside = new Watched();
    play(outside, true);
    assert.match(outside.broken, expected, name);
  }
});
