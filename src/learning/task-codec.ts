// Reads and writes manifests. Their one encoding: JSON with keys in ascending order and no white space, in UTF-8. So a
// digest or a signature of the bytes is one of the meaning.

import type * as z from "zod";
import { MeshError, ok, refuse, type Result, utf8Bytes, utf8Text } from "../foundation/index.ts";
import type { LearningErrorCode } from "./codes.ts";
import { type TaskManifest, taskShape } from "./task.ts";
import { checkTask, meshTaskLimits, type TaskLimits } from "./task-rules.ts";

/** Longest signed task. */
export const TASK_BYTES_MAX = 32 * 1024;

const meshTaskSchema = taskSchema(meshTaskLimits);

/**
 * Checks a manifest that was put together here.
 * @param limits @default those of a real mesh
 * @throws MeshError `learning/bad-task` naming every problem with its path
 */
export function parseTask(value: unknown, limits: TaskLimits = meshTaskLimits): TaskManifest {
  const parsed = taskSchema(limits).safeParse(value);
  if (parsed.success) return parsed.data;
  throw badTask(parsed.error);
}

/** Every problem of a task with its path, in one error; `details.problems` lists them as `path: what is wrong`. */
export function badTask(error: z.ZodError): MeshError {
  const problems = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => `${[...issue.path, key].join(".")}: there is no such key`)
      : [`${issue.path.join(".") || "task"}: ${issue.message}`],
  );
  return new MeshError(
    "learning/bad-task",
    `Cannot accept the training task: ${problems.join("; ")}. Correct these fields.`,
    { problems },
  );
}

/** The canonical bytes of a manifest. */
export function encodeTask(task: TaskManifest): Uint8Array {
  return utf8Bytes(canonicalJson(task));
}

/** Reads canonical bytes; anything but the one encoding of a valid manifest is refused. Codes: `learning/bad-task`, `learning/too-large`. */
export function decodeTask(bytes: Uint8Array): Result<TaskManifest, LearningErrorCode> {
  if (bytes.length > TASK_BYTES_MAX) return refuse("learning/too-large", `${bytes.length} bytes`);
  let value: unknown;
  let text: string;
  try {
    text = utf8Text(bytes);
    value = JSON.parse(text);
  } catch {
    return refuse("learning/bad-task", "no JSON");
  }
  const parsed = meshTaskSchema.safeParse(value);
  if (!parsed.success) return refuse("learning/bad-task", parsed.error.issues[0]?.message ?? "");
  if (canonicalJson(parsed.data) !== text) return refuse("learning/bad-task", "not canonical");
  return ok(parsed.data);
}

/** JSON with ascending keys and no white space. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/** The schema of manifests within limits: shapes first, then what the fields demand of one another. */
function taskSchema(limits: TaskLimits) {
  return taskShape.superRefine((task, context) => {
    for (const { path, message } of checkTask(task, limits))
      context.addIssue({ code: "custom", path: [...path], message });
  });
}
