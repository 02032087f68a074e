// Where the shipped scenarios are: in the sources, beside the bundle, or in the single executable, which has no
// files; and how a scenario is named on a command line: one of those, or a file.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { getAsset, getAssetKeys, isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import { readTextFile } from "../text-file.ts";
import { parseScenario, type ScenarioFile, scenarioLimits } from "../../sim/index.ts";

/** Codes of a scenario that cannot be had. */
export type ScenarioFileErrorCode = "sim/unknown-scenario" | "sim/unreadable-scenario";

const ASSET_PREFIX = "scenarios/";
const SUFFIX = ".yml";

/** Names of the shipped scenarios, sorted. */
export function scenarioNames(): string[] {
  const files = isSea()
    ? getAssetKeys().filter((key) => key.startsWith(ASSET_PREFIX))
    : readdirSync(folder());
  return files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(file.lastIndexOf("/") + 1, -SUFFIX.length))
    .sort();
}

/**
 * A shipped scenario by its name, or one in a file, whose name has a dot or a slash in it.
 * @throws MeshError `sim/unknown-scenario`, `sim/unreadable-scenario`, `sim/bad-scenario`
 */
export function loadScenario(nameOrFile: string): ScenarioFile {
  if (/[./]/.test(nameOrFile)) return parseScenario(readText(nameOrFile), nameOrFile);
  const names = scenarioNames();
  if (!names.includes(nameOrFile)) {
    throw new MeshError<ScenarioFileErrorCode>(
      "sim/unknown-scenario",
      `There is no scenario '${nameOrFile}'. Name a file, or one of: ${names.join(", ")}.`,
    );
  }
  const file = `${nameOrFile}${SUFFIX}`;
  const text = isSea()
    ? getAsset(`${ASSET_PREFIX}${file}`, "utf8")
    : readFileSync(`${folder()}/${file}`, "utf8");
  return parseScenario(text, file);
}

function readText(file: string): string {
  try {
    const { fileBytesMax } = scenarioLimits;
    const text = readTextFile(file, fileBytesMax);
    if (text !== undefined) return text;
    throw new RangeError(`it has more than ${fileBytesMax} bytes`);
  } catch (cause) {
    throw new MeshError<ScenarioFileErrorCode>(
      "sim/unreadable-scenario",
      `Cannot read the scenario '${file}': ${errorMessage(cause)}. Name another file, or a scenario of \`meshctl sim list\`.`,
      { file },
      { cause },
    );
  }
}

function folder(): string {
  const candidates = ["./scenarios", "../../sim/library"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new MeshError<ScenarioFileErrorCode>(
    "sim/unreadable-scenario",
    `Cannot find the scenarios beside meshctl (${candidates[0] ?? ""}). Build meshd again, or name a file.`,
  );
}
