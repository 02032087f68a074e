// meshctl fl status: the task at one glance.

import type { LearningStatus } from "../../../control/index.ts";
import { answer } from "../../answer.ts";
import type { RegisterCommand, Screen } from "../../cli.ts";
import { drawLearning } from "../../status-screen.ts";
import { paint, plainText } from "../../table.ts";
import { drawRounds } from "./rounds.ts";

const roundsShown = 10;

export const registerStatus: RegisterCommand = (fl, cli) => {
  const command = fl.command("status").description("show the task with its last rounds");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.flStatus(),
      draw: ({ learning }, screen) =>
        learning === null ? "No training task yet: meshctl fl run\n" : drawTask(learning, screen),
    }),
  );
};

function drawTask(task: LearningStatus, screen: Screen): string {
  const members = task.participants.map(({ name }) => plainText(name)).join(", ");
  const rounds = task.history.slice(-roundsShown);
  const history =
    rounds.length === 0
      ? ""
      : `\n${paint("Last rounds", "bold", screen.colours)}\n${drawRounds(rounds, screen)}`;
  return `${drawLearning(task, screen)}  task ${plainText(task.taskId)} of ${members}\n${history}`;
}
