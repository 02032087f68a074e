// YAML text -> a checked scenario, or one error that names every problem at once, as with meshd.yml.

import type { z } from "zod";
import { MeshError } from "../../foundation/index.ts";
import {
  readYaml,
  type YamlFile,
  yamlPathText,
  yamlValueText,
} from "../../foundation/yaml-file.ts";
import type { SimErrorCode } from "../errors.ts";
import { type ScenarioFile, scenarioSchema } from "./schema.ts";

/** Limits of a scenario file. */
export const scenarioLimits = {
  fileBytesMax: 256 * 1024,
  aliasesMax: 32,
  problemsMax: 50,
} as const;

/**
 * Reads a scenario file. `filename` is for messages only.
 * @throws MeshError `sim/bad-scenario` with every problem, at most `scenarioLimits.problemsMax`
 */
export function parseScenario(text: string, filename: string): ScenarioFile {
  const { fileBytesMax: bytesMax, aliasesMax, problemsMax } = scenarioLimits;
  const yaml = readYaml(text, { bytesMax, aliasesMax });
  if ("faults" in yaml) {
    const told = yaml.faults.slice(0, problemsMax).map(({ message, line }) => {
      if (yaml.kind === "too-long")
        return `the file must have at most ${bytesMax} bytes: it has ${message}`;
      return yaml.kind === "malformed"
        ? `line ${line}: ${message}`
        : `the file must be plain YAML: ${message}`;
    });
    throw invalid(filename, told);
  }
  const checked = scenarioSchema.safeParse(yaml.value);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.flatMap((issue) => problemsOf(issue, yaml));
  throw invalid(filename, problems.slice(0, problemsMax));
}

function problemsOf(issue: z.core.$ZodIssue, { value, lineOf }: YamlFile): string[] {
  const paths =
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => [...issue.path, key])
      : [issue.path];
  return paths.map((path) => {
    const where = path.length === 0 ? "the file" : yamlPathText(path);
    const line = lineOf(path);
    const at = line === null ? "" : ` (line ${line})`;
    return `${where}${at} must be ${issue.message}: current value is ${yamlValueText(value, path)}`;
  });
}

function invalid(filename: string, problems: readonly string[]): MeshError<SimErrorCode> {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new MeshError(
    "sim/bad-scenario",
    `Cannot use the scenario ${filename}: ${count}.\n${problems.map((line) => `  ${line}.\n`).join("")}` +
      "Correct the file; docs/simulator.md has every key.",
    { file: filename, problems: [...problems] },
  );
}
