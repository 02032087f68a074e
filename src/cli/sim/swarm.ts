// meshctl sim swarm: runs over seeds, each in a process of its own, on all cores, until the time is over or one fails.

import { type ChildProcess, spawn } from "node:child_process";
import { isSea } from "node:sea";
import { exitStatus } from "../../control/index.ts";
import type { Cli } from "../cli.ts";
import { planOf, howToReplay, type RunWish } from "./run.ts";
import { scenarioNames } from "./scenario-files.ts";

export interface SwarmWish {
  readonly minutes: number;
  /** The first seed. */
  readonly seed: number;
  readonly workers: number;
  /** Which to run; undefined: `chaos` every other time, and all others in turn. */
  readonly scenarios: readonly string[] | undefined;
}

/** What one run said on its last line. */
interface Outcome {
  readonly wish: RunWish;
  readonly passed: boolean;
  readonly text: string;
}

const TEXT_BYTES_MAX = 1_000_000;

/** Runs until the time is over or a run fails. */
export async function simSwarm(cli: Cli, wish: SwarmWish, json: boolean): Promise<void> {
  const children = new Set<ChildProcess>();
  const failures: Outcome[] = [];
  const over = new AbortController();
  over.signal.addEventListener("abort", () => {
    for (const child of children) child.kill();
  });
  let seed = wish.seed;
  let runs = 0;
  const worker = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const next = { scenario: scenarioOf(wish, seed), seed };
      seed++;
      const outcome = await runOnce(next, children);
      if (outcome === undefined) return;
      runs++;
      if (outcome.passed) {
        if (!json)
          cli.err(`${runs} runs passed, the last one ${next.scenario} seed ${next.seed}\n`);
        continue;
      }
      failures.push(outcome);
      over.abort();
    }
  };
  const timer = setTimeout(() => over.abort(), wish.minutes * 60_000);
  await Promise.all(Array.from({ length: wish.workers }, worker));
  clearTimeout(timer);
  report(cli, json, { runs, seed, wish, failed: failures[0] });
}

function report(
  cli: Cli,
  json: boolean,
  result: { runs: number; seed: number; wish: SwarmWish; failed: Outcome | undefined },
): void {
  const { runs, seed, wish, failed } = result;
  const seeds = { firstSeed: wish.seed, lastSeed: seed - 1 };
  const replay = failed === undefined ? null : howToReplay(failed.wish, planOf(failed.wish));
  if (failed !== undefined) cli.exit = exitStatus.failure;
  if (json) {
    cli.out(
      `${JSON.stringify({ schemaVersion: 1, runs, ...seeds, passed: failed === undefined, replay })}\n`,
    );
    return;
  }
  if (failed !== undefined) cli.out(`${failed.text}\n${replay ?? ""}`);
  else cli.out(`${runs} runs passed, seeds ${seeds.firstSeed} to ${seeds.lastSeed}.\n`);
}

function scenarioOf({ scenarios, seed: first }: SwarmWish, seed: number): string {
  const names = scenarios ?? scenarioNames().filter((name) => name !== "chaos");
  const turn = seed - first;
  if (scenarios === undefined && turn % 2 === 0) return "chaos";
  const index = scenarios === undefined ? (turn - 1) / 2 : turn;
  return names[index % names.length] ?? "chaos";
}

/** One run in a process of its own; undefined when it was stopped. */
function runOnce(wish: RunWish, children: Set<ChildProcess>): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const { file, argv0, args } = ownCommand();
    const { scenario, seed } = wish;
    const verb = ["sim", "run", "--scenario", scenario, "--seed", String(seed), "--json"];
    const child = spawn(file, [...args, ...verb], { argv0, stdio: ["ignore", "ignore", "pipe"] });
    children.add(child);
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      if (text.length < TEXT_BYTES_MAX) text += part;
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      children.delete(child);
      resolve(signal === "SIGTERM" ? undefined : { wish, passed: status === 0, text });
    });
  });
}

/** This very program. */
function ownCommand(): { file: string; argv0: string; args: readonly string[] } {
  const file = process.execPath;
  if (isSea()) return { file, argv0: "meshctl", args: [] };
  return { file, argv0: file, args: [...process.execArgv, process.argv[1] ?? ""] };
}
