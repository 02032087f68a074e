// meshctl fl start: the short form of `fl run`, for the generated digits or this node's CSV file.

import { Option } from "commander";
import {
  aggregators,
  attacks,
  controlLimits,
  type FlStartRequest,
} from "../../../control/index.ts";
import { answer } from "../../answer.ts";
import { integer, nameList, positive } from "../../arguments.ts";
import type { RegisterCommand } from "../../cli.ts";
import { plainText } from "../../table.ts";

export const registerStart: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("start")
    .description("start a task on generated digits, or on this node's CSV file, from options alone")
    .option("--name <name>", "the task's name")
    .addOption(
      new Option("--model <model>", "what to train").choices(["softmax", "mlp"]).default("softmax"),
    )
    .option(
      "--hidden <units>",
      "width of the MLP's hidden layer",
      integer(1, controlLimits.hiddenMax),
    )
    .option("--rounds <count>", "how many rounds", integer(1, controlLimits.roundsMax), 20)
    .addOption(
      new Option("--aggregator <rule>", "how updates become one model")
        .choices(aggregators)
        .default("nearest-neighbour-mixing"),
    )
    .option(
      "--byzantine <count>",
      "how many participants may lie",
      integer(0, controlLimits.namesMax),
    )
    .option("--seed <number>", "makes the run repeatable", integer(0, 0xffff_ffff))
    .option(
      "--dirichlet-alpha <alpha>",
      "skew of the data between nodes; small is skewed",
      positive(1e6),
    )
    .option("--round-timeout-seconds <seconds>", "when a round stops waiting", positive(86_400))
    .addOption(
      new Option("--attack <attack>", "what nodes with learning.adversary do").choices(attacks),
    )
    .addOption(new Option("--data <source>", "what to train on").choices(["glyphs", "csv"]))
    .option(
      "--participants <names>",
      "names separated by commas (default: all alive members)",
      nameList,
    );
  command.action((request: FlStartRequest) =>
    answer(cli, command, {
      call: (client) => client.flStart(onlyRequest(request)),
      draw: ({ taskId }) => `Started task ${plainText(taskId)}. Watch it with: meshctl fl status\n`,
    }),
  );
};

/** Commander's options hold what the command line said, under the request's own names. */
function onlyRequest(options: FlStartRequest): FlStartRequest {
  return { ...options };
}
