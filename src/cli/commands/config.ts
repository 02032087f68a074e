// meshctl config check: has the daemon's own program check a file, so that both always agree.

import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { CONTROL_SCHEMA_VERSION, type ExitStatus, exitStatus } from "../../control/index.ts";
import { isJson, jsonText } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { daemonCommand } from "../daemon-program.ts";

/** Adds `config` with its verb. */
export const configCommand: RegisterCommand = (parent, cli) => {
  parent
    .command("config")
    .description("the daemon's configuration file")
    .command("check")
    .description("check a file and report all its problems at once")
    .argument("<file>", "the file to check")
    .action((file: string, _options: unknown, command: Command) => {
      const daemon = daemonCommand();
      const result = spawnSync(daemon.file, [...daemon.args, "--check-config", file], {
        argv0: daemon.argv0,
        encoding: "utf8",
      });
      if (isJson(command)) {
        const problems = result.stderr.split("\n").filter((line) => line !== "");
        cli.out(
          jsonText({
            schemaVersion: CONTROL_SCHEMA_VERSION,
            file,
            ok: result.status === 0,
            problems,
          }),
        );
      } else {
        cli.out(result.stdout);
        cli.err(result.stderr);
      }
      cli.exit = exitOf(result.status);
    });
};

function exitOf(status: number | null): ExitStatus {
  return Object.values(exitStatus).find((known) => known === status) ?? exitStatus.failure;
}
