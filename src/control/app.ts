// The control API's routes: HTTP and JSON in, NodeControl calls, JSON out. It knows no socket; an
// adapter serves it. Every answer, errors included, carries `schemaVersion`.

import { errorCode, errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import {
  CONTROL_SCHEMA_VERSION,
  controlLimits,
  type ErrorAnswer,
  flStartRequestSchema,
  initRequestSchema,
  joinRequestSchema,
  tokenRequestSchema,
} from "./contract.ts";
import { type ControlErrorCode, statusOfError } from "./errors.ts";
import type { NodeControl } from "./node-control.ts";

/** Told of an error that is no MeshError, or an internal one, so that it reaches the log. */
export type UnexpectedErrorListener = (error: unknown) => void;

/** The API of a node as a Hono app. `onUnexpectedError` hears what a client sees as status 500. */
export function createControlApp(
  node: NodeControl,
  onUnexpectedError: UnexpectedErrorListener = () => undefined,
): Hono {
  const app = new Hono();
  app.get("/v1/status", async (context) => answer(context, await node.status()));
  app.get("/v1/peers", async (context) => answer(context, await node.peers()));
  app.get("/v1/beacons", async (context) => answer(context, await node.beacons()));
  app.get("/v1/identity", async (context) => answer(context, await node.identity()));
  app.get("/v1/fl", async (context) => answer(context, await node.flStatus()));
  app.post("/v1/fl/start", async (context) =>
    answer(context, await node.flStart(await request(context, flStartRequestSchema))),
  );
  app.post("/v1/fl/stop", async (context) => answer(context, await node.flStop()));
  app.post("/v1/init", async (context) =>
    answer(context, await node.init(await request(context, initRequestSchema))),
  );
  app.post("/v1/join", async (context) =>
    answer(context, await node.join(await request(context, joinRequestSchema))),
  );
  app.post("/v1/tokens", async (context) =>
    answer(context, await node.createToken(await request(context, tokenRequestSchema))),
  );

  app.notFound(({ req }) =>
    errorResponse(
      refused(
        "control/not-found",
        `Cannot ${req.method} ${req.path.slice(0, 200)}: no such route.`,
      ),
    ),
  );
  app.onError((error) => {
    if (statusOfError(errorCode(error)).http === 500) onUnexpectedError(error);
    return errorResponse(error);
  });
  return app;
}

/** The body of an error answer. The message of a foreign error stays out: it may hold anything. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const known = isMeshError(error);
  return {
    schemaVersion: CONTROL_SCHEMA_VERSION,
    error: {
      code: errorCode(error),
      message: known
        ? errorMessage(error)
        : "The daemon met an unexpected error. Look for internal/unexpected in its log.",
      details: known ? mutableDetails(error) : {},
    },
  };
}

function mutableDetails(error: MeshError): ErrorAnswer["error"]["details"] {
  return Object.fromEntries(
    Object.entries(error.details).map(([key, value]) => [
      key,
      typeof value === "object" && value !== null ? [...value] : value,
    ]),
  );
}

function answer(context: Context, body: object): Response {
  return context.json({ schemaVersion: CONTROL_SCHEMA_VERSION, ...body });
}

function errorResponse(error: unknown): Response {
  return Response.json(errorAnswer(error), { status: statusOfError(errorCode(error)).http });
}

function refused(code: ControlErrorCode, message: string, problems: string[] = []): MeshError {
  return new MeshError<ControlErrorCode>(code, message, problems.length > 0 ? { problems } : {});
}

async function request<Output>(context: Context, schema: z.ZodType<Output>): Promise<Output> {
  const text = await boundedText(context.req.raw.body);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw refused(
      "control/bad-request",
      "Cannot read the request: its body is not JSON. Send a JSON object.",
    );
  }
  const checked = schema.safeParse(raw);
  if (checked.success) return checked.data;
  const problems = checked.error.issues
    .slice(0, 20)
    .map(({ path, message }) =>
      `${path.map(String).join(".") || "body"}: ${message}`.slice(0, 300),
    );
  throw refused(
    "control/bad-request",
    `Cannot accept the request: ${problems.join("; ")}. Correct these fields.`,
    problems,
  );
}

/** The body as text, read no further than the limit. */
async function boundedText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  // Web streams are async iterables in Node.js; leaving the loop cancels the stream.
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > controlLimits.requestBytesMax) {
      throw refused(
        "control/too-large",
        `Cannot read a request body above ${controlLimits.requestBytesMax} bytes. Send less.`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
