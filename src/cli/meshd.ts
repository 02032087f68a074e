// meshd: the daemon. Reads its configuration, runs until SIGTERM, and re-reads the configuration at SIGHUP.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { configLimits, parseConfig } from "../config/index.ts";
import { answerOffline, MAINTENANCE_OPTION } from "../control/index.ts";
import { errorCode, errorMessage, MeshError } from "../foundation/index.ts";
import { createNode, type LoadedConfig, maintain, type MeshNode } from "../node/index.ts";
import { daemonExitStatus } from "./daemon-exit.ts";
import { daemonOptions, defaultConfigPath } from "./daemon-options.ts";
import { readTextFile } from "./text-file.ts";
import { build, versionText } from "./version.ts";

const USAGE = `Usage: meshd [--config FILE]          run the daemon (default ${defaultConfigPath})
       meshd --check-config FILE      report every problem of a configuration, and exit
       meshd --version

SIGTERM leaves the mesh and stops; SIGHUP re-reads the configuration.
Exit status: 0 ok, 1 failure, 2 usage, 78 what only a person can mend: configuration, keys, state.
`;

function readConfig(file: string): LoadedConfig {
  const source = { file, text: readText(file) };
  return { config: parseConfig(source.text, file), source };
}

function readText(file: string): string {
  try {
    const text = readTextFile(file, configLimits.fileBytesMax);
    if (text !== undefined) return text;
    throw new MeshError(
      "config/too-large",
      `Cannot use '${file}': it has more than ${configLimits.fileBytesMax} bytes. Name a configuration, or remove what is none.`,
      { file },
    );
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError(
      "config/unreadable",
      `Cannot read the configuration '${file}': ${errorMessage(cause)}. Name another file with --config.`,
      { file },
      { cause },
    );
  }
}

/** Ends the process with the message of an error and its exit status. */
function fail(error: unknown): never {
  const code = errorCode(error);
  process.stderr.write(`meshd: ${errorMessage(error)} [${code}]\n`);
  if (code === "internal/unexpected" && error instanceof Error)
    process.stderr.write(`${error.stack ?? ""}\n`);
  process.exit(daemonExitStatus(code));
}

async function run(configFile: string): Promise<void> {
  let node: MeshNode | undefined = undefined;
  const stop = (): void => {
    if (node === undefined) process.exit(0);
    node.stop().then(() => process.exit(0), fail);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  // A daemon started over an IPC channel belongs to its parent and ends with it.
  process.once("disconnect", stop);
  process.on("SIGHUP", () => {
    try {
      node?.reload(() => readConfig(configFile));
    } catch (error) {
      process.stderr.write(
        `meshd: the configuration stays as it was: ${errorMessage(error)} [${errorCode(error)}]\n`,
      );
    }
  });
  // A fault of ours: the state on disk is whole at any moment, so a restart is safer than going on.
  process.on("uncaughtException", fail);
  node = await createNode(readConfig(configFile), build, process.env);
  try {
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** One request of meshctl from standard input; see control/maintenance.ts. */
async function maintenance(): Promise<void> {
  const request = readFileSync(0, "utf8");
  process.stdout.write(await answerOffline(request, (asked) => maintain(asked, readText)));
}

function parse(): { config: string; check: string | undefined } | "help" | "version" {
  try {
    const { values } = parseArgs({ options: daemonOptions });
    if (values.help === true) return "help";
    if (values.version === true) return "version";
    return { config: values.config, check: values["check-config"] };
  } catch (error) {
    process.stderr.write(`meshd: ${errorMessage(error)}\n${USAGE}`);
    process.exit(2);
  }
}

const wish = process.argv[2] === MAINTENANCE_OPTION ? "maintenance" : parse();
if (wish === "maintenance") {
  await maintenance();
} else if (wish === "help") {
  process.stdout.write(USAGE);
} else if (wish === "version") {
  process.stdout.write(`${versionText}\n`);
} else {
  try {
    if (wish.check === undefined) {
      await run(wish.config);
    } else {
      readConfig(wish.check);
      process.stdout.write(`${wish.check}: ok\n`);
    }
  } catch (error) {
    fail(error);
  }
}
