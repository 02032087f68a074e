// The JSON body of a request: read no further than the limit, and checked by its schema before anybody sees it.

import type { z } from "zod";
import { MeshError } from "../foundation/index.ts";
import type { HttpRequest } from "../ports/index.ts";
import { controlLimits } from "./contract.ts";
import type { ControlErrorCode } from "./errors.ts";

/** Of the problems of one request, so many are named. */
const PROBLEMS_TOLD = 20;

/** @throws MeshError `control/bad-request` with every problem, `control/too-large` */
export async function jsonBody<Output>(
  body: HttpRequest["body"],
  schema: z.ZodType<Output>,
): Promise<Output> {
  const text = await boundedText(body);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new MeshError<ControlErrorCode>(
      "control/bad-request",
      "Cannot read the request: its body is not JSON. Send a JSON object.",
    );
  }
  const checked = schema.safeParse(raw);
  if (checked.success) return checked.data;
  const problems = checked.error.issues
    .slice(0, PROBLEMS_TOLD)
    .map(({ path, message }) =>
      `${path.map(String).join(".") || "body"}: ${message}`.slice(0, 300),
    );
  throw new MeshError<ControlErrorCode>(
    "control/bad-request",
    `Cannot accept the request: ${problems.join("; ")}. Correct these fields.`,
    { problems },
  );
}

async function boundedText(body: HttpRequest["body"]): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > controlLimits.requestBytesMax) {
      throw new MeshError<ControlErrorCode>(
        "control/too-large",
        `Cannot read a request body above ${controlLimits.requestBytesMax} bytes. Send less.`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
