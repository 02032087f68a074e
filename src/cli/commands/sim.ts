// meshctl sim run | list | replay | swarm: the simulator. It needs no daemon, and is loaded when it is asked for.

import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { integer, nameList, positive } from "../arguments.ts";
import { isJson, jsonText } from "../answer.ts";
import type { Cli, RegisterCommand } from "../cli.ts";
import { cell, type Column, renderTable } from "../table.ts";

const NODES_MAX = 65_536;
const SEED_MAX = 0xffff_ffff;
const WEEK_MINUTES = 10_080;

const columns: readonly Column[] = [
  { head: "SCENARIO" },
  { head: "NODES", align: "right" },
  { head: "MINUTES", align: "right" },
  { head: "WHAT HAPPENS", widthMax: 110 },
];

/** What every run may be told. */
interface RunFlags {
  readonly scenario: string;
  readonly nodes?: number;
  readonly minutes?: number;
  readonly seed?: number;
  readonly crypto?: "modelled" | "real";
}

/** Adds `sim` with its verbs. */
export const simCommand: RegisterCommand = (parent, cli) => {
  const sim = parent
    .command("sim")
    .description("the simulator: the daemon's own code in virtual time");
  registerRun(sim, cli);
  registerList(sim, cli);
  registerReplay(sim, cli);
  registerSwarm(sim, cli);
};

function runOptions(command: Command): Command {
  return command
    .option(
      "--scenario <scenario>",
      "a name of `sim list`, or a file (its name has a dot or a slash)",
      "steady",
    )
    .option("--nodes <number>", "how many nodes, instead of the scenario's", integer(2, NODES_MAX))
    .option("--minutes <number>", "virtual minutes before everything heals", positive(WEEK_MINUTES))
    .addOption(
      new Option("--crypto <kind>", "signatures of the model, or real ones").choices([
        "modelled",
        "real",
      ]),
    );
}

function registerRun(sim: Command, cli: Cli): void {
  const command = runOptions(
    sim.command("run").description("run a scenario and check every invariant"),
  );
  command
    .option("--seed <number>", "instead of the scenario's", integer(0, SEED_MAX))
    .action(async (flags: RunFlags) => {
      const { simRun } = await import("../sim/run.ts");
      simRun(cli, flags, isJson(command));
    });
}

function registerList(sim: Command, cli: Cli): void {
  const command = sim.command("list").description("list the scenarios");
  command.action(async () => {
    const { loadScenario, scenarioNames } = await import("../sim/scenario-files.ts");
    const scenarios = scenarioNames().map((name) => {
      const { summary, nodes, minutes, crypto } = loadScenario(name);
      return { name, nodes, minutes, crypto, summary };
    });
    if (isJson(command)) cli.out(jsonText({ schemaVersion: 1, scenarios }));
    else {
      const rows = scenarios.map(({ name, nodes, minutes, summary }) =>
        [name, String(nodes), String(minutes), summary].map((text) => cell(text)),
      );
      cli.out(renderTable(columns, rows, cli.screen));
    }
  });
}

function registerReplay(sim: Command, cli: Cli): void {
  const command = runOptions(
    sim
      .command("replay")
      .description("run a failed run again and make it as small as it still fails"),
  );
  command
    .argument(
      "<seed-or-file>",
      "the seed of a run with these options, or a scenario file",
      seedOrFile,
    )
    .option("--runs <number>", "how many runs to spend on making it smaller", integer(0, 1_000), 60)
    .option("--out <file>", "where the smallest scenario goes (default: NAME-SEED.smallest.yml)")
    .action(async (what: string | number, flags: RunFlags & { runs: number; out?: string }) => {
      const { simReplay } = await import("../sim/replay.ts");
      const named = typeof what === "number" ? { seed: what } : { scenario: what };
      simReplay(cli, { ...flags, ...named, out: flags.out });
    });
}

function registerSwarm(sim: Command, cli: Cli): void {
  const command = sim
    .command("swarm")
    .description("run over seeds on all cores until the time is over or a run fails")
    .option("--minutes <number>", "how long, by the clock on the wall", positive(WEEK_MINUTES), 60)
    .option("--seed <number>", "the first seed", integer(0, SEED_MAX), 1)
    .option("--workers <number>", "runs at once", integer(1, 256), availableParallelism())
    .option("--scenarios <names>", "only these, separated by commas", nameList);
  command.action(
    async (flags: { minutes: number; seed: number; workers: number; scenarios?: string[] }) => {
      const { simSwarm } = await import("../sim/swarm.ts");
      await simSwarm(cli, { ...flags, scenarios: flags.scenarios }, isJson(command));
    },
  );
}

function seedOrFile(text: string): string | number {
  if (/[./]/.test(text)) return text;
  if (/^\d{1,10}$/.test(text) && Number(text) <= SEED_MAX) return Number(text);
  throw new InvalidArgumentError(`It must be a seed up to ${SEED_MAX}, or a file such as ./x.yml.`);
}
