// meshctl sim replay: a failed run again, and then smaller and smaller while it still fails.

import { writeFileSync } from "node:fs";
import { exitStatus } from "../../control/index.ts";
import { describeReport, planText, shrink } from "../../sim/index.ts";
import type { Cli } from "../cli.ts";
import { execute, planOf, progressOn, type RunWish } from "./run.ts";

export interface ReplayWish extends RunWish {
  /** Runs at most, to make it smaller. */
  readonly runs: number;
  /** Where the smallest plan goes. */
  readonly out: string | undefined;
}

/** Replays, shrinks, and writes the smallest scenario that still fails. */
export function simReplay(cli: Cli, wish: ReplayWish): void {
  const plan = planOf(wish);
  const report = execute(plan, progressOn(cli));
  if (report.passed) {
    cli.out(
      `${describeReport(report)}\nIt did not fail. Check out the commit of the failed run.\n`,
    );
    return;
  }
  cli.exit = exitStatus.failure;
  cli.err(
    `It fails: ${plan.faults.length} faults, ${plan.nodes} nodes, ${plan.minutes} minutes.\n`,
  );
  const smallest = shrink(plan, report, {
    run: (candidate) => execute(candidate),
    runsMax: wish.runs,
    onStep: ({ run, plan: { faults, nodes, minutes }, stillFails }) =>
      cli.err(
        `run ${run}: ${faults.length} faults, ${nodes} nodes, ${minutes.toFixed(2)} minutes: ${stillFails ? "fails" : "passes"}\n`,
      ),
  });
  const file = wish.out ?? `${plan.name}-${plan.seed}.smallest.yml`;
  writeFileSync(file, planText(smallest.plan));
  cli.out(`${describeReport(smallest.report)}\n`);
  cli.out(
    `The smallest that still fails, after ${smallest.runs} runs, is in ${file}. To see it:\n`,
  );
  cli.out(`  meshctl sim run --scenario ${file.includes("/") ? file : `./${file}`}\n`);
}
