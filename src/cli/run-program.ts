// Runs a command line to its exit status: usage errors, errors of the daemon and our own all end here.

import { Command, CommanderError } from "commander";
import { errorAnswer, exitStatus, type ExitStatus, statusOfError } from "../control/index.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import { jsonText } from "./answer.ts";
import type { Cli, RegisterCommand } from "./cli.ts";
import { paint, plainText } from "./table.ts";

/** What a command line program is made of. */
export interface Program {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly commands: readonly RegisterCommand[];
}

/** Runs `args` (without interpreter and script) and gives the exit status; throws nothing. */
export async function runProgram(
  program: Program,
  args: readonly string[],
  cli: Cli,
): Promise<ExitStatus> {
  try {
    await buildCommand(program, cli).parseAsync([...args], { from: "user" });
    return cli.exit;
  } catch (error) {
    return failed(error, args, cli);
  }
}

/** The program's command line, with all verbs and the options that every verb has. */
export function buildCommand(program: Program, cli: Cli): Command {
  const command = new Command(program.name)
    .description(program.description)
    .version(program.version)
    .option("--json", "print the daemon's answer as JSON, for programs")
    .option(
      "--socket <path>",
      "the daemon's control socket (default: MESHD_SOCKET or /run/meshd/control.sock)",
    )
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: cli.out, writeErr: cli.err })
    .showHelpAfterError("Run it with --help to see what it takes.")
    .addHelpText("after", exitStatusHelp)
    .exitOverride();
  for (const register of program.commands) register(command, cli);
  return command;
}

const exitStatusHelp = `
Exit status: 0 ok, 1 failure, 2 usage, 3 daemon unreachable, 4 degraded.`;

function failed(error: unknown, args: readonly string[], cli: Cli): ExitStatus {
  if (error instanceof CommanderError) {
    // Commander has printed the help or what is wrong.
    return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage;
  }
  const code = errorCode(error);
  const message = plainLines(errorMessage(error));
  cli.err(`${paint("error:", "bad", cli.screen.colours)} ${message} [${code}]\n`);
  if (args.includes("--json")) cli.out(jsonText(errorAnswer(error)));
  return statusOfError(code).exit;
}

/** Keeps line breaks, and makes all else harmless: the text may come from a daemon of another version. */
function plainLines(text: string): string {
  return text
    .split("\n")
    .slice(0, 100)
    .map((line) => plainText(line, 2_000))
    .join("\n");
}
