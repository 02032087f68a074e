// Runs a scenario by name and reports. The report is a function of the options: no clock, no host in it.

import { MeshError } from "../foundation/index.ts";
import { describeViolation } from "./checkers/violation.ts";
import type { SimErrorCode } from "./errors.ts";
import { byzantine } from "./scenarios/byzantine.ts";
import { crashRestart } from "./scenarios/crash-restart.ts";
import { partitionHeal } from "./scenarios/partition-heal.ts";
import type { Scenario, ScenarioOptions, ScenarioReport } from "./scenarios/scenario.ts";
import { Swarm } from "./swarm.ts";

const TAIL_EVENTS = 40;

/** All scenarios, in the order of a list. */
export const scenarios: readonly Scenario[] = [partitionHeal, crashRestart, byzantine];

/**
 * Runs one scenario from a seed.
 * @throws MeshError `sim/unknown-scenario`, `sim/bad-option`, and what a node's code throws under it
 */
export function runScenario(name: string, options: ScenarioOptions): ScenarioReport {
  const scenario = scenarios.find((one) => one.name === name);
  if (scenario === undefined) {
    const known = scenarios.map((one) => one.name).join(", ");
    const code: SimErrorCode = "sim/unknown-scenario";
    throw new MeshError(code, `There is no scenario '${name}'. Choose one of: ${known}.`);
  }
  const nodes = options.nodes ?? scenario.nodes;
  const { engine, deterministicEngine } = options;
  const swarm = new Swarm({
    ...scenario.swarm({ ...options, nodes }),
    ...(engine === undefined ? {} : { engine }),
    ...(deterministicEngine === undefined ? {} : { deterministicEngine }),
    ...options.swarm,
  });
  const { findings, failures } = scenario.script(swarm);
  const { violations, world } = swarm;
  const passed = violations.length === 0 && failures.length === 0;
  return {
    ...{ scenario: name, seed: options.seed, nodes, passed, violations, failures, findings },
    checks: {
      noFalseDeath: swarm.noFalseDeath.checks,
      sequenceRises: swarm.sequenceRises.checks,
    },
    digest: world.trace.digest(),
    traceEvents: world.trace.events,
    virtualMs: world.nowMs,
    world: { ...world.counts },
    network: { ...world.network.counts },
    replay: `runScenario(${JSON.stringify(name)}, ${replayOptions({ ...options, nodes })})`,
    tail: passed ? [] : world.trace.tail(TAIL_EVENTS),
  };
}

/** The options that a replay needs, as JSON; an engine or sabotage of the caller's it must bring itself. */
function replayOptions({ seed, nodes, lossRatio }: ScenarioOptions): string {
  return JSON.stringify({ seed, nodes, lossRatio });
}

/** A report as text; for a failed run with all that is needed to see it again. */
export function describeReport(report: ScenarioReport): string {
  const { scenario, seed, nodes, passed, digest } = report;
  const lines = [
    `${scenario} ${passed ? "passed" : "FAILED"}: seed ${seed}, ${nodes} nodes, ` +
      `${(report.virtualMs / 1000).toFixed(0)} s of virtual time, ${report.traceEvents} events`,
    `trace ${digest}`,
  ];
  for (const { name, value, unit } of report.findings) {
    lines.push(`  ${name}: ${value === undefined ? "never" : `${value} ${unit}`}`);
  }
  if (passed) return lines.join("\n");
  lines.push(...report.failures.map((failure) => `  ${failure}`));
  lines.push(...report.violations.map((violation) => `  ${describeViolation(violation)}`));
  lines.push("the last events:", ...report.tail.map((line) => `  ${line}`));
  lines.push(`to replay, on the same commit: ${report.replay}`);
  return lines.join("\n");
}
