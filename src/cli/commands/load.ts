// meshctl load: one daemon under many virtual peers. The work is done by a program of its own; see src/load.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { InvalidArgumentError } from "commander";
import { MeshError } from "../../foundation/index.ts";
import { isJson, jsonText } from "../answer.ts";
import { integer } from "../arguments.ts";
import type { Cli, RegisterCommand } from "../cli.ts";
import { daemonCommand, daemonRuntime, loadProgram } from "../daemon-program.ts";
import { drawSteps, type LoadLine, type LoadOptions, type LoadStep } from "../load-report.ts";

/** What one daemon takes: four times the largest `mesh.connections_target`, less some. */
const PEERS_MAX = 4_000;

interface LoadFlags {
  readonly peers: readonly number[];
  readonly seconds: number;
  readonly findLimit?: true;
}

/** Adds `load`. */
export const loadCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("load")
    .description("measure a daemon of its own under virtual peers over real sockets")
    .option(
      "--peers <counts>",
      "sizes of the crowd, ascending, by commas",
      sizes,
      [100, 500, 1_000, 2_000],
    )
    .option("--seconds <count>", "how long each size is measured", integer(1, 3_600), 30)
    .option("--find-limit", "go on with larger crowds until the daemon breaks");
  command.action((flags: LoadFlags) => load(cli, flags, isJson(command)));
};

async function load(cli: Cli, flags: LoadFlags, json: boolean): Promise<void> {
  const self = loadProgram();
  const { peers, seconds, findLimit = false } = flags;
  const options: LoadOptions = { daemon: daemonCommand(), self, peers, seconds, findLimit };
  const steps: LoadStep[] = [];
  let failure: MeshError | undefined;
  const status = await run(self, JSON.stringify(options), (line) => {
    if ("step" in line) steps.push(line.step);
    else if ("error" in line) failure = new MeshError(line.error.code, line.error.message);
    else if (!json) process.stderr.write(`${line.progress}\n`);
  });
  if (failure !== undefined) throw failure;
  if (status !== 0)
    throw new MeshError("cli/program-failed", "The load program was ended. Start it again.");
  cli.out(json ? jsonText({ schemaVersion: 1, steps }) : drawSteps(steps, cli.screen));
}

/** Runs the program to its end, which comes also with ours; its exit status, or null for a signal. */
function run(
  { file, argv0, args }: ReturnType<typeof loadProgram>,
  request: string,
  onLine: (line: LoadLine) => void,
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const program = spawn(file, [...args, request], {
      argv0,
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      // The daemon inherits it.
      env: { ...process.env, ...daemonRuntime.environment },
    });
    // A Ctrl-C at the terminal reaches the program too; it cleans up, and ends.
    const wait = (): void => undefined;
    process.on("SIGINT", wait);
    if (program.stdout !== null)
      createInterface({ input: program.stdout }).on("line", (line) => {
        onLine(JSON.parse(line) as LoadLine);
      });
    program.on("error", reject);
    program.on("close", (status) => {
      process.off("SIGINT", wait);
      resolve(status);
    });
  });
}

function sizes(text: string): number[] {
  const counts = text.split(",").map(integer(1, PEERS_MAX));
  if (counts.every((count, index) => count > (counts[index - 1] ?? 0))) return counts;
  throw new InvalidArgumentError("They must ascend, such as 100,500,1000.");
}
