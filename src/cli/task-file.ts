// A task.yaml: read, bounded, and with the line of every field, so that a problem can be pointed at.

import { errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import { readYaml } from "../foundation/yaml-file.ts";
import { readTextFile } from "./text-file.ts";

/** A task with a few hundred participants and tensors stays well below. */
const FILE_BYTES_MAX = 64 * 1024;

/** What the file says. */
export interface TaskFile {
  readonly task: Record<string, unknown>;
  /** The same error with the file's name and line before each problem. */
  readonly locate: (error: unknown) => unknown;
}

/** Reads a file. @throws MeshError `learning/bad-task` */
export function readTaskFile(file: string): TaskFile {
  // Aliases are refused.
  const yaml = readYaml(textOf(file), { bytesMax: FILE_BYTES_MAX, aliasesMax: 0 });
  if ("faults" in yaml) {
    throw badFile(
      file,
      yaml.faults.map(({ message, line }) => `${file}:${line ?? 1}: ${message}`),
    );
  }
  /** Of the field, or of what it would stand in. */
  const lineOf = (path: readonly string[]): number => {
    for (let length = path.length; length > 0; length--) {
      const keys = path.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
      const line = yaml.lineOf(keys);
      if (line !== null) return line;
    }
    return 1;
  };
  return {
    task: objectOf(file, yaml.value),
    locate: (error) => {
      if (!isMeshError(error) || error.code !== "learning/bad-task") return error;
      const { problems } = error.details;
      if (!Array.isArray(problems)) return error;
      const located = problems.map((text: string) => {
        const path = text.slice(0, text.indexOf(": ")).split(".");
        return `${file}:${lineOf(path)}: ${text}`;
      });
      return badFile(file, located);
    },
  };
}

function textOf(file: string): string {
  try {
    const text = readTextFile(file, FILE_BYTES_MAX);
    if (text !== undefined) return text;
    throw badFile(file, [`it has more than ${FILE_BYTES_MAX} bytes`]);
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    const next = "Name a file; docs/examples/task.yaml shows all that may stand in it.";
    throw badFile(file, [errorMessage(cause)], next);
  }
}

function objectOf(file: string, value: unknown): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badFile(file, [`${file}:1: it must hold keys and values, such as rounds: 10`]);
}

function badFile(
  file: string,
  problems: readonly string[],
  next = "Correct these fields.",
): MeshError {
  return new MeshError(
    "learning/bad-task",
    `Cannot take the task of '${file}':\n  ${problems.join("\n  ")}\n${next}`,
    { file, problems: [...problems] },
  );
}
