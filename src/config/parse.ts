// YAML text -> checked, frozen configuration; or one error that names every problem at once.
// The text is bounded before it is parsed and aliases are bounded before they are expanded.

import { MeshError } from "../foundation/index.ts";
import {
  readYaml,
  type YamlFaults,
  type YamlFile,
  type YamlPath,
  yamlPathText,
  yamlValueText,
} from "../foundation/yaml-file.ts";
import type { z } from "zod";
import { type Config, configOf } from "./config.ts";
import { configKeys, configLimits } from "./keys.ts";
import { nearestKey } from "./nearest-key.ts";
import { fileSchema } from "./schema.ts";

/** Codes of this room. */
export type ConfigErrorCode = "config/invalid";

/** One thing that is wrong with a file. */
export interface ConfigProblem {
  /** The key's path, such as `mesh.listen[0]`; empty for the file as a whole. */
  readonly path: string;
  /** 1-based line, or `null` where the file has none (a missing key). */
  readonly line: number | null;
  /** The value as JSON, shortened. */
  readonly value: string;
  readonly rule: string;
  readonly hint: string;
}

/** Thrown by {@link parseConfig}: `problems` has at least one entry, in the order of the file's schema. */
export class ConfigError extends MeshError<ConfigErrorCode> {
  readonly problems: readonly ConfigProblem[];

  constructor(filename: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(problemText);
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(
      "config/invalid",
      `Cannot use the configuration ${filename}: ${count}.\n${lines.map((line) => `  ${line}\n`).join("")}` +
        "Correct the file and check it with `meshd --check-config FILE`.",
      { file: filename, problems: lines },
    );
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** One line about one problem, for a terminal or a log. */
export function problemText({ path, line, value, rule, hint }: ConfigProblem): string {
  const at = line === null ? "" : ` (line ${line})`;
  if (path === "") return `the file${at} must be ${rule}, but: ${value}. Hint: ${hint}.`;
  return `${path}${at} must be ${rule}: current value is ${value}. Hint: ${hint}.`;
}

/**
 * Reads the text of a configuration file. An empty text gives the defaults.
 * `filename` is for messages only.
 * @throws ConfigError `config/invalid` with every problem (at most `configLimits.problemsMax`)
 */
export function parseConfig(yamlText: string, filename: string): Config {
  const yaml = usableYaml(yamlText, filename);
  const raw = yaml.value ?? {};
  const checked = fileSchema.safeParse(raw);
  if (checked.success) return configOf(checked.data);
  const problems = checked.error.issues.flatMap((issue) => problemsOf(issue, raw, yaml));
  throw new ConfigError(filename, problems.slice(0, configLimits.problemsMax));
}

/** What a file says, unchecked. @throws ConfigError `config/invalid` for what is not YAML */
export function rawConfig(yamlText: string, filename: string): unknown {
  return usableYaml(yamlText, filename).value ?? {};
}

/** The 1-based lines of the policy's rules; `null` for rules that stand in no file: the defaults. */
export function policyLines(yamlText: string, filename: string, rules: number): (number | null)[] {
  const { lineOf } = usableYaml(yamlText, filename);
  return Array.from({ length: rules }, (_, index) => lineOf(["policy", index]));
}

/** What each kind of fault breaks, and what to do. */
const yamlRules = {
  "too-long": [`at most ${configLimits.fileBytesMax} bytes`, "remove what is not configuration"],
  malformed: ["valid YAML 1.2", "check indentation, quotes and repeated keys"],
  "too-deep": ["plain YAML without deep nesting or many aliases", "write values out"],
} as const satisfies Record<YamlFaults["kind"], readonly [rule: string, hint: string]>;

function usableYaml(text: string, filename: string): YamlFile {
  const { fileBytesMax: bytesMax, aliasesMax, yamlFaultsMax } = configLimits;
  const yaml = readYaml(text, { bytesMax, aliasesMax });
  if (!("faults" in yaml)) return yaml;
  const [rule, hint] = yamlRules[yaml.kind];
  throw new ConfigError(
    filename,
    yaml.faults
      .slice(0, yamlFaultsMax)
      .map(({ message, line }) => ({ path: "", line, value: message, rule, hint })),
  );
}

function problemsOf(issue: z.core.$ZodIssue, raw: unknown, { lineOf }: YamlFile): ConfigProblem[] {
  const at = (path: YamlPath, rule: string, hint: string): ConfigProblem => ({
    path: yamlPathText(path),
    line: lineOf(path),
    value: yamlValueText(raw, path),
    rule,
    hint,
  });
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) =>
      at([...issue.path, key], "a key of meshd", unknownKeyHint(issue.path, key)),
    );
  }
  const key = configKeys[patternOf(issue.path)];
  if (key !== undefined) return [at(issue.path, key.rule, key.hint)];
  const inside = keysUnder(issue.path);
  return [at(issue.path, "a mapping", `its keys are ${inside.join(", ")}`)];
}

function unknownKeyHint(parent: YamlPath, key: string): string {
  const known = keysUnder(parent);
  const nearest = nearestKey(key, known);
  return nearest === undefined
    ? `the keys here are ${known.join(", ")}`
    : `did you mean ${nearest}?`.slice(0, -1);
}

/** The names that may stand directly under a path. */
function keysUnder(parent: YamlPath): string[] {
  const prefix = parent.length === 0 ? "" : `${patternOf(parent)}.`;
  const names = Object.keys(configKeys)
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length).split(/[.[]/)[0] ?? "");
  return [...new Set(names)];
}

const patternOf = (path: YamlPath): string => yamlPathText(path, () => "[]");
