// YAML text -> a checked scenario, or one error that names every problem at once, as with meshd.yml.

import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { errorMessage, MeshError, utf8Bytes } from "../../foundation/index.ts";
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
  const bytes = utf8Bytes(text).length;
  const { fileBytesMax, aliasesMax, problemsMax } = scenarioLimits;
  if (bytes > fileBytesMax) {
    throw invalid(filename, [`the file must have at most ${fileBytesMax} bytes: it has ${bytes}`]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    stringKeys: true,
    prettyErrors: false,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const at = faults.slice(0, problemsMax).map(({ message, pos }) => ({ message, pos }));
    throw invalid(
      filename,
      at.map(({ message, pos }) => `line ${lines.linePos(pos[0]).line}: ${message}`),
    );
  }
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    throw invalid(filename, [`the file must be plain YAML: ${errorMessage(error)}`]);
  }
  const checked = scenarioSchema.safeParse(raw);
  if (checked.success) return checked.data;
  const lineOf = (path: readonly PropertyKey[]): string => {
    const node = document.getIn(path, true);
    const range: unknown =
      typeof node === "object" && node !== null && "range" in node ? node.range : null;
    return Array.isArray(range) && typeof range[0] === "number"
      ? ` (line ${lines.linePos(range[0]).line})`
      : "";
  };
  const problems = checked.error.issues.flatMap((issue) => problemsOf(issue, raw, lineOf));
  throw invalid(filename, problems.slice(0, problemsMax));
}

function problemsOf(
  issue: z.core.$ZodIssue,
  raw: unknown,
  lineOf: (path: readonly PropertyKey[]) => string,
): string[] {
  const paths =
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => [...issue.path, key])
      : [issue.path];
  return paths.map((path) => {
    const where = path.length === 0 ? "the file" : pathText(path);
    return `${where}${lineOf(path)} must be ${issue.message}: current value is ${valueText(valueAt(raw, path))}`;
  });
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part).slice(0, 64)}`))
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
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
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
