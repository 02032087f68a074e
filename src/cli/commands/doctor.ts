// meshctl doctor: what is wrong with this node and what to do about it; without a daemon, what the host tells.

import type { Command } from "commander";
import {
  type CheckStatus,
  type Doctor,
  doctorSchema,
  type DoctorCheck,
  type ExitStatus,
  exitStatus,
} from "../../control/index.ts";
import { errorMessage, isMeshError, type MeshError } from "../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../answer.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { defaultConfigFile, offline } from "../offline.ts";
import { paint, plainText, type Tone } from "../table.ts";

/** Adds `doctor`. */
export const doctorCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("doctor")
    .description("check this node and its host: each finding with a code and a fix")
    .option(
      "--config <file>",
      "the configuration to look at when no daemon answers",
      defaultConfigFile,
    );
  command.action(async ({ config }: { readonly config: string }) => {
    const found = await examine(cli, command, config);
    cli.out(isJson(command) ? jsonText(found) : drawDoctor(found, cli.screen));
    cli.exit = doctorExit(found.checks);
  });
};

/** Asks the daemon; when it does not answer, the daemon's program. */
export async function examine(cli: Cli, command: Command, config: string): Promise<Doctor> {
  try {
    return await clientOf(cli, command).doctor();
  } catch (error) {
    if (!isMeshError(error, "control/unreachable") && !isMeshError(error, "control/timeout"))
      throw error;
    return withoutDaemon(error, config);
  }
}

async function withoutDaemon(error: MeshError, config: string): Promise<Doctor> {
  const silent: DoctorCheck = {
    code: "doctor/daemon",
    status: "fail",
    finding: errorMessage(error),
    fix: "systemctl status meshd and journalctl -u meshd -e say why it does not run.",
  };
  try {
    const host = await offline({ verb: "doctor", config }, doctorSchema);
    return { ...host, checks: [silent, ...host.checks] };
  } catch (cause) {
    if (!isMeshError(cause)) throw cause;
    const unread: DoctorCheck = {
      code: "doctor/config",
      status: "fail",
      finding: cause.message,
      fix: "Name the daemon's configuration with --config.",
    };
    return { schemaVersion: 1, scope: "host", checks: [silent, unread] };
  }
}

/** One failing check fails, one warning degrades. */
export function doctorExit(checks: readonly DoctorCheck[]): ExitStatus {
  if (checks.some(({ status }) => status === "fail")) return exitStatus.failure;
  return checks.some(({ status }) => status === "warn") ? exitStatus.degraded : exitStatus.ok;
}

const marks: Readonly<Record<CheckStatus, readonly [string, Tone]>> = {
  ok: ["ok", "good"],
  warn: ["warn", "warn"],
  fail: ["FAIL", "bad"],
  unknown: ["?", "dim"],
};

const FINDING_CHARS_MAX = 2_000;

function drawDoctor({ scope, checks }: Doctor, { colours }: Screen): string {
  const width = Math.max(...checks.map(({ code }) => code.length));
  const lines = checks.flatMap(({ code, status, finding, fix }) => {
    const [mark, tone] = marks[status];
    const indent = " ".repeat(width + 10);
    const text = finding.split("\n").map((line) => plainText(line.trim(), FINDING_CHARS_MAX));
    return [
      `  ${paint(mark.padEnd(4), tone, colours)}  ${plainText(code).padEnd(width)}  ${text.join(`\n${indent}`)}`,
      ...(fix === null
        ? []
        : [`${indent}${paint("fix:", "bold", colours)} ${plainText(fix, FINDING_CHARS_MAX)}`]),
    ];
  });
  const count = (status: CheckStatus): number =>
    checks.filter((check) => check.status === status).length;
  const summary = `${checks.length} checks: ${count("fail")} failed, ${count("warn")} warnings, ${count("unknown")} unknown.`;
  const where =
    scope === "daemon" ? "" : " No daemon answered: these are the checks of the host alone.";
  return `${lines.join("\n")}\n\n${summary}${where}\n`;
}
