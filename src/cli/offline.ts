// What meshctl does without a daemon, done by the daemon's own program: the request as JSON on its standard input, the
// answer, in the shape of the control API, on its standard output. So meshctl stays a client, and both always agree.

import { spawn } from "node:child_process";
import type { z } from "zod";
import {
  controlLimits,
  errorSchema,
  MAINTENANCE_OPTION,
  type OfflineRequest,
} from "../control/index.ts";
import { MeshError } from "../foundation/index.ts";
import { daemonCommand } from "./daemon-program.ts";

/** The configuration that the packaged daemon reads. */
export const defaultConfigFile = "/etc/meshd/meshd.yml";

/**
 * Asks the daemon's program.
 * @throws MeshError what the program answers with, and `cli/program-failed`
 */
export async function offline<Answer>(
  request: OfflineRequest,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  const { text, ended } = await run(JSON.stringify(request));
  const json = parse(text);
  const failed = errorSchema.safeParse(json);
  if (failed.success) {
    const { code, message, details } = failed.data.error;
    throw new MeshError(code, message, details);
  }
  const checked = schema.safeParse(json);
  if (checked.success) return checked.data;
  throw new MeshError(
    "cli/program-failed",
    `The daemon's program gave no answer (${ended}). Check that meshctl and meshd are of the same version.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the program ended before it answered; the caller says so
  }
}

function run(input: string): Promise<{ readonly text: string; readonly ended: string }> {
  return new Promise((resolve, reject) => {
    const { file, argv0, args } = daemonCommand();
    const program = spawn(file, [...args, MAINTENANCE_OPTION], {
      argv0,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    program.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= controlLimits.answerBytesMax) chunks.push(chunk);
    });
    program.on("error", reject);
    program.on("close", (status, signal) =>
      resolve({
        text: Buffer.concat(chunks).toString("utf8"),
        ended: signal ?? `exit status ${status ?? "unknown"}`,
      }),
    );
    // A program that ended before it read everything: its answer, or the want of one, says why.
    program.stdin.on("error", () => undefined);
    program.stdin.end(input);
  });
}
