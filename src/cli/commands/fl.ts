// meshctl fl status | start | stop: training tasks of the mesh.

import { type Command, Option } from "commander";
import {
  aggregators,
  controlLimits,
  type FlStartRequest,
  type LearningStatus,
} from "../../control/index.ts";
import { answer } from "../answer.ts";
import { integer, nameList, positive } from "../arguments.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { percentText } from "../format.ts";
import { drawLearning } from "../status-screen.ts";
import { cell, paint, plainText, renderTable } from "../table.ts";

/** Adds `fl` with its verbs. */
export const flCommand: RegisterCommand = (parent, cli) => {
  const fl = parent.command("fl").description("training together: start, stop and watch a task");
  registerStatus(fl, cli);
  registerStart(fl, cli);
  registerStop(fl, cli);
};

function registerStatus(fl: Command, cli: Cli): void {
  const command = fl.command("status").description("show the task with its last rounds");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.flStatus(),
      draw: ({ learning }, screen) =>
        learning === null ? "No training task yet: meshctl fl start\n" : drawTask(learning, screen),
    }),
  );
}

const historyRows = 10;

function drawTask(task: LearningStatus, screen: Screen): string {
  const members = task.participants.map(({ name }) => plainText(name)).join(", ");
  const rows = task.history
    .slice(-historyRows)
    .map((round) => [
      cell(String(round.round)),
      cell(round.loss === null ? "–" : round.loss.toFixed(4)),
      cell(percentText(round.accuracy)),
      cell(String(round.contributors)),
      cell(round.held ? "held" : "new model", round.held ? "warn" : "plain"),
      cell(round.rejected.join(", ") || "–", round.rejected.length > 0 ? "warn" : "dim"),
    ]);
  const columns = [
    { head: "ROUND", align: "right" },
    { head: "LOSS", align: "right" },
    { head: "ACCURACY", align: "right" },
    { head: "CONTRIBUTORS", align: "right" },
    { head: "OUTCOME" },
    { head: "REJECTED" },
  ] as const;
  const history =
    rows.length === 0
      ? ""
      : `\n${paint("Last rounds", "bold", screen.colours)}\n${renderTable(columns, rows, screen)}`;
  return `${drawLearning(task, screen)}  task ${plainText(task.taskId)} of ${members}\n${history}`;
}

function registerStart(fl: Command, cli: Cli): void {
  const command = fl
    .command("start")
    .description("start a training task with this node as its coordinator")
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
      new Option("--attack <attack>", "what nodes with learning.adversary do").choices([
        "none",
        "sign-flip",
        "label-flip",
        "gaussian",
        "scaled",
      ]),
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
}

/** Commander's options hold what the command line said, under the request's own names. */
function onlyRequest(options: FlStartRequest): FlStartRequest {
  return { ...options };
}

function registerStop(fl: Command, cli: Cli): void {
  const command = fl.command("stop").description("stop the running task; the model so far is kept");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.flStop(),
      draw: ({ taskId }) =>
        taskId === null ? "No task was running.\n" : `Stopped task ${plainText(taskId)}.\n`,
    }),
  );
}
