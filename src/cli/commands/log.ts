// meshctl log level: how much the daemon logs, shown or changed until its next start or reload.

import { Argument } from "commander";
import { logLevels, type LogState } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";

/** Adds `log` with its verb. */
export const logCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("log")
    .description("what the daemon logs")
    .command("level")
    .description("show the log level, or change it until the daemon's next start or reload")
    .addArgument(new Argument("[level]", "the least that is logged").choices(logLevels));
  command.action((level?: LogState["level"]) =>
    answer(cli, command, {
      call: (client) => (level === undefined ? client.log() : client.setLogLevel({ level })),
      draw: drawLog,
    }),
  );
};

function drawLog({ level, configured }: LogState): string {
  return level === configured
    ? `${level}\n`
    : `${level}, until the next start or reload: the configuration says ${configured}\n`;
}
