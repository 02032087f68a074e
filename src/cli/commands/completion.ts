// meshctl completion: the script that lets a shell complete meshctl's commands and options.

import { Argument, type Command } from "commander";
import type { RegisterCommand } from "../cli.ts";
import { describeCommand } from "../command-tree.ts";
import { completionScripts, isShell, shells } from "../completion/scripts.ts";

/** Adds `completion`. */
export const completionCommand: RegisterCommand = (parent, cli) => {
  parent
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .addHelpText(
      "after",
      "\nThe package installs all three. Elsewhere, for this shell: source <(meshctl completion bash)",
    )
    .action((shell: string, _options: unknown, command: Command) => {
      if (isShell(shell)) cli.out(completionScripts[shell](describeCommand(rootOf(command))));
    });
};

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
