// YAML text -> checked, frozen configuration; or one error that names every problem at once.
// The text is bounded before it is parsed and aliases are bounded before they are expanded.

import { errorMessage, MeshError } from "../foundation/index.ts";
import { type Document, LineCounter, parseDocument } from "yaml";
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
  const bytes = Buffer.byteLength(yamlText);
  if (bytes > configLimits.fileBytesMax) {
    throw new ConfigError(filename, [
      fileProblem(
        `at most ${configLimits.fileBytesMax} bytes`,
        `${bytes} bytes`,
        "remove what is not configuration",
      ),
    ]);
  }
  const { raw, document, lines } = readYaml(yamlText, filename);
  const checked = fileSchema.safeParse(raw);
  if (checked.success) return configOf(checked.data);
  const problems = checked.error.issues.flatMap((issue) => problemsOf(issue, raw, document, lines));
  throw new ConfigError(filename, problems.slice(0, configLimits.problemsMax));
}

/** What a file says, unchecked. @throws ConfigError `config/invalid` for what is not YAML */
export function rawConfig(yamlText: string, filename: string): unknown {
  return readYaml(yamlText, filename).raw;
}

/** The 1-based lines of the policy's rules; `null` for rules that stand in no file: the defaults. */
export function policyLines(yamlText: string, filename: string, rules: number): (number | null)[] {
  const { document, lines } = readYaml(yamlText, filename);
  return Array.from({ length: rules }, (_, index) => lineOf(document, lines, ["policy", index]));
}

interface YamlFile {
  readonly raw: unknown;
  readonly document: Document;
  readonly lines: LineCounter;
}

function readYaml(text: string, filename: string): YamlFile {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      stringKeys: true,
      prettyErrors: false,
    });
    // A warning is an unknown tag or directive: the value would not mean what it seems to.
    const faults = [...document.errors, ...document.warnings].slice(0, configLimits.yamlFaultsMax);
    if (faults.length > 0) {
      throw new ConfigError(
        filename,
        faults.map((fault) => ({
          ...fileProblem(
            "valid YAML 1.2",
            fault.message,
            "check indentation, quotes and repeated keys",
          ),
          line: lines.linePos(fault.pos[0]).line,
        })),
      );
    }
    const raw: unknown = document.toJS({ maxAliasCount: configLimits.aliasesMax });
    return { raw: raw ?? {}, document, lines };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // Too many aliases, or nesting deeper than the parser's stack.
    throw new ConfigError(filename, [
      fileProblem(
        "plain YAML without deep nesting or many aliases",
        errorMessage(error),
        "write values out",
      ),
    ]);
  }
}

function fileProblem(rule: string, value: string, hint: string): ConfigProblem {
  return { path: "", line: null, value, rule, hint };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  raw: unknown,
  document: Document,
  lines: LineCounter,
): ConfigProblem[] {
  const at = (path: readonly PropertyKey[], rule: string, hint: string): ConfigProblem => ({
    path: pathText(path),
    line: lineOf(document, lines, path),
    value: valueText(valueAt(raw, path)),
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

function unknownKeyHint(parent: readonly PropertyKey[], key: string): string {
  const known = keysUnder(parent);
  const nearest = nearestKey(key, known);
  return nearest === undefined
    ? `the keys here are ${known.join(", ")}`
    : `did you mean ${nearest}?`.slice(0, -1);
}

/** The names that may stand directly under a path. */
function keysUnder(parent: readonly PropertyKey[]): string[] {
  const prefix = parent.length === 0 ? "" : `${patternOf(parent)}.`;
  const names = Object.keys(configKeys)
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length).split(/[.[]/)[0] ?? "");
  return [...new Set(names)];
}

const patternOf = (path: readonly PropertyKey[]): string => joined(path, () => "[]");
const pathText = (path: readonly PropertyKey[]): string => joined(path, (index) => `[${index}]`);

function joined(path: readonly PropertyKey[], list: (index: number) => string): string {
  return path
    .map((part) => (typeof part === "number" ? list(part) : `.${String(part).slice(0, 64)}`))
    .join("")
    .replace(/^\./, "");
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function valueText(value: unknown): string {
  if (value === undefined) return "missing";
  // A password that was put into a URL must not get into a log because of that.
  const text = JSON.stringify(value).replace(/\/\/[^/"]*@/g, "//…@");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function lineOf(
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
): number | null {
  const node = document.getIn(path, true);
  if (typeof node !== "object" || node === null || !("range" in node)) return null;
  const range = node.range;
  return Array.isArray(range) && typeof range[0] === "number" ? lines.linePos(range[0]).line : null;
}
