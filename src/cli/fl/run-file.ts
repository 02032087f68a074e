// A run for `fl plot`: what `fl simulate`, `fl status`, `fl rounds` or `fl run --watch` print with --json.

import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import * as z from "zod";
import { errorMessage, isMeshError, MeshError } from "../../foundation/index.ts";
import type { Curve } from "./curves.ts";

const FILE_BYTES_MAX = 64 * 1024 * 1024;
const ROUNDS_MAX = 100_000;

const pointsSchema = z
  .array(
    z.object({
      round: z.int().min(0).max(ROUNDS_MAX),
      loss: z.number().nullable(),
      accuracy: z.number().min(0).max(1).nullable(),
    }),
  )
  .min(1)
  .max(ROUNDS_MAX);
const task = {
  aggregator: z.string().optional(),
  attack: z.string().optional(),
  byzantine: z.int().optional(),
};
const runSchema = z.union([
  z.object({ rounds: pointsSchema, ...task, participants: z.int().optional() }),
  z
    .object({ learning: z.object({ history: pointsSchema, ...task }) })
    .transform(({ learning: { history, ...rest } }) => ({
      rounds: history,
      ...rest,
      participants: undefined,
    })),
]);

/** Reads a run. @throws MeshError `cli/bad-run` */
export function readCurve(file: string): Curve {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX)
      throw badRun(file, `it has ${size} bytes, at most ${FILE_BYTES_MAX}`);
    return curveOf(JSON.parse(readFileSync(file, "utf8")), basename(file, ".json"));
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    throw badRun(file, cause instanceof z.ZodError ? "it holds no rounds" : errorMessage(cause));
  }
}

/** The curve of such an answer, with what tells its run from others in the label. */
export function curveOf(answer: unknown, name: string): Curve {
  const { rounds, aggregator, attack, byzantine, participants } = runSchema.parse(answer);
  const who = [
    participants === undefined ? undefined : `${participants} nodes`,
    byzantine === undefined ? undefined : `f ${byzantine}`,
  ];
  const facts = [aggregator, ...who, attack].filter((fact) => fact !== undefined);
  return { label: facts.length === 0 ? name : `${name}: ${facts.join(", ")}`, points: rounds };
}

function badRun(file: string, why: string): MeshError {
  return new MeshError(
    "cli/bad-run",
    `Cannot plot '${file}': ${why}. Give it what meshctl fl simulate --json or fl status --json prints.`,
    { file },
  );
}
