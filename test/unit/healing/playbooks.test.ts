// Playbooks: those that ship are good, a file is taken whole or refused whole with every problem named, and what worked
// before is tried first.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  actionKinds,
  parsePlaybooks,
  playbookLimits,
  shippedPlaybooks,
} from "../../../src/healing/index.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import { allKinds, Bench } from "./bench.ts";

function problemsOf(text: string, can = allKinds): string {
  try {
    parsePlaybooks(text, "p.yml", can);
  } catch (error) {
    if (isMeshError(error, "healing/bad-playbooks")) return error.message;
    throw error;
  }
  return "";
}

const step = "{action: rejoin}";
const good = (more = "", steps = `[${step}]`): string =>
  `playbooks: [{name: mine, for: [mesh/isolated], radius: none, steps: ${steps}${more}}]`;

test("slow links are led through another relay where one leads through a relay at all", () => {
  for (const [relayedLinks, orders] of [
    [0, 0],
    [1, 1],
  ] as const) {
    const bench = new Bench();
    bench.run(5).run(60, { lossRatio: 0.5, relayedLinks });
    assert.equal(bench.orders.filter(({ kind }) => kind === "change-relay").length, orders);
  }
});

describe("a playbook file", () => {
  test("that ships is good, and treats nothing that is only a state", () => {
    const shipped = parsePlaybooks(shippedPlaybooks, "shipped", allKinds);
    assert.ok(shipped.length >= 8);
    assert.deepEqual(problemsOf(shippedPlaybooks), "");
  });

  test("is refused whole, with every problem and where it is", () => {
    for (const [text, problem] of [
      ["playbooks: [", /line 1/],
      ["", /the file: Invalid input/],
      [good(", colour: red"), /playbooks\.0: Unrecognized key: "colour"/],
      [good("", "[]"), /playbooks\.0\.steps: Too small/],
      [good("", "[{action: reboot}]"), /playbooks\.0\.steps\.0\.action: Invalid option/],
      [good(", unless: [mesh/sad]"), /playbooks\.0\.unless\.0: Invalid option/],
      [good(", when: {members: {}}"), /playbooks\.0\.when\.members: bounds/],
      [good(", when: {moon: {min: 1}}"), /playbooks\.0\.when/],
      [good(", cooldown: soon"), /playbooks\.0\.cooldown: a duration/],
      [good(", cooldown: 999ms"), /playbooks\.0\.cooldown: a duration/],
      [good("", "[{action: rejoin, time_limit: 11m}]"), /time_limit: a duration/],
      [good("", "[{action: shed-load}]"), /mine: shed-load disturbs, its radius cannot be none/],
      [
        good("", "[{action: rejoin, time_limit: 91s, check_within: 60s}]").replace("none", "node"),
        /mine: rejoin may disturb for 150 s at most/,
      ],
      [
        good().replace(
          "]}]",
          "]}, {name: mine, for: [mesh/isolated], radius: none, steps: [{action: rejoin}]}]",
        ),
        /names that differ/,
      ],
      [" ".repeat(playbookLimits.fileBytesMax + 1), /at most 65536 bytes/],
    ] as const) {
      assert.match(problemsOf(text), problem, text.slice(0, 120));
      assert.match(problemsOf(text), /none of them is taken[^]*docs\/healing\.md/);
    }
    assert.equal(problemsOf(good()), "");
    assert.equal(problemsOf(good(", cooldown: 1s")), "");
    const edge = good("", "[{action: rejoin, time_limit: 90s, check_within: 60s}]");
    assert.equal(problemsOf(edge.replace("none", "node")), "");
    assert.match(problemsOf(`\n\n${good(", cooldown: soon")}`), /line 3: playbooks\.0\.cooldown: /);
    const two = problemsOf(good(", colour: red", "[{action: reboot}]"));
    assert.match(two, /colour[^]*|reboot/);
    assert.ok(two.split("\n").length >= 4, two);
  });

  test("with an action that this node has not is refused", () => {
    const can = new Set(actionKinds.filter((kind) => kind !== "rejoin"));
    assert.match(problemsOf(good(), can), /mine: this node has no action rejoin/);
  });

  test("of any text at all is taken or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.constant(good())),
        fc.nat(),
        fc.string({ maxLength: 3 }),
        (text, at, inserted) => {
          const cut = at % (text.length + 1);
          problemsOf(text.slice(0, cut) + inserted + text.slice(cut));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("among playbooks for one symptom", () => {
  const two = ["a", "b"].map(
    (name, at) =>
      `{name: ${name}, for: [node/clock-stepped], radius: none, cooldown: 1s, steps: [{action: ${at === 0 ? "rejoin" : "compact-store"}, check_within: 2s}]}`,
  );
  const playbooks = `playbooks: [${two.join()}]`;
  const stepped = { clockStepMs: 5_000 };

  test("the one that mended a similar incident comes first", () => {
    const bench = new Bench({ actionsPerWindow: 200 }, { playbooks });
    // The first helps nobody; the second is followed by the end of the trouble.
    bench.run(5).run(5, stepped);
    assert.deepEqual(bench.orders.map(({ kind }) => kind).slice(0, 2), ["rejoin", "compact-store"]);
    bench.run(90);
    const before = bench.orders.length;
    const past = bench.incident;
    bench.knowledge.record({
      ...past,
      actions: [
        { ...past.actions[0]!, playbook: "a", outcome: "no-effect" },
        { ...past.actions[0]!, playbook: "b", outcome: "mended" },
      ],
    });
    bench.run(1, stepped);
    assert.equal(bench.orders[before]?.kind, "compact-store");
    assert.match(bench.incident.actions[0]?.reason ?? "", /it mended 1 similar incident/);
  });

  test("one that made similar incidents worse is left alone", () => {
    const bench = new Bench({ actionsPerWindow: 200 }, { playbooks });
    bench.run(5).run(1, stepped).run(90);
    const past = bench.incident;
    bench.knowledge.record({
      ...past,
      actions: [{ ...past.actions[0]!, playbook: "a", outcome: "worse" }],
    });
    const before = bench.orders.length;
    bench.run(3, stepped);
    assert.deepEqual(
      new Set(bench.orders.slice(before).map(({ kind }) => kind)),
      new Set(["compact-store"]),
    );
  });
});
