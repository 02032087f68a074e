// Scenario files: strict, all problems at once, and documented to the last key; plans: a function of file and seed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import { allFaultKinds, parseScenario, planRun, planText } from "../../../src/sim/index.ts";
import {
  faultSchema,
  learningFaultKinds,
  meshFaultKinds,
} from "../../../src/sim/scenarios/faults.ts";
import { scenarioLimits } from "../../../src/sim/scenarios/parse.ts";
import { scenarioSchema } from "../../../src/sim/scenarios/schema.ts";
import { shipped, shippedNames } from "../../sim/scenario-runs.ts";

const minimal = "name: a\nsummary: b\nnodes: 8\nminutes: 1\n";

function problemsOf(text: string): string[] {
  try {
    parseScenario(text, "x.yml");
  } catch (error) {
    assert.ok(isMeshError(error, "sim/bad-scenario"));
    return error.details["problems"] as string[];
  }
  return [];
}

test("a file with four keys is a scenario, and the rest has defaults", () => {
  const { seed, crypto, faults, network, expect } = parseScenario(minimal, "x.yml");
  assert.deepEqual([seed, crypto, faults, network.loss], [1, "modelled", [], 0.02]);
  assert.equal(expect.converge_within, 60_000);
});

test("all problems are reported at once, each with its line, rule and value", () => {
  const text = `${minimal.replace("nodes: 8", "nodes: 1")}crypto: none
network: { loss: 2, latency: [9ms, 3ms], colour: red }
faults:
  - { inject: crash, at: 5x, nodes: 200% }
  - { inject: flood, at: 5s }
`;
  const problems = problemsOf(text).join("\n");
  for (const part of [
    "nodes (line 3) must be a whole number from 2 to 65536: current value is 1",
    "crypto (line 5) must be modelled or real",
    "network.loss (line 6) must be a number from 0 to 1: current value is 2",
    "network.latency (line 6) must be two durations, the second not shorter",
    "network.colour (line 6) must be one of the keys here: latency, jitter",
    "faults[0].at (line 8) must be a duration from 0ms to 24h",
    "faults[0].nodes (line 8) must be a number of nodes from 1, a share such as 10%",
    "faults[1].inject (line 9) must be a fault with `inject`",
  ]) {
    assert.ok(problems.includes(part), `${part}\nin:\n${problems}`);
  }
});

test("what is no YAML, too large or full of aliases is refused", () => {
  assert.match(problemsOf("a: [").join(), /line 1/);
  assert.match(problemsOf("").join(), /the file must be a mapping: current value is null/);
  assert.match(problemsOf("#".repeat(scenarioLimits.fileBytesMax + 1)).join(), /bytes/);
  const bomb = `a: &a [1]\nb: [${"*a,".repeat(scenarioLimits.aliasesMax + 100)}]`;
  assert.match(problemsOf(bomb).join(), /plain YAML/);
});

test("both sides of the limits", () => {
  const nodes = (count: number): string => minimal.replace("8", String(count));
  assert.deepEqual(problemsOf(nodes(2)), []);
  assert.equal(problemsOf(nodes(65_537)).length, 1);
  assert.deepEqual(problemsOf(`${minimal}buggify: 1`), []);
  assert.equal(problemsOf(`${minimal}buggify: 1.01`).length, 1);
});

test("the same file and seed give the same plan, another seed gives another", () => {
  const chaos = shipped("chaos");
  assert.deepEqual(planRun(chaos, { seed: 7 }), planRun(chaos, { seed: 7 }));
  assert.notDeepEqual(planRun(chaos, { seed: 7 }).faults, planRun(chaos, { seed: 8 }).faults);
});

test("a plan written as a file is read back as the same plan", () => {
  for (const name of shippedNames()) {
    const plan = planRun(shipped(name), { seed: 3 });
    assert.deepEqual(planRun(parseScenario(planText(plan), name)), plan, name);
  }
});

test("nodes are chosen within the world, and never a liar for anything else", () => {
  const text = `${minimal}faults:
  - { inject: crash, at: 1s, nodes: 100% }
  - { inject: forge, at: 1s, nodes: 50% }
  - { inject: slow, at: 1s, nodes: [2, 99], every: 1s, pause: 10ms }
`;
  const [crash, forge, slow] = planRun(parseScenario(text, "x.yml")).faults.map((fault) =>
    "nodes" in fault ? fault.nodes : [],
  );
  assert.equal(forge!.length, 2, "at most three in ten lie");
  assert.ok(crash!.length > 0 && crash!.every((node) => node < 8 && !forge!.includes(node)));
  assert.deepEqual(slow, [2]);
});

test("a random schedule draws every kind of fault, within the run", () => {
  const drawn = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const plan = planRun(shipped("chaos"), { seed });
    for (const { inject, at } of plan.faults) {
      drawn.add(inject);
      assert.ok(at < plan.minutes * 60_000);
    }
  }
  assert.deepEqual([...drawn].sort(), [...meshFaultKinds].sort());
});

test("a random schedule draws lies of a training where it is told to", () => {
  const kinds = `[${learningFaultKinds.join(", ")}]`;
  const text = `${minimal}learning: {}\nchaos: { faults: 40, kinds: ${kinds} }\n`;
  const { faults } = planRun(parseScenario(text, "x.yml"));
  assert.deepEqual([...new Set(faults.map(({ inject }) => inject))].sort(), [
    ...learningFaultKinds.toSorted(),
  ]);
});

test("a training needs a task, and has as many nodes as a round can name", () => {
  const lie = "faults: [{ inject: withhold, at: 5s, nodes: 1 }]\n";
  assert.match(problemsOf(minimal + lie).join(), /learning must be there, because a fault/);
  assert.deepEqual(problemsOf(`${minimal}${lie}learning: {}`), []);
  const of = (nodes: number): string[] =>
    problemsOf(`${minimal.replace("8", String(nodes))}learning: {}`);
  assert.deepEqual(of(64), []);
  assert.match(of(65).join(), /nodes \(line 3\) must be at most 64 where a task is trained/);
  const poison = problemsOf(
    `${minimal}learning: {}\nfaults: [{ inject: poison, at: 5s, nodes: 1 }]`,
  );
  assert.match(poison.join(), /attack.* must be one of scaled, sign-flip, ipm/);
});

test("the documentation has every key and every fault", () => {
  const page = readFileSync(new URL("../../../docs/simulator.md", import.meta.url), "utf8");
  const keys = new Set<string>();
  const collect = (schema: unknown): void => {
    const { def } = schema as { def: { shape?: object; innerType?: unknown; options?: unknown[] } };
    for (const [key, value] of Object.entries(def.shape ?? {})) {
      keys.add(key);
      collect(value);
    }
    if (def.innerType !== undefined) collect(def.innerType);
    for (const option of def.options ?? []) {
      if (typeof option === "object") collect(option);
    }
  };
  collect(scenarioSchema);
  collect(faultSchema);
  assert.ok(keys.size > 35, `${keys.size} keys`);
  for (const name of [...keys, ...allFaultKinds]) {
    assert.ok(page.includes(`\`${name}\``), `docs/simulator.md says what ${name} is`);
  }
});
