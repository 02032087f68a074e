// A task.yaml: read, bounded, and with the line of every field, so that a problem can be pointed at.

import { readFileSync, statSync } from "node:fs";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { errorMessage, isMeshError, MeshError } from "../foundation/index.ts";

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
  const lines = new LineCounter();
  const document = parseDocument(textOf(file), { lineCounter: lines, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const line = lines.linePos(problem.pos[0]).line;
    throw badFile(file, [`${file}:${line}: ${problem.message.split("\n")[0] ?? ""}`]);
  }
  const lineOf = (path: readonly string[]): number => {
    for (let length = path.length; length > 0; length--) {
      const keys = path.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
      const node = document.getIn(keys, true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  return {
    task: objectOf(file, valueOf(file, document)),
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
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX)
      throw badFile(file, [`it has ${size} bytes, at most ${FILE_BYTES_MAX}`]);
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    const next = "Name a file; docs/examples/task.yaml shows all that may stand in it.";
    throw badFile(file, [errorMessage(cause)], next);
  }
}

/** Aliases are refused: few bytes may stand for many. */
function valueOf(file: string, document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw badFile(file, [`${file}:1: ${errorMessage(cause)}`]);
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
