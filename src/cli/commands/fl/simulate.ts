// meshctl fl simulate: needs no daemon; the simulator is loaded when it is asked for.

import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { aggregators } from "../../../control/index.ts";
import { isJson } from "../../answer.ts";
import { integer } from "../../arguments.ts";
import type { RegisterCommand } from "../../cli.ts";

const NODES_MAX = 10_000;
const SEED_MAX = 0xffff_ffff;

/** Those that a node can do alone, those for which liars collude, and those on the protocol; a test holds them to the simulator's. */
const attacks = [
  ...["none", "sign-flip", "label-flip", "gaussian", "scaled"],
  ...["ipm", "ipm-optimal", "alie", "alie-optimal", "min-max", "min-sum", "mimic", "zero"],
  ...["stale-replay", "equivocation", "flooding", "slow-loris", "withholding", "silent"],
];

interface SimulateFlags {
  readonly nodes?: number;
  readonly byzantine?: number;
  readonly liars?: number;
  readonly attack?: string;
  readonly orchestrator?: string;
  readonly aggregator?: string;
  readonly rounds?: number;
  readonly seed?: number;
  readonly schedule?: string;
  readonly csv?: string;
  readonly label?: string;
}

export const registerSimulate: RegisterCommand = (fl, cli) => {
  const command = options(
    fl
      .command("simulate")
      .description("run a task in virtual time on this host, without a daemon")
      .argument(
        "[file]",
        "a task.yaml; options stand above it (default: digits, certified rounds)",
      ),
  );
  command.action(async (file: string | undefined, flags: SimulateFlags) => {
    const { flSimulate } = await import("../../fl/simulate.ts");
    flSimulate(cli, { file, ...flags }, isJson(command));
  });
};

function options(command: Command): Command {
  return command
    .option(
      "--nodes <number>",
      "how many nodes (default: the file's, or 20)",
      integer(2, NODES_MAX),
    )
    .option("--byzantine <share>", "how many may lie: a share below 1, or a number", shareOrCount)
    .option("--liars <number>", "how many do lie (default: as many as may)", integer(0, NODES_MAX))
    .addOption(
      new Option("--attack <attack>", "what the liars do (default: what the task says)").choices(
        attacks,
      ),
    )
    .addOption(
      new Option("--orchestrator <kind>", "how rounds are made (default: batch-async)").choices([
        "epidemic",
        "batch-async",
        "streaming",
        "hierarchical",
      ]),
    )
    .addOption(
      new Option("--aggregator <rule>", "how updates become one model").choices(aggregators),
    )
    .option("--rounds <count>", "how many rounds", integer(1, 10_000))
    .option("--seed <number>", "makes another run of it", integer(0, SEED_MAX))
    .addOption(
      new Option("--schedule <kind>", "who answers when").choices([
        ...["prompt", "slow", "silent", "byzantine-first", "flooding", "slow-loris"],
        ...["equivocation", "crash", "partition", "late-joiner"],
      ]),
    )
    .option("--csv <file>", "samples, for a task whose data is csv")
    .option("--label <column>", "the column of the CSV file to learn");
}

function shareOrCount(text: string): number {
  const value = /^\d{1,5}$|^0?\.\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= NODES_MAX) return value;
  throw new InvalidArgumentError("It must be a share such as 0.3, or a number of nodes.");
}
