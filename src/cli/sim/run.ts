// meshctl sim run: one run of a scenario, with progress while it lasts and a report at its end.

import { hash } from "node:crypto";
import { exitStatus } from "../../control/index.ts";
import {
  describeReport,
  planRun,
  reportJson,
  type RunChanges,
  type RunPlan,
  runPlan,
  type RunProgress,
  type RunReport,
} from "../../sim/index.ts";
import type { Cli } from "../cli.ts";
import { build } from "../version.ts";
import { loadScenario } from "./scenario-files.ts";

/** What a command line says of a run. */
export interface RunWish extends RunChanges {
  /** A shipped scenario or a file. */
  readonly scenario: string;
}

const PROGRESS_INTERVAL_MS = 500;
const BAR_CHARACTERS = 30;

/** Runs, reports, and sets the exit status. */
export function simRun(cli: Cli, wish: RunWish, json: boolean): void {
  const report = execute(planOf(wish), progressOn(cli));
  if (json) cli.out(`${JSON.stringify(reportJson(report))}\n`);
  else cli.out(`${describeReport(report)}\n`);
  if (report.passed) return;
  cli.exit = exitStatus.failure;
  // A program gets what it asked for and nothing else; people see where to go on.
  const say = json ? cli.err : cli.out;
  if (json) say(`${describeReport(report)}\n`);
  say(howToReplay(wish, report.plan));
}

/** The plan of a command line. */
export function planOf(wish: RunWish): RunPlan {
  return planRun(loadScenario(wish.scenario), wish);
}

/** Runs a plan on this host. */
export function execute(plan: RunPlan, onProgress?: (progress: RunProgress) => void): RunReport {
  return runPlan(plan, {
    sha256: (data) => hash("sha256", data, "buffer"),
    host: {
      wallMs: () => performance.now(),
      cpuMicros: () => {
        const { user, system } = process.cpuUsage();
        return user + system;
      },
      memoryBytes: () => process.memoryUsage().heapUsed,
    },
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

/** What a failed run needs to be seen again: seed, commit, scenario, and the command. */
export function howToReplay(
  wish: RunWish,
  { name, seed, nodes, minutes, crypto }: RunPlan,
): string {
  const scenario = `--scenario ${wish.scenario} --nodes ${nodes} --minutes ${minutes} --crypto ${crypto}`;
  return (
    `seed ${seed}, commit ${build.commit}, scenario ${name}\n` +
    `To see it again and make it smaller:\n  meshctl sim replay ${seed} ${scenario}\n`
  );
}

/** A bar on a terminal; undefined elsewhere. */
export function progressOn(cli: Cli): ((progress: RunProgress) => void) | undefined {
  if (!process.stderr.isTTY) return undefined;
  let shownAtMs = 0;
  return ({ phase, virtualMs, totalMs, violations }) => {
    const nowMs = performance.now();
    const isDone = phase === "liveness";
    if (!isDone && nowMs - shownAtMs < PROGRESS_INTERVAL_MS) return;
    shownAtMs = nowMs;
    const share = Math.min(1, virtualMs / totalMs);
    const bar = "█".repeat(Math.round(share * BAR_CHARACTERS)).padEnd(BAR_CHARACTERS, "░");
    const seconds = `${(virtualMs / 1_000).toFixed(0)} of ${(totalMs / 1_000).toFixed(0)} s`;
    const found = violations > 0 ? `, ${violations} violations` : "";
    cli.err(`\r${bar} ${phase} ${seconds}${found}\x1b[K${isDone ? "\r\x1b[K" : ""}`);
  };
}
