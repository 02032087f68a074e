// meshctl dev up: a real mesh on this host, to look at and to develop against.

import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { Option } from "commander";
import { aggregators } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";
import { isJson } from "../answer.ts";
import { integer, positive } from "../arguments.ts";
import type { Cli, RegisterCommand } from "../cli.ts";
import { daemonCommand } from "../daemon-program.ts";
import { LocalMesh } from "./dev/local-mesh.ts";
import { Screen } from "./dev/screen.ts";
import { devOrchestrators } from "./dev/training.ts";
import { demonstrate, type DevOptions, showNodes } from "./dev/up.ts";

interface DevFlags {
  readonly nodes: number;
  readonly byzantine: number;
  readonly attack: DevOptions["attack"];
  readonly aggregator: DevOptions["aggregator"];
  readonly orchestrator: DevOptions["orchestrator"];
  readonly model: DevOptions["model"];
  readonly rounds: number;
  readonly seed: number;
  readonly dirichletAlpha: number;
  readonly dir: string;
  readonly data?: string;
  readonly label?: string;
  readonly exit?: true;
}

/** Adds `dev` with its verb. */
export const devCommand: RegisterCommand = (parent, cli) => {
  const dev = parent.command("dev").description("a mesh of real daemons on this host");
  const command = dev
    .command("up")
    .description("start it, join it, train with some nodes lying, and keep it until Ctrl-C")
    .option("--nodes <count>", "how many daemons", integer(2, 32), 5)
    .option("--byzantine <count>", "how many of them lie", integer(0, 15), 1)
    .addOption(
      new Option("--attack <attack>", "what the liars do")
        .choices(["none", "sign-flip", "label-flip", "gaussian", "scaled"])
        .default("sign-flip"),
    )
    .addOption(
      new Option("--aggregator <rule>", "the defence")
        .choices(aggregators)
        .default("nearest-neighbour-mixing"),
    )
    .addOption(
      new Option("--orchestrator <kind>", "certified rounds, or each node by itself")
        .choices(devOrchestrators)
        .default("batch-async"),
    )
    .addOption(
      new Option("--model <model>", "what to train").choices(["mlp", "softmax"]).default("mlp"),
    )
    .option("--rounds <count>", "rounds of training", integer(1, 1000), 10)
    .option("--seed <number>", "of data and weights", integer(0, 0xffff_ffff), 1)
    .option(
      "--dirichlet-alpha <alpha>",
      "skew of the data between nodes; small is skewed",
      positive(1000),
      1,
    )
    .option("--data <file>", "train on a CSV file instead of the generated glyphs")
    .option("--label <column>", "the CSV file's label column")
    .option("--dir <path>", "where the nodes live; wiped at the start and at the end", ".x0/dev")
    .option("--exit", "stop when the training is done");
  command.action((flags: DevFlags) => up(cli, flags, isJson(command)));
};

async function up(cli: Cli, flags: DevFlags, json: boolean): Promise<void> {
  const options = optionsOf(flags);
  const interactive = !json && process.stdout.isTTY;
  const screen = new Screen({
    write: cli.out,
    live: interactive,
    colour: cli.screen.colours && !json,
  });
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(name, () => interrupt.abort());
  screen.line(
    `x0tta6bl4 dev mesh: ${options.nodes} daemons on this host, ${options.byzantine} of them Byzantine`,
  );
  const mesh = LocalMesh.spawn(options);
  let done = false;
  try {
    const report = await demonstrate(mesh, options, screen, interrupt.signal);
    showNodes(screen, mesh);
    if (json) cli.out(`${JSON.stringify(report)}\n`);
    if (flags.exit !== true) await untilInterrupted(screen, interrupt.signal);
    done = true;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    done = true;
  } finally {
    screen.working("stopping all daemons");
    await mesh.stop();
    // The logs of a failed run are what there is to look at.
    if (done) rmSync(resolve(options.directory), { recursive: true, force: true });
    if (interactive) screen.line(" all daemons stopped, nothing is left behind");
  }
}

function untilInterrupted(screen: Screen, signal: AbortSignal): Promise<void> {
  screen.line();
  screen.line(" The mesh stays up. Ctrl-C stops it and removes everything.");
  return new Promise((resume) => {
    // A timer keeps the process alive: the daemons' channels are not referenced for that.
    const keepAlive = setInterval(() => undefined, 60_000);
    const end = (): void => {
      clearInterval(keepAlive);
      resume();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

function optionsOf(flags: DevFlags): DevOptions {
  const { nodes, byzantine, orchestrator, data, label } = flags;
  if (2 * byzantine >= nodes)
    throw badOption(
      `--byzantine must be below half of --nodes: current value is ${byzantine} of ${nodes}. Lower it or add nodes`,
    );
  if (orchestrator === "batch-async" && 3 * byzantine >= nodes)
    throw badOption(
      `--byzantine must be below a third of --nodes for certified rounds: current value is ${byzantine} of ${nodes}. Lower it, add nodes, or set --orchestrator epidemic`,
    );
  if ((data === undefined) !== (label === undefined))
    throw badOption("--data and --label go together: give both or neither");
  return {
    directory: flags.dir,
    nodes,
    byzantine,
    csv: data === undefined || label === undefined ? undefined : { file: resolve(data), label },
    daemon: daemonCommand(),
    attack: flags.attack,
    aggregator: flags.aggregator,
    orchestrator: flags.orchestrator,
    model: flags.model,
    rounds: flags.rounds,
    seed: flags.seed,
    alpha: flags.dirichletAlpha,
  };
}

function badOption(message: string): MeshError {
  return new MeshError("dev/bad-option", `${message}.`);
}
