// meshctl config check | show: has the daemon's own program check a file, so that both always agree, and shows what
// the daemon runs with.

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import type { Command } from "commander";
import {
  CONTROL_SCHEMA_VERSION,
  effectiveConfigSchema,
  type ExitStatus,
  exitStatus,
} from "../../control/index.ts";
import { clientOf, isJson, jsonText } from "../answer.ts";
import type { Cli, RegisterCommand } from "../cli.ts";
import { configYaml } from "../config-yaml.ts";
import { daemonCommand } from "../daemon-program.ts";
import { offline } from "../offline.ts";

/** Adds `config` with its verbs. */
export const configCommand: RegisterCommand = (parent, cli) => {
  const config = parent.command("config").description("the daemon's configuration");
  registerCheck(config, cli);
  registerShow(config, cli);
};

function registerCheck(config: Command, cli: Cli): void {
  config
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
}

function registerShow(config: Command, cli: Cli): void {
  const command = config
    .command("show")
    .description("show what the daemon runs with, or would run with by a file")
    .argument("[file]", "a file, instead of the running daemon")
    .option("--effective", "with all defaults, not only what the file sets");
  command.action(async (file: string | undefined, { effective }: { effective?: true }) => {
    const shown =
      file === undefined
        ? await clientOf(cli, command).config()
        : await offline({ verb: "config", config: resolve(file) }, effectiveConfigSchema);
    const keys = shown.keys.filter(({ origin }) => effective === true || origin === "file");
    cli.out(isJson(command) ? jsonText({ ...shown, keys }) : configYaml({ ...shown, keys }));
  });
}

function exitOf(status: number | null): ExitStatus {
  return Object.values(exitStatus).find((known) => known === status) ?? exitStatus.failure;
}
